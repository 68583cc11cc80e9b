"""A lock that ends with the process that holds it."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import warnings
from pathlib import Path
from typing import Iterator

_held: set[int] = set()


def _forget() -> None:
    """Close the locks in a process that was forked.

    A lock of ``flock`` ends when every copy of its descriptor is closed. So the workers of a
    ``DataLoader`` would keep it for some seconds after the training process was killed.
    """
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock on a file while the block runs.

    The file is made if it does not exist, and stays. The kernel ends the lock with the process,
    however that ends. The block is locked for other threads of this process, too. On Windows
    nothing is locked; on a file system without locks neither, and a warning says so.

    Raises:
        BlockingIOError: another process, or another block of this one, holds the lock.
        OSError: the file can't be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    _held.add(descriptor)
    try:
        _lock(descriptor, path)
        yield
    finally:
        if descriptor in _held:  # not in a process that was forked within the block
            _held.remove(descriptor)
            os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    # Not the locks of ``lockf``: these end when the process closes any descriptor of the file.
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL):
            raise
        warnings.warn(f"{path}: this file system has no locks ({error.strerror})", stacklevel=4)
