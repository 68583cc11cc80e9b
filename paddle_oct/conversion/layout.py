"""Layouts: where a pair holds the channels of the tensor that it replaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from paddle_oct.nn import split_channels


@dataclass(frozen=True)
class Layout:
    """The channels of both bands, by their numbers in the tensor that the pair replaces.

    Attributes:
        high, low: channel numbers, in the order in which the band holds them.
    """

    high: tuple[int, ...]
    low: tuple[int, ...] = ()

    @property
    def channels(self) -> int:
        return len(self.high) + len(self.low)

    @property
    def order(self) -> tuple[int, ...]:
        """The numbers of all channels, those of the high band first."""
        return self.high + self.low

    @property
    def alpha(self) -> float:
        """The share of low-frequency channels."""
        return len(self.low) / self.channels

    def places(self) -> list[int]:
        """Return the place of each channel in :attr:`order`."""
        place = {channel: position for position, channel in enumerate(self.order)}
        return [place[channel] for channel in range(self.channels)]


def one_band(channels: int) -> Layout:
    """Return the layout of an ordinary tensor: a high band alone, in its own order."""
    return Layout(tuple(range(channels)))


def split_layout(channels: int, alpha: float, groups: int = 1) -> Layout:
    """Split channels by ``alpha``, high first.

    With ``groups``, each group of channels is split alike, so that every group of a grouped
    convolution has its share of both bands.

    Raises:
        ValueError: the groups do not divide the bands.
    """
    high, low = split_channels(channels, alpha)
    if high % groups or low % groups:
        raise ValueError(f"groups={groups} does not divide bands of {high} and {low} channels")
    size, kept = channels // groups, high // groups
    return Layout(
        tuple(g * size + c for g in range(groups) for c in range(kept)),
        tuple(g * size + c for g in range(groups) for c in range(kept, size)),
    )


def concat_layouts(layouts: Sequence[Layout]) -> Layout:
    """Return the layout of pairs that are concatenated along the channels, band by band."""
    high: list[int] = []
    low: list[int] = []
    offset = 0
    for layout in layouts:
        high += [offset + channel for channel in layout.high]
        low += [offset + channel for channel in layout.low]
        offset += layout.channels
    return Layout(tuple(high), tuple(low))


def runs(channels: Sequence[int]) -> list[tuple[int, int]]:
    """Return a sequence of numbers as ranges ``[start, stop)`` of consecutive ones."""
    found: list[tuple[int, int]] = []
    for channel in channels:
        if found and found[-1][1] == channel:
            found[-1] = (found[-1][0], channel + 1)
        else:
            found.append((channel, channel + 1))
    return found
