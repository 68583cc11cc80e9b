"""Halving and doubling a map in less time than Paddle's own operators take on a CPU.

Both are linear: the backward passes keep no map, and there are gradients of any order.
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
WIDEST = 128  # width of a low map; in a wider one the product spends its time on zeros

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
        if width > 2 * WIDEST:
            batch, channels, h, w = gradient.shape
            cells = (gradient * 0.25).reshape([batch, channels, h, 1, w, 1])
            return cells.expand([batch, channels, h, 2, w, 2]).reshape([batch, channels, *size])
        rows = gradient.reshape([-1, gradient.shape[3]])
        doubled = paddle.matmul(rows, _doubling(gradient.shape[3], gradient.dtype) * 0.25)
        return doubled.reshape([*gradient.shape[:2], height, width])
    over_rows, over_columns = (_spreading(s, gradient.dtype) for s in (height, width))
    return paddle.matmul(paddle.matmul(over_rows, gradient), over_columns, transpose_y=True)


@functools.lru_cache(maxsize=32)
def _spreading(size: int, dtype: Any) -> Tensor:
    """Return the matrix ``[size, ceil(size / 2)]``: the share of each pixel in each mean."""
    shares = np.repeat(np.eye((size + 1) // 2), 2, axis=0)[:size]
    return paddle.to_tensor(shares / shares.sum(0), dtype=dtype, place=paddle.CPUPlace())


# -- doubling ------------------------------------------------------------------------------------


def can_double_by_product(x: Tensor, y: Tensor) -> bool:
    """Whether :func:`double_by_product` can compute the ``up2(x)`` of ``y + up2(x)``.

    It makes a row NaN that holds an infinite value: zero times infinity is NaN.
    """
    if x.dtype not in DTYPES or y.dtype != x.dtype or not x.place.is_cpu_place():
        return False
    batch, channels, height, width = x.shape
    return (
        y.shape == [batch, channels, 2 * height, 2 * width]
        and 0 < width <= WIDEST
        and batch * channels * height > 0
    )


def double_by_product(x: Tensor) -> Tensor:
    """Double ``[N, C, H, W]``: a row, times a matrix of zeros and ones, becomes two rows twice
    as long.
    """
    doubled = paddle.matmul(x.reshape([-1, x.shape[3]]), _doubling(x.shape[3], x.dtype))
    return doubled.reshape([*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3]])


def add_doubled_in_place(y: Tensor, x: Tensor) -> Tensor:
    """Add ``up2(x)`` to ``y`` in place; without a gradient."""
    rows, twice = x.reshape([-1, x.shape[3]]), _doubling(x.shape[3], x.dtype)
    return y.reshape([-1, 4 * x.shape[3]]).addmm_(rows, twice).reshape(y.shape)


class Doubled(PyLayer):
    """:func:`double_by_product`, whose backward pass keeps no map: it needs the matrix alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.shape = x.shape
        return double_by_product(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        width = ctx.shape[3]
        twice = _doubling(width, gradient.dtype)
        rows = paddle.matmul(gradient.reshape([-1, 4 * width]), twice, transpose_y=True)
        return rows.reshape(ctx.shape)


@functools.lru_cache(maxsize=32)
def _doubling(width: int, dtype: Any) -> Tensor:
    """Return the matrix ``[width, 4 width]`` that turns one row into two rows twice as long."""
    row = np.repeat(np.eye(width), 2, axis=1)
    return paddle.to_tensor(np.tile(row, 2), dtype=dtype, place=paddle.CPUPlace())
