"""The operations of the octave equation: the interface to the kernels that make eager mode fast.

Each operation is defined with ``paddle.nn.functional``. In a program (``to_static``, ONNX) that
definition runs, and the compiler or engine chooses how. In eager mode on a CPU a kernel of
:data:`KERNELS` may stand in for it; :func:`fast_kernels` switches the kernels off. No kernel
changes a setting of the whole process. ``README.md`` in this folder explains.
"""

from __future__ import annotations

from typing import Any, overload

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from .convolutions import case_of, run_kernel
from .in_place import can_activate_in_place, can_add_in_place, can_overwrite
from .resampling import (
    add_doubled_in_place,
    can_add_doubled,
    can_double,
    can_halve_by_interpolation,
    double,
    halve_by_interpolation,
)
from .switch import fast_kernels, may_run, runs_eagerly
from .table import KERNELS, Kernel, choose_convolution

__all__ = [
    "KERNELS",
    "Kernel",
    "activate",
    "add",
    "add_up2",
    "convolve",
    "down2",
    "fast_kernels",
    "runs_eagerly",
    "spatial_size",
    "up2",
]


def down2(x: Tensor) -> Tensor:
    """Halve a map ``[N, C, H, W]`` to ``[N, C, ceil(H / 2), ceil(W / 2)]`` by 2x2 averages.

    Where a size is odd, the last average is over fewer cells: those outside the map do not count.
    """
    if may_run() and can_halve_by_interpolation(x):
        return halve_by_interpolation(x)
    return F.avg_pool2d(x, kernel_size=2, stride=2, ceil_mode=True, exclusive=True)


def up2(x: Tensor, like: Tensor | None = None) -> Tensor:
    """Double a map ``[N, C, H, W]`` by nearest neighbour: ``y[i, j] = x[i // 2, j // 2]``.

    Args:
        x: the low-frequency map.
        like: a map whose height and width the result takes, ``2H`` or ``2H - 1``; without it the
            result is ``[N, C, 2H, 2W]``.
    """
    size = [2 * s for s in spatial_size(x)] if like is None else spatial_size(like)
    if may_run() and can_double(x):
        return double(x, size)
    return F.interpolate(x, size=size, mode="nearest")


def spatial_size(x: Tensor) -> list[Any]:
    """Return ``[H, W]`` of ``[N, C, H, W]``: integers, or Tensors for open sizes in a program."""
    if paddle.in_dynamic_mode():
        return [x.shape[2], x.shape[3]]
    return _size_in_program(x)


@paddle.jit.not_to_static
def _size_in_program(x: Tensor) -> list[Any]:
    return [x.shape[i] if x.shape[i] >= 0 else paddle.shape(x)[i] for i in (2, 3)]


def convolve(conv: nn.Layer | None, x: Tensor | None, pool: bool = False) -> Tensor | None:
    """Return ``conv(x)``, or ``conv(down2(x))`` if ``pool``; None if a path or band is absent."""
    if conv is None or x is None:
        return None
    if may_run():
        return _convolve_eagerly(conv, x, pool)
    return conv(down2(x) if pool else x)


def _convolve_eagerly(conv: Any, x: Tensor, pool: bool) -> Tensor:
    case = case_of(conv, x, pool)
    kernel = None if case is None else choose_convolution(case, pool)
    if case is None or kernel is None:
        return conv(down2(x) if pool else x)
    return run_kernel(conv, x, kernel, case, down2 if pool else None)


@overload
def add(y: Tensor, x: Tensor | None, made_by: nn.Layer | None) -> Tensor: ...


@overload
def add(y: Tensor | None, x: Tensor | None, made_by: nn.Layer | None) -> Tensor | None: ...


def add(y: Tensor | None, x: Tensor | None, made_by: nn.Layer | None) -> Tensor | None:
    """Return ``y + x``; what is None counts as zero.

    Args:
        y: what ``made_by`` has just returned and nothing else will read: it may be overwritten.
        x: what to add to it.
        made_by: the layer that made ``y``.
    """
    if y is None or x is None:
        return x if y is None else y
    if may_run() and can_add_in_place(y, x) and can_overwrite(y, made_by):
        return y.add_(x)
    return y + x


def add_up2(
    y: Tensor | None, x: Tensor | None, made_by: nn.Layer | None, like: Tensor | None
) -> Tensor | None:
    """Return ``y + up2(x, like)``; what is None counts as zero.

    Args:
        y, made_by: as in :func:`add`.
        x: the low-frequency map to double.
        like: as in :func:`up2`.
    """
    if x is None:
        return y
    if y is not None and may_run() and can_add_doubled(y, x) and can_overwrite(y, made_by):
        return add_doubled_in_place(y, x)
    return add(y, up2(x, like), made_by)


def activate(act: nn.Layer, x: Tensor, made_by: nn.Layer | None = None) -> Tensor:
    """Return ``act(x)``.

    Args:
        act: the activation.
        x: what has just been computed and nothing else will read: it may be overwritten.
        made_by: the layer that made ``x``; None for a sum.
    """
    if may_run() and type(act) is nn.ReLU and can_activate_in_place(x, act, made_by):
        return F.relu_(x)
    return act(x)
