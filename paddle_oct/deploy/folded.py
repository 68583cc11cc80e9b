"""The octave convolution as it is deployed: without norms, in the form that engines run fastest.

This is the one place where that form is chosen. ``benchmarks/RESULTS.md`` has the measurements.

* A 1x1 convolution that widens a narrow map four times (the last of a residual block, in the early
  stages) up-samples its input in place of its output. That costs a few multiplications more and
  saves two passes over the widest map of the block.
* Everywhere else, one convolution per path: engines add the first to the second as they compute it.
* What is added comes first: l2h before h2h, h2l before l2l. ONNX Runtime runs them in this order,
  and is faster for it.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

import numpy as np
import paddle
from paddle import Tensor, nn

from paddle_oct.nn import OctaveConv, OctaveFeature, down2, map_bands, up2
from paddle_oct.nn.feature import as_bands


class Affine(NamedTuple):
    """``y = scale * x + shift`` per channel, which is what a norm is at inference."""

    scale: np.ndarray
    shift: np.ndarray


NARROW = 32  # channels; with more of them the multiplications cost more than the passes

Affines = Tuple[Optional[Affine], Optional[Affine]]


def new_conv(like: nn.Conv2D, weight: np.ndarray, bias: np.ndarray | None) -> nn.Conv2D:
    """Return a convolution with the settings of ``like`` and other parameters.

    Args:
        like: gives kernel size, stride, padding, dilation and groups.
        weight: ``[out, in / groups, kh, kw]``.
        bias: ``[out]``, or None for none.
    """
    conv = nn.Conv2D(
        weight.shape[1] * like._groups,
        weight.shape[0],
        like._kernel_size,
        stride=like._stride,
        padding=like._padding,
        dilation=like._dilation,
        groups=like._groups,
        padding_mode=like._padding_mode,
        bias_attr=None if bias is not None else False,
    )
    conv.weight.set_value(np.ascontiguousarray(weight, dtype=np.float32))
    if bias is not None:
        conv.bias.set_value(np.ascontiguousarray(bias, dtype=np.float32))
    conv.eval()
    return conv


def scaled(conv: nn.Conv2D, affine: Affine | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return weight and bias of a convolution that is followed by an affine map."""
    weight = conv.weight.numpy().astype(np.float64)
    bias = None if conv.bias is None else conv.bias.numpy().astype(np.float64)
    if affine is None:
        return weight, bias
    weight = weight * affine.scale.reshape(-1, 1, 1, 1)
    return weight, affine.shift + (0 if bias is None else bias * affine.scale)


class FoldedOctaveConv(nn.Layer):
    """An octave convolution for inference alone, with the norms of its output folded in.

    Args:
        conv (OctaveConv): the layer that it replaces; it is not changed.
        affines: what follows on the high and on the low band of its output.

    Shape: as in :class:`~paddle_oct.OctaveConv`.
    """

    def __init__(self, conv: OctaveConv, affines: Affines = (None, None)) -> None:
        super().__init__()
        self.in_bands = conv.in_bands
        self.out_bands = conv.out_bands
        self.described = conv.extra_repr()
        self.pool_stride = conv._pool_stride
        self.pool_h2l = conv._pool_h2l
        self.up_l2h = conv._up_l2h

        paths = {name: getattr(conv, f"conv_{name}") for name in ("h2h", "l2h", "h2l", "l2l")}
        self.up_first = (
            self.up_l2h
            and conv.groups == 1
            and paths["h2h"] is not None
            and paths["l2h"] is not None
            and conv.kernel_size == [1, 1]
            and 4 * self.in_bands[1] <= self.out_bands[0]
            and self.in_bands[1] <= NARROW
        )
        if self.up_first:
            self.conv_high = _joined(paths["h2h"], paths["l2h"], affines[0])
        else:
            self.conv_h2h, self.conv_l2h = _pair(paths["h2h"], paths["l2h"], affines[0])
        self.conv_h2l, self.conv_l2l = _pair(paths["h2l"], paths["l2l"], affines[1])

    def forward(self, x) -> OctaveFeature:
        high, low = as_bands(x, self.in_bands, self)
        if self.pool_stride and high is not None:
            high = down2(high)
        if self.up_first:
            y_high = self.conv_high(paddle.concat([high, up2(low, like=high)], axis=1))
        else:
            from_low = _run(self.conv_l2h, low)
            if from_low is not None and self.up_l2h:
                from_low = up2(from_low, like=high)
            y_high = _sum(_run(self.conv_h2h, high), from_low)

        if self.conv_l2l is not None and self.pool_stride:
            low = down2(low)
        if self.conv_h2l is not None and self.pool_h2l:
            high = down2(high)
        from_high = _run(self.conv_h2l, high)
        return y_high, _sum(_run(self.conv_l2l, low), from_high)

    def extra_repr(self) -> str:
        return self.described


class FoldedConvBN(nn.Layer):
    """What remains of ``Conv_BN`` or ``Conv_BN_ACT``: the folded convolution and the activation."""

    def __init__(self, conv: FoldedOctaveConv, act: nn.Layer | None = None) -> None:
        super().__init__()
        self.conv = conv
        self.act = act

    def forward(self, x) -> OctaveFeature:
        y = self.conv(x)
        return y if self.act is None else map_bands(self.act, y)


def _joined(a: nn.Conv2D, b: nn.Conv2D, affine: Affine | None) -> nn.Conv2D:
    """One convolution of ``[x_a, x_b]`` in place of ``conv_a(x_a) + conv_b(x_b)``."""
    weights, biases = zip(*(scaled(conv, affine) for conv in (a, b)))
    return new_conv(a, np.concatenate(weights, axis=1), _one_bias(a, b, affine, biases))


def _pair(
    a: nn.Conv2D | None, b: nn.Conv2D | None, affine: Affine | None
) -> tuple[nn.Conv2D | None, nn.Conv2D | None]:
    """Both convolutions of an output band; the bias is on the first that there is."""
    convs = [conv for conv in (a, b) if conv is not None]
    if not convs:
        return None, None
    parameters = [scaled(conv, affine) for conv in convs]
    bias = _one_bias(a, b, affine, [bias for _, bias in parameters])
    folded = {
        conv: new_conv(conv, weight, bias if conv is convs[0] else None)
        for conv, (weight, _) in zip(convs, parameters)
    }
    return folded.get(a), folded.get(b)


def _one_bias(a, b, affine: Affine | None, biases) -> np.ndarray | None:
    """Add up the biases of two convolutions; the shift counts once."""
    present = [bias for bias in biases if bias is not None]
    if not present:
        return None
    repeated = (len(present) - 1) * (0 if affine is None else affine.shift)
    return np.sum(present, axis=0) - repeated


def _run(conv: nn.Conv2D | None, x: Tensor | None) -> Tensor | None:
    return None if conv is None else conv(x)


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    if a is None:
        return b
    return a if b is None else a + b
