"""Timing functions in turns, so that other load on the machine affects all of them alike."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any, Callable, Sequence

_WARMUP = 3


@dataclass(frozen=True)
class Timing:
    """What repeated runs took, in seconds.

    Attributes:
        median: of the repeats.
        spread: half the distance between the quartiles; 0 for one run.
        fastest: the shortest of the repeats.
    """

    median: float
    spread: float
    fastest: float


def interleave(runs: Sequence[Callable[[], Any]], repeats: int) -> list[Timing]:
    """Time several functions in turns, and return the timing of each.

    Args:
        runs: what to time.
        repeats: how often each runs, 1 or more, after three runs that are not timed.

    Raises:
        ValueError: ``repeats`` is less than 1.
    """
    return [summary(seconds) for seconds in take_turns(runs, repeats)]


def take_turns(
    runs: Sequence[Callable[[], Any]], repeats: int, warm_up: int = _WARMUP
) -> list[list[float]]:
    """Run several functions in turns, and return for each the seconds of every repeat.

    Args:
        runs: what to time.
        repeats: how often each runs, 1 or more.
        warm_up: how often each runs before that, without being timed.

    Raises:
        ValueError: ``repeats`` is less than 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be 1 or more, got {repeats}")
    for run in runs:
        for _ in range(warm_up):
            run()
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats):
        for own, run in zip(seconds, runs):
            start = time.perf_counter()
            run()
            own.append(time.perf_counter() - start)
    return seconds


def summary(seconds: Sequence[float]) -> Timing:
    """Return the median, the spread and the fastest of repeated runs, at least one."""
    median = statistics.median(seconds)
    low, _, high = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else (median,) * 3
    return Timing(median, (high - low) / 2, min(seconds))
