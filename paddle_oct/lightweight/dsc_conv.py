"""Depthwise separable convolution."""

from __future__ import annotations

from typing import Any

from paddle import Tensor, nn
from paddle.nn.initializer import Normal

from paddle_oct.nn.arguments import Size2

from .light_conv import ConvArguments, LightConv2D, PaddingMode


class DSCConv(LightConv2D):
    """Depthwise separable convolution: one k x k kernel per channel, then a 1x1 convolution.

    This layer is the convolution alone. For a norm and an activation between the two, as in
    MobileNet, use two ``Conv_BN_ACT``.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, padding_mode: as in
            ``paddle.nn.Conv2D``; the 1x1 convolution has neither stride nor padding.
        weight_attr (ParamAttr|None): of the 1x1 kernels, as in ``paddle.nn.Conv2D``.
        bias_attr (ParamAttr|bool|None): as in ``paddle.nn.Conv2D``: one bias per output channel.
        depthwise_attr (ParamAttr|None): of the k x k kernels. By default as ``weight_attr``, but
            initialised so that their output has the variance of their input.

    Shape: ``[N, C, H, W]``, as in ``paddle.nn.Conv2D``.

    Raises:
        TypeError, ValueError: an argument is out of range, or the input does not fit.

    Examples:
        >>> from paddle_oct import DSCConv
        >>> layer = DSCConv(5, 10, 3, padding=1, bias_attr=False)
        >>> sum(int(weight.size) for weight in layer.parameters())  # 450 in nn.Conv2D
        95
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size2 = 3,
        stride: Size2 = 1,
        padding: Any = 0,
        dilation: Size2 = 1,
        *,
        padding_mode: PaddingMode = "zeros",
        weight_attr: Any = None,
        bias_attr: Any = None,
        depthwise_attr: Any = None,
    ) -> None:
        super().__init__(
            ConvArguments(
                in_channels, out_channels, kernel_size, stride, padding, dilation, padding_mode
            )
        )
        if depthwise_attr is None:
            std = (self.kernel_size[0] * self.kernel_size[1]) ** -0.5
            depthwise_attr = self._part_attr(weight_attr, "depthwise", Normal(0.0, std))
        self.depthwise = nn.Conv2D(
            self.in_channels,
            self.in_channels,
            self.kernel_size,
            stride=self.stride,
            padding=padding,
            dilation=self.dilation,
            groups=self.in_channels,
            padding_mode=padding_mode,
            weight_attr=depthwise_attr,
            bias_attr=False,
        )
        self.pointwise = nn.Conv2D(
            self.in_channels, self.out_channels, 1, weight_attr=weight_attr, bias_attr=bias_attr
        )

    def forward(self, x: Tensor) -> Tensor:
        self._check_input(x)
        return self.pointwise(self.depthwise(x))
