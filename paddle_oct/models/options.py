"""What the octave networks share: alpha per stage, and the options of their convolutions."""

from __future__ import annotations

import numbers
from typing import Any, Literal, Optional, Sequence, TypedDict, Union, cast

from paddle_oct.nn.feature import check_alpha

Alpha = Union[float, Sequence[float]]
Downsample = Optional[Literal["avg_pool", "strided_conv"]]


class TrunkOptions(TypedDict, total=False):
    """What every network takes by keyword alone; see :class:`~paddle_oct.models.OctNetwork`."""

    downsample: Downsample
    h2l: bool
    l2h: bool
    features_only: bool
    merge_features: bool


class NetworkOptions(TrunkOptions, total=False):
    """What every function that builds a network takes."""

    num_classes: int
    with_pool: bool
    alpha: Alpha


def stage_alphas(alpha: Alpha, stages: int, network: str) -> list[float]:
    """Return the alpha of every stage that may hold octave features.

    Args:
        alpha: one number for all of them, or one per stage.
        stages: how many there are.
        network: what to name in an error message.

    Raises:
        TypeError, ValueError: an alpha is not in [0, 1], or there are too many or too few.
    """
    if isinstance(alpha, numbers.Real):
        return [check_alpha(cast(float, alpha), f"{network}: alpha")] * stages
    if not isinstance(alpha, (tuple, list)):
        raise TypeError(f"{network}: alpha must be a number or {stages} of them, got {alpha!r}")
    if len(alpha) != stages:
        raise ValueError(
            f"{network}: alpha must be a number or {stages} of them, one per octave stage, "
            f"got {len(alpha)}: {list(alpha)}"
        )
    return [check_alpha(a, f"{network}: alpha[{i}]") for i, a in enumerate(alpha)]


def check_scale(scale: float, network: str, least: float = 1 / 32) -> float:
    """Check a width multiplier, and return it as a float.

    Args:
        scale: the width multiplier.
        network: what to name in an error message.
        least: the smallest one that leaves every layer at least one channel.

    Raises:
        TypeError: it is not a real number.
        ValueError: it is less than ``least`` or more than a million.
    """
    if isinstance(scale, bool) or not isinstance(scale, numbers.Real):
        raise TypeError(f"{network}: scale must be a number, got {scale!r}")
    if not least <= scale <= 1e6:  # Paddle keeps the number of channels in 32 bits
        raise ValueError(
            f"{network}: scale must be at least 1/{1 / least:g} and at most a million, "
            f"got {scale!r}"
        )
    return float(scale)


class ConvOptions:
    """The keyword arguments of a network's convolutions, which depend on their two alphas.

    Args:
        downsample: as in ``OctaveConv``, for the whole network.
        h2l, l2h: whether the inter-octave paths exist between two octave features. A convolution
            that opens or closes the octave always has them: without, a band would have no input or
            no output.
        octave: whether any stage has an alpha above 0. If so, the vanilla convolutions of the last
            stage halve by average pooling, too: the authors' networks do, and their weights were
            trained so.
    """

    def __init__(self, downsample: Downsample, h2l: bool, l2h: bool, octave: bool) -> None:
        self.downsample = downsample or ("avg_pool" if octave else None)
        self.h2l = h2l
        self.l2h = l2h

    def between(self, alpha_in: float, alpha_out: float) -> dict[str, Any]:
        """Return the keyword arguments of a convolution from ``alpha_in`` to ``alpha_out``."""
        transition = not (0 < alpha_in < 1 and 0 < alpha_out < 1)
        return {
            "alpha_in": alpha_in,
            "alpha_out": alpha_out,
            "downsample": self.downsample,
            "h2l": self.h2l or transition,
            "l2h": self.l2h or transition,
        }
