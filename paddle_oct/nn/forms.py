"""Sums and activations in eager mode on a CPU, where their form differs from a program's.

A program (``to_static``, ONNX) gets the plain form of everything: its compiler plans memory. In
eager mode a large result costs more in fresh pages than in arithmetic: at ``[8, 128, 56, 56]`` an
addition takes 5 ms, the same addition in place 0.2 ms. So a result that nobody else holds is
overwritten. What a layer returned that somebody watches through a hook is left alone.
"""

from __future__ import annotations

from typing import Callable

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from .feature import OctaveFeature, map_bands, runs_eagerly

# Their gradients do not need what they returned, so it may be overwritten in training too.
_KEEPS_NO_OUTPUT = (nn.BatchNorm2D, nn.SyncBatchNorm)


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
