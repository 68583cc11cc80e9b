"""Octave convolution with norm and activation."""

from __future__ import annotations

from typing import Any, Callable

from paddle import Tensor, nn

from paddle_oct.base.private_tracing import called_whole

from . import fast
from .arguments import Size2, in_paddles_names, layer_factory
from .feature import OctaveFeature, map_bands
from .octave_conv import OctaveConv

LayerFactory = Callable[..., nn.Layer]


@called_whole
class Conv_BN(nn.Layer):
    """Octave convolution, then one norm per band.

    Sub-layers: ``conv``, ``bn_h``, ``bn_l``; the norm of an absent band is absent.

    Args:
        in_channels, out_channels, kernel_size, alpha_in, alpha_out, stride, padding, dilation,
        groups, bias_attr: as in :class:`OctaveConv`.
        norm_layer (Callable): makes the norm of a band from its channel count.
        **conv_options: what else :class:`OctaveConv` takes by keyword (``downsample``, ``h2l``,
            ``l2h``, ``weight_attr``, ``padding_mode``, ``conv_layer``).

    Shape: as in :class:`OctaveConv`; the output is always a pair.

    Raises:
        TypeError, ValueError: as :class:`OctaveConv`.
    """

    @in_paddles_names
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size2,
        alpha_in: float = 0.5,
        alpha_out: float = 0.5,
        stride: Size2 = 1,
        padding: Any = 0,
        dilation: Size2 = 1,
        groups: int = 1,
        bias_attr: Any = False,
        norm_layer: LayerFactory = nn.BatchNorm2D,
        **conv_options: Any,
    ) -> None:
        super().__init__()
        self.conv = OctaveConv(
            in_channels,
            out_channels,
            kernel_size,
            alpha_in,
            alpha_out,
            stride,
            padding,
            dilation,
            groups,
            bias_attr,
            **conv_options,
        )
        layer_factory(norm_layer, "Conv_BN: norm_layer", "paddle.nn.BatchNorm2D")
        high, low = self.conv.out_bands
        self.bn_h = norm_layer(high) if high else None
        self.bn_l = norm_layer(low) if low else None

    def forward(self, x: Tensor | OctaveFeature) -> OctaveFeature:
        return map_bands(self.bn_h, self.conv(x), self.bn_l)


class Conv_BN_ACT(Conv_BN):
    """Octave convolution, then one norm and one activation per band.

    The other arguments are those of :class:`Conv_BN`, in its order; ``activation_layer`` follows
    ``norm_layer``.

    Args:
        activation_layer (Callable): makes the activation, without arguments. Both bands share it.
    """

    @in_paddles_names
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size2,
        alpha_in: float = 0.5,
        alpha_out: float = 0.5,
        stride: Size2 = 1,
        padding: Any = 0,
        dilation: Size2 = 1,
        groups: int = 1,
        bias_attr: Any = False,
        norm_layer: LayerFactory = nn.BatchNorm2D,
        activation_layer: LayerFactory = nn.ReLU,
        **conv_options: Any,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            alpha_in,
            alpha_out,
            stride,
            padding,
            dilation,
            groups,
            bias_attr,
            norm_layer,
            **conv_options,
        )
        layer_factory(activation_layer, "Conv_BN_ACT: activation_layer", "paddle.nn.ReLU")
        self.act = activation_layer()

    def forward(self, x: Tensor | OctaveFeature) -> OctaveFeature:
        high, low = super().forward(x)
        return (
            None if high is None else fast.activate(self.act, high, made_by=self.bn_h),
            None if low is None else fast.activate(self.act, low, made_by=self.bn_l),
        )
