"""Functions of Paddle's that are replaced for a while, to see which ones a network calls.

They are replaced for the whole process. Of two threads at a time, each would undo what the other
has set.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Iterator

#: Held by the thread that has replaced functions, until they are put back.
PATCHING = threading.RLock()


class _Unobserved(threading.local):
    depth = 0


_UNOBSERVED = _Unobserved()


@contextmanager
def unobserved() -> Iterator[None]:
    """Let what this thread computes in the block be no part of what it observes outside of it."""
    _UNOBSERVED.depth += 1
    try:
        yield
    finally:
        _UNOBSERVED.depth -= 1


def is_observed() -> bool:
    """Whether this thread is in no block of :func:`unobserved`."""
    return not _UNOBSERVED.depth
