"""Halving and doubling a map in less time than Paddle's own operators take on a CPU.

Both are linear, and the gradient of each is computed by the other: the backward passes keep no map,
and there are gradients of any order. No value is multiplied by zero, which would make an infinite
one NaN in other places.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor
from paddle.autograd import PyLayer

DTYPES = (paddle.float32, paddle.float64)  # of the maps for which there are kernels

# -- halving -------------------------------------------------------------------------------------


def can_halve_by_interpolation(x: Tensor) -> bool:
    """Whether :func:`halve_by_interpolation` can halve a map."""
    if x.dtype != paddle.float32 or not x.place.is_cpu_place():
        return False
    height, width = x.shape[2:]
    # If the result has a single row or column, Paddle interpolates with a ratio of 0.
    return height % 2 == 0 and width % 2 == 0 and min(height, width) >= 4 and x.shape[0] > 0


def halve_by_interpolation(x: Tensor) -> Tensor:
    """Halve ``[N, C, H, W]``, H and W even: interpolating amid 2x2 pixels gives their mean."""
    return _Halve.apply(x) if paddle.is_grad_enabled() else _interpolate(x)


def _interpolate(x: Tensor) -> Tensor:
    return F.interpolate(x, size=[x.shape[2] // 2, x.shape[3] // 2], mode="bilinear")


class _Halve(PyLayer):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.size = x.shape[2:]
        return _interpolate(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        return spread_over_means(gradient, ctx.size)


def spread_over_means(gradient: Tensor, size: list[int]) -> Tensor:
    """Return the gradient of a map ``[N, C, *size]`` from that of its 2x2 means."""
    height, width = size
    if height % 2 == 0 and width % 2 == 0:
        return double(gradient * 0.25, size)
    return double(gradient / _pixels_of_means(height, width, gradient.dtype), size)


@functools.lru_cache(maxsize=32)
def _pixels_of_means(height: int, width: int, dtype: Any) -> Tensor:
    """Return how many pixels each 2x2 mean of a map is over, as ``[1, 1, h, w]``."""
    rows, columns = (np.minimum(2, s - np.arange(0, s, 2)) for s in (height, width))
    pixels = np.outer(rows, columns)[None, None]
    return paddle.to_tensor(pixels, dtype=dtype, place=paddle.CPUPlace())


# -- doubling ------------------------------------------------------------------------------------


def can_double(x: Tensor) -> bool:
    """Whether :func:`double` can double a map."""
    return x.dtype in DTYPES and x.place.is_cpu_place() and x.size > 0


def double(x: Tensor, size: list[int]) -> Tensor:
    """Double ``[N, C, H, W]`` by nearest neighbour to ``[N, C, *size]``, ``2H`` or ``2H - 1``."""
    return _Double.apply(x, size) if paddle.is_grad_enabled() else _copy(x, size)


def _copy(x: Tensor, size: list[int]) -> Tensor:
    """Return every value four times: in both parts of a complex number, in two rows."""
    batch, channels, height, width = x.shape
    rows = x.reshape([-1, width])
    twice = paddle.complex(rows, rows)
    doubled = paddle.as_real(paddle.concat([twice, twice], axis=1))
    doubled = doubled.reshape([batch, channels, 2 * height, 2 * width])
    return doubled if doubled.shape[2:] == size else doubled[:, :, : size[0], : size[1]]


class _Double(PyLayer):
    @staticmethod
    def forward(ctx: Any, x: Tensor, size: list[int]) -> Tensor:
        return _copy(x, size)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        height, width = gradient.shape[2:]
        if height % 2 or width % 2:
            gradient = F.pad(gradient, [0, width % 2, 0, height % 2])
        if can_halve_by_interpolation(gradient):
            return 4 * halve_by_interpolation(gradient)
        return 4 * F.avg_pool2d(gradient, 2, 2)


def can_add_doubled(y: Tensor, x: Tensor) -> bool:
    """Whether :func:`add_doubled_in_place` can add ``up2(x)`` to ``y``."""
    batch, channels, height, width = x.shape
    return (
        y.dtype == x.dtype
        and y.shape == [batch, channels, 2 * height, 2 * width]
        and can_double(x)
        and not paddle.is_grad_enabled()
    )


def add_doubled_in_place(y: Tensor, x: Tensor) -> Tensor:
    """Add ``up2(x)`` to ``y``, of even height and width, in place; without a gradient.

    Two pixels of a row get the same value, and two rows the same values. So each value of ``x`` is
    added to a pair of pixels twice, and no map of the size of ``y`` is made.
    """
    rows = x.reshape([-1, x.shape[3]])
    for_pairs = paddle.concat([rows, rows], axis=1).reshape([-1, 1])
    return y.reshape([-1, 2]).add_(for_pairs).reshape(y.shape)
