"""The peak memory of an exported network, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Sequence

import numpy as np

from .loading import load
from .table import ENGINES

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")  # writing "5" resets the peak


def peak_memory(path: Path, engine: str, threads: int, size: Sequence[int]) -> int | None:
    """Return the bytes that loading a file and running it once takes at the peak.

    Weights, maps and what the engine prepares count; its own libraries do not. It is measured as
    resident memory in a new process, and None on systems that can't measure it (only Linux can).

    Raises:
        RuntimeError: the new process fails.
    """
    if not _RESET.exists():
        return None
    arguments = (str(path), engine, threads, tuple(size))
    code = f"from {__name__} import _measure; _measure(*{arguments!r})"
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True
    )
    if child.returncode:
        raise RuntimeError(f"{path}: the memory can't be measured ({child.stderr.strip()[-200:]})")
    return int(child.stdout.split()[-1])


def _measure(path: str, engine: str, threads: int, size: tuple[int, ...]) -> None:
    import_module(ENGINES[engine].package)
    x = np.zeros(size, np.float32)
    _RESET.write_text("5")
    before = _resident("VmRSS")
    load(path, engine, threads, size)(x)
    print(_resident("VmHWM") - before)


def _resident(what: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(what))
    return 1024 * int(line.split()[1])
