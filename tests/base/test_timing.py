"""Timing in turns, with a clock of our own."""

import pytest

from paddle_oct.base import timing
from paddle_oct.base.timing import Timing, interleave, take_turns


@pytest.fixture
def clock(monkeypatch):
    """Let functions take what they say, and note the order in which they run."""
    now, order = [0.0], []
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def function(name, *seconds):
        remaining = iter(seconds)

        def run():
            order.append(name)
            now[0] += next(remaining)

        return run

    return function, order


def test_in_turns(clock):
    function, order = clock
    warm = (100, 100, 100)
    runs = [function("a", *warm, 1, 2, 3, 4, 10), function("b", *warm, 7, 7, 7, 7, 7)]
    # Quartiles of 1, 2, 3, 4, 10 by statistics.quantiles: 1.5 and 7.
    assert interleave(runs, 5) == [Timing(3, (7 - 1.5) / 2, 1), Timing(7, 0, 7)]
    assert "".join(order) == "aaabbb" + "ab" * 5


def test_one_run_has_no_spread(clock):
    function, _ = clock
    assert interleave([function("a", 1, 1, 1, 5)], 1) == [Timing(5, 0, 5)]


def test_every_repeat_and_a_warming_up_of_ones_own(clock):
    function, order = clock
    runs = [function("a", 100, 1, 2), function("b", 100, 4, 3)]
    assert take_turns(runs, 2, warm_up=1) == [[1, 2], [4, 3]]
    assert "".join(order) == "ababab"


def test_no_runs_at_all():
    assert interleave([], 3) == []
    with pytest.raises(ValueError, match="repeats must be 1 or more, got 0"):
        interleave([print], 0)
