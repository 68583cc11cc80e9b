"""The threads that Paddle's operators may use on a CPU."""

from __future__ import annotations

import math
import os
from pathlib import Path

MOST_THREADS = 1024

_VARIABLE = "OMP_NUM_THREADS"
# The launcher of several processes sets them: how many there are on this machine, and in all (which
# is all that an older launcher says).
_PROCESSES = ("PADDLE_LOCAL_SIZE", "PADDLE_TRAINERS_NUM")


def use_threads(threads: int | None = None) -> int:
    """Set how many threads Paddle's operators may use on a CPU, for the whole process.

    Args:
        threads: the number, in [1, 1024]. By default what the user has set ``OMP_NUM_THREADS`` to;
            without that all processors that this process may use, divided among the processes
            that ``paddle.distributed.launch`` has started on this machine.

    Returns:
        The number.

    Raises:
        ValueError: the number is out of range.
    """
    if threads is None:
        threads = min(_asked_for() or _share(), MOST_THREADS)
    if isinstance(threads, bool) or not isinstance(threads, int):
        raise TypeError(f"threads must be of type int, got {threads!r}")
    if not 1 <= threads <= MOST_THREADS:
        raise ValueError(f"threads must be in [1, {MOST_THREADS}], got {threads}")
    from .private import set_threads  # here, as it imports Paddle

    set_threads(threads)
    return threads


def _asked_for() -> int | None:
    """Return what the user has set ``OMP_NUM_THREADS`` to, or None.

    Paddle sets it to 1 when it is imported and nothing is set, and so does the launcher for the
    processes that it starts. So a 1 only counts if it was there when this process was started, or
    the launcher was.
    """
    value = os.environ.get(_VARIABLE, "")
    if value == "1":
        launched = any(name in os.environ for name in _PROCESSES)
        process = str(os.getppid()) if launched else "self"
        value = _environment_at_start(process).get(_VARIABLE, "")
    return int(value) if value.isdecimal() and int(value) else None


def _environment_at_start(process: str) -> dict[str, str]:
    """Return the variables that a process was started with, where the system tells (Linux)."""
    try:
        content = Path("/proc", process, "environ").read_bytes()
    except OSError:
        return {}
    entries = (entry.partition("=") for entry in os.fsdecode(content).split("\0"))
    return {name: value for name, _, value in entries}


def available_processors() -> int:
    """Return how many processors this process may use, at least 1: a container may limit them."""
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        processors = os.cpu_count() or 1
    return max(1, int(min(processors, _quota())))


def _share() -> int:
    """Return this process's share of the processors, at least 1."""
    told = (os.environ.get(name, "") for name in _PROCESSES)
    processes = next((int(number) for number in told if number.isdecimal() and int(number)), 1)
    return max(1, available_processors() // processes)


def _quota(folder: str = "/sys/fs/cgroup") -> float:
    """Return how many processors' time a container may use; infinity if there is no limit."""
    for quota, period in (("cpu.max", None), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            numbers = Path(folder, quota).read_text().split()
            if period is not None:
                numbers += Path(folder, period).read_text().split()
            allowed, every = map(int, numbers)  # "max" or -1: no limit
        except (OSError, ValueError):
            continue
        if allowed > 0 and every > 0:
            return math.ceil(allowed / every)
    return math.inf
