"""The result of a race."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from paddle_oct.base.timing import Timing
from paddle_oct.cost import macs_law


@dataclass(frozen=True)
class Contender:
    """The costs of one network of a race.

    Attributes:
        model: its name.
        timing: the times of its runs.
        macs: multiply-accumulates for one image.
        peak: the peak memory in bytes: in Paddle's eager mode what its allocator hands out during a
            run, on an engine what loading the file and running it takes; None where that can't be
            measured, or was not.
    """

    model: str
    timing: Timing
    macs: int
    peak: int | None


@dataclass(frozen=True)
class RaceResult:
    """One line of a race: a network against another, on one engine.

    Attributes:
        engine: the engine that ran them.
        alpha: the alpha of the first network.
        input_size: ``(N, C, H, W)``.
        threads: how many threads each might use.
        repeats: how often each ran.
        contender: the first network.
        opponent: the network that it is compared with.
    """

    engine: str
    alpha: float
    input_size: tuple[int, ...]
    threads: int
    repeats: int
    contender: Contender
    opponent: Contender

    @property
    def ratio(self) -> float:
        """The median time of the contender divided by that of the opponent."""
        return self.contender.timing.median / self.opponent.timing.median

    @property
    def fastest_ratio(self) -> float:
        """The same ratio of the fastest runs."""
        return self.contender.timing.fastest / self.opponent.timing.fastest

    @property
    def mac_ratio(self) -> float:
        """The same ratio of the multiply-accumulates."""
        return self.contender.macs / self.opponent.macs

    @property
    def law(self) -> float:
        """The MAC ratio by the paper's Table 1, if all layers were octave convolutions."""
        return macs_law(self.alpha)

    def as_dict(self) -> dict[str, Any]:
        """Return the columns of a CSV or JSON file; times are in milliseconds."""
        ours, theirs = self.contender.timing, self.opponent.timing
        return {
            "engine": self.engine,
            "model": self.contender.model,
            "against": self.opponent.model,
            "alpha": self.alpha,
            "input_size": "x".join(map(str, self.input_size)),
            "threads": self.threads,
            "repeats": self.repeats,
            "ms": 1e3 * ours.median,
            "ms_spread": 1e3 * ours.spread,
            "against_ms": 1e3 * theirs.median,
            "against_ms_spread": 1e3 * theirs.spread,
            "ratio": self.ratio,
            "fastest_ratio": self.fastest_ratio,
            "mac_ratio": self.mac_ratio,
            "law": self.law,
            "peak": self.contender.peak,
            "against_peak": self.opponent.peak,
        }
