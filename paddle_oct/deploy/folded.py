"""The octave convolution as it is deployed: the norms of its output are folded into its kernels.

The equation is that of :class:`~paddle_oct.nn.OctaveLayer`. One variant of it was measured to be
faster on the engines (``benchmarks/RESULTS.md``): a 1x1 convolution whose high output has at least
four times the channels of a narrow low input (the last of a residual block, in the early stages)
up-samples that input, not its output. This costs a few more multiplications and saves two passes
over the widest map of the block.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import paddle
from paddle import Tensor, nn

from paddle_oct.base.private import conv_settings
from paddle_oct.base.private_tracing import called_whole
from paddle_oct.nn import OctaveConv, OctaveFeature, OctaveLayer, fast, map_bands, up2

NARROW = 32  # channels of the low input; with more, the multiplications cost more than the passes


class Affine(NamedTuple):
    """``y = scale * x + shift`` per channel, both ``[C]``: what a norm is at inference."""

    scale: np.ndarray
    shift: np.ndarray


Affines = Tuple[Optional[Affine], Optional[Affine]]


def new_conv(like: nn.Conv2D, weight: np.ndarray, bias: np.ndarray | None) -> nn.Conv2D:
    """Return a convolution with the settings of another and other parameters.

    Args:
        like: gives kernel size, stride, padding, dilation and groups.
        weight: ``[out, in / groups, kh, kw]``.
        bias: ``[out]``, or None for no bias.
    """
    settings = conv_settings(like)
    conv = nn.Conv2D(
        weight.shape[1] * settings.groups,
        weight.shape[0],
        settings.kernel_size,
        stride=settings.stride,
        padding=settings.padding,
        dilation=settings.dilation,
        groups=settings.groups,
        padding_mode=settings.padding_mode,
        bias_attr=None if bias is not None else False,
    )
    dtype = "float64" if like.weight.dtype == paddle.float64 else "float32"
    conv.to(dtype=dtype)
    conv.weight.set_value(np.ascontiguousarray(weight, dtype=dtype))
    if bias is not None:
        conv.bias.set_value(np.ascontiguousarray(bias, dtype=dtype))
    conv.eval()
    return conv


def scaled(conv: nn.Conv2D, affine: Affine | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return weight and bias of a convolution with an affine map of its output folded in."""
    weight = conv.weight.numpy().astype(np.float64)
    bias = None if conv.bias is None else conv.bias.numpy().astype(np.float64)
    if affine is None:
        return weight, bias
    weight = weight * affine.scale.reshape(-1, 1, 1, 1)
    return weight, affine.shift + (0 if bias is None else bias * affine.scale)


def fold_octave_conv(conv: OctaveConv, affines: Affines = (None, None)) -> OctaveLayer:
    """Return an octave convolution for inference, in the implementation that engines run fastest.

    Args:
        conv: the layer to replace; it is not changed.
        affines: the norms of the high and of the low band of its output.
    """
    widens = (
        conv.plan.up_l2h
        and conv.conv_h2h is not None
        and conv.conv_l2h is not None
        and conv.groups == 1
        and conv.kernel_size == [1, 1]
        and 4 * conv.in_bands[1] <= conv.out_bands[0]
        and conv.in_bands[1] <= NARROW
    )
    return WideningOctaveConv(conv, affines) if widens else FoldedOctaveConv(conv, affines)


class _DeployedConv(OctaveLayer):
    """The equation with the second path of each band computed first, then the one it is added to.

    ONNX Runtime computes in the order of the file, and this order is faster there; in eager mode
    the other one is (``benchmarks/RESULTS.md``).
    """

    # Nothing below depends on the values of Tensors or is the user's: Paddle need not rewrite it,
    # which was most of the time of an export.
    @paddle.jit.not_to_static
    def forward(self, x: Any) -> OctaveFeature:
        return super().forward(x)

    def high_output(self, high: Any, low: Any) -> Tensor | None:
        from_low = fast.convolve(self.conv_l2h, low)
        return self.sum_high(fast.convolve(self.conv_h2h, high), from_low, high)

    def low_output(self, high: Any, low: Any) -> Tensor | None:
        from_high = fast.convolve(self.conv_h2l, high, pool=self.plan.pool_h2l)
        from_low = fast.convolve(self.conv_l2l, low, pool=self.plan.pool_l2l)
        return fast.add(from_low, from_high, made_by=self.conv_l2l)


class FoldedOctaveConv(_DeployedConv):
    """An octave convolution with the norms of its output folded in; for inference alone.

    Args:
        conv (OctaveConv): the layer that it replaces; it is not changed.
        affines: the norms of the high and of the low band of its output.

    Shape: as in :class:`~paddle_oct.OctaveConv`.
    """

    def __init__(self, conv: OctaveConv, affines: Affines) -> None:
        high = _fold({"h2h": conv.conv_h2h, "l2h": conv.conv_l2h}, affines[0])
        low = _fold({"h2l": conv.conv_h2l, "l2l": conv.conv_l2l}, affines[1])
        super().__init__(conv.plan, {**high, **low})


class WideningOctaveConv(_DeployedConv):
    """The same, with ``Y_H = conv([X_H, up2(X_L)]; [W_hh, W_lh])`` as one convolution."""

    def __init__(self, conv: OctaveConv, affines: Affines) -> None:
        super().__init__(conv.plan, _fold({"h2l": conv.conv_h2l, "l2l": conv.conv_l2l}, affines[1]))
        self.conv_high = _join([conv.conv_h2h, conv.conv_l2h], affines[0])

    def high_output(self, high: Any, low: Any) -> Tensor:
        return self.conv_high(paddle.concat([high, up2(low, like=high)], axis=1))


@called_whole
class FoldedConvBN(nn.Layer):
    """What remains of ``Conv_BN`` or ``Conv_BN_ACT``: the folded convolution and the activation."""

    def __init__(self, conv: OctaveLayer, act: nn.Layer | None = None) -> None:
        super().__init__()
        self.conv = conv
        self.act = act

    def forward(self, x: Any) -> OctaveFeature:
        y = self.conv(x)
        return y if self.act is None else map_bands(self.act, y)


def _join(convs: Sequence[Any], affine: Affine | None) -> nn.Conv2D:
    """Return one convolution of the concatenated inputs that equals the sum of several."""
    weights, biases = zip(*(scaled(conv, affine) for conv in convs))
    return new_conv(convs[0], np.concatenate(weights, axis=1), _sum_of_biases(biases, affine))


def _fold(convs: dict[str, Any], affine: Affine | None) -> dict[str, nn.Layer]:
    """Fold the norm of a sum of convolutions into each of them; the first gets the whole bias."""
    present = {name: conv for name, conv in convs.items() if conv is not None}
    parameters = {name: scaled(conv, affine) for name, conv in present.items()}
    bias = _sum_of_biases([bias for _, bias in parameters.values()], affine)
    first = next(iter(present), None)
    return {
        name: new_conv(conv, parameters[name][0], bias if name == first else None)
        for name, conv in present.items()
    }


def _sum_of_biases(biases: Sequence[np.ndarray | None], affine: Affine | None) -> np.ndarray | None:
    """Return the bias of a sum of convolutions; the shift, which is in every bias, counts once."""
    present = [bias for bias in biases if bias is not None]
    if not present:
        return None
    repeated = (len(present) - 1) * (0 if affine is None else affine.shift)
    return np.sum(present, axis=0) - repeated
