"""Sums and activations in eager mode on a CPU, where their form differs from a program's.

A program (``to_static``, ONNX) gets the plain form of everything: its compiler plans memory. In
eager mode a large result costs more in fresh pages than in arithmetic: at ``[8, 128, 56, 56]`` an
addition takes 5 ms, the same addition in place 0.2 ms. So a result that nobody else holds is
overwritten. What a layer returned that somebody watches through a hook is left alone.

Up-sampling is a product there: a row of the low map times a matrix of zeros and ones is a row twice
as long, two times, and a product can be added to what is in place (:func:`plus_up2`).
``benchmarks/RESULTS.md`` has the measurements.
"""

from __future__ import annotations

import functools
from typing import Callable

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from ..feature import OctaveFeature, map_bands, runs_eagerly, up2
from .saved import with_saved

# Their gradients do not need what they returned, so it may be overwritten in training too.
_KEEPS_NO_OUTPUT = (nn.BatchNorm2D, nn.SyncBatchNorm)

DTYPES = (paddle.float32, paddle.float64)  # of the maps that take another form than the plain one

WIDTH_BOUND = 128  # of a low map; with more of it the zeros cost what the passes do


def watched(layer: nn.Layer) -> bool:
    """Whether somebody watches a layer, or a part of it, through a hook."""
    if layer._forward_pre_hooks or layer._forward_post_hooks:
        return True
    parts = layer._sub_layers
    return bool(parts) and any(watched(part) for part in parts.values() if part is not None)


def plus(y: Tensor, x: Tensor, source: nn.Layer, keeps_output: bool = True) -> Tensor:
    """Return ``y + x``, in the place of ``y`` where that is free.

    Args:
        y: what ``source`` has just returned and nothing else will read.
        x: what to add to it.
        source: the layer that made ``y``.
        keeps_output: whether the gradient of ``source`` may need what it returned. That of a
            convolution does not.
    """
    if not runs_eagerly():
        return y + x
    free = (
        _overwrites(y, source)
        and y.dtype == x.dtype
        and y.shape == x.shape
        and not (keeps_output and paddle.is_grad_enabled())
    )
    return y.add_(x) if free else y + x


def plus_up2(y: Tensor, x: Tensor, source: nn.Layer) -> Tensor:
    """Return ``y + up2(x, like=y)``, in the place of ``y`` where that is free.

    Args:
        y, source: as in :func:`plus`, of a convolution.
        x: the low-frequency map to up-sample. An infinite value in it makes its row NaN.
    """
    if not (_doubles_by_product(x, y) and _overwrites(y, source)):
        return plus(y, up2(x, like=y), source, keeps_output=False)
    width = x.shape[3]
    rows, twice = x.reshape([-1, width]), _twice(width, x.dtype)
    if not paddle.is_grad_enabled():
        return y.reshape([-1, 4 * width]).addmm_(rows, twice).reshape(y.shape)
    # Its gradient keeps the rows, but reads only the matrix, which is constant.
    unread = functools.partial(paddle.expand, shape=rows.shape)
    doubled = with_saved(lambda: paddle.matmul(rows, twice), twice[:1, :1], unread, drop=rows)
    return plus(y, doubled.reshape(y.shape), source, keeps_output=False)


@paddle.jit.not_to_static
def _doubles_by_product(x: Tensor, y: Tensor) -> bool:
    if not runs_eagerly() or x.dtype not in DTYPES or y.dtype != x.dtype:
        return False
    batch, channels, height, width = x.shape
    return (
        y.shape == [batch, channels, 2 * height, 2 * width]
        and 0 < width <= WIDTH_BOUND
        and batch * channels * height > 0
    )


@functools.lru_cache(maxsize=32)
def _twice(width: int, dtype: paddle.dtype) -> Tensor:
    """Return the matrix ``[width, 4 width]`` that makes a row of a map the two of the doubled."""
    row = np.repeat(np.eye(width), 2, axis=1)
    return paddle.to_tensor(np.tile(row, 2), dtype=dtype, place=paddle.CPUPlace())


def activate(
    act: nn.Layer, x: OctaveFeature, norms: tuple[nn.Layer | None, nn.Layer | None] = (None, None)
) -> OctaveFeature:
    """Return ``act`` of both bands, in the place of ``x`` where that is free.

    Args:
        act: the activation.
        x: what ``norms`` have just returned and nothing else will read.
        norms: the layers that made the bands of ``x``; none for a sum.
    """
    return map_bands(_form_of(act, x[0], norms[0]), x, _form_of(act, x[1], norms[1]))


def _form_of(act: nn.Layer, x: Tensor | None, norm: nn.Layer | None) -> Callable:
    if not runs_eagerly() or type(act) is not nn.ReLU or x is None:
        return act
    keeps_no_output = norm is None or type(norm) in _KEEPS_NO_OUTPUT
    return _relu_in_place if keeps_no_output and _overwrites(x, act, norm) else act


def _relu_in_place(x: Tensor) -> Tensor:
    # Asked again: to_static may trace this alone, and warns of operations in place.
    return F.relu_(x) if runs_eagerly() else F.relu(x)


def _overwrites(x: Tensor, *layers: nn.Layer | None) -> bool:
    """Whether ``x`` may be overwritten if only these layers had a hand in it."""
    seen = any(watched(layer) for layer in layers if layer is not None)
    return x.place.is_cpu_place() and not seen
