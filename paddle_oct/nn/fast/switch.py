"""Whether the kernels of this room may run: in eager mode, unless they are switched off."""

from __future__ import annotations

import contextlib
import os
from contextvars import ContextVar
from typing import Iterator

import paddle

from paddle_oct.base.private import in_sot

_ENABLED: ContextVar[bool] = ContextVar(
    "paddle_oct_fast", default=os.environ.get("PADDLE_OCT_FAST", "1").lower() not in ("0", "off")
)


@contextlib.contextmanager
def fast_kernels(enabled: bool) -> Iterator[None]:
    """Let eager mode use the kernels of :data:`KERNELS`, or the plain operations alone.

    They are used by default, unless the environment variable ``PADDLE_OCT_FAST`` is ``0`` or
    ``off``. The results are the same except for rounding.

    Args:
        enabled: whether they may be used within the block, in this thread.

    Examples:
        >>> import paddle
        >>> from paddle_oct import OctaveConv
        >>> from paddle_oct.nn import fast_kernels, split
        >>> layer, x = OctaveConv(8, 8, 3, padding=1), split(paddle.rand([2, 8, 6, 6]), 0.5)
        >>> with fast_kernels(False):
        ...     plain, _ = layer(x)
        >>> fast, _ = layer(x)
        >>> print(bool(paddle.allclose(fast, plain, atol=1e-6)))
        True
    """
    before = _ENABLED.set(bool(enabled))
    try:
        yield
    finally:
        _ENABLED.reset(before)


def runs_eagerly() -> bool:
    """Whether operations run at once: no program is being built or traced (``to_static``)."""
    return paddle.in_dynamic_mode() and not in_sot()


def may_run() -> bool:
    """Whether a kernel may stand in for the definition of an operation."""
    return runs_eagerly() and _ENABLED.get()
