"""Dual convolution: grouped and 1x1 kernels side by side."""

from __future__ import annotations

from typing import Any

from paddle import Tensor, nn

from paddle_oct.nn.arguments import FromArray, Size2, positive_int

from .light_conv import ConvArguments, MixedConv2D, PaddingMode


class DualConv(MixedConv2D):
    """Grouped k x k and dense 1x1 kernels over the same map, added (arXiv:2202.07481, Fig. 2).

    With ``M`` input and ``N`` output channels there are ``k^2 M N / groups + M N`` weights; the
    1x1 kernels carry information between the groups.

    Args:
        in_channels, out_channels: as in ``paddle.nn.Conv2D``.
        groups (int): of the k x k kernels; it divides both channel counts.
        kernel_size (int|tuple|list): odd.
        stride, padding, dilation, padding_mode: as in ``paddle.nn.Conv2D``. The 1x1 kernels lie in
            the middle of the k x k ones.
        weight_attr (ParamAttr|None): as in ``paddle.nn.Conv2D``. An initialiser is given the shape
            ``[N, k^2 M / groups + M, 1, 1]`` of all weights, the k x k kernels first, so its fan-in
            is the number of weights of a whole filter.
        bias_attr (ParamAttr|bool|None): as in ``paddle.nn.Conv2D``: one bias per output channel.

    Shape: ``[N, C, H, W]``, as in ``paddle.nn.Conv2D``.

    Raises:
        TypeError, ValueError: an argument is out of range, or the input does not fit.

    Examples:
        >>> import paddle
        >>> from paddle_oct import DualConv
        >>> layer = DualConv(64, 128, groups=4, stride=2, padding=1)
        >>> list(layer(paddle.rand([1, 64, 33, 20])).shape)
        [1, 128, 17, 10]
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        groups: int,
        kernel_size: Size2 = 3,
        stride: Size2 = 1,
        padding: Any = 0,
        dilation: Size2 = 1,
        *,
        padding_mode: PaddingMode = "zeros",
        weight_attr: Any = None,
        bias_attr: Any = None,
    ) -> None:
        self.groups = positive_int(groups, "DualConv: groups")
        super().__init__(
            ConvArguments(
                in_channels, out_channels, kernel_size, stride, padding, dilation, padding_mode
            )
        )
        if self.in_channels % self.groups or self.out_channels % self.groups:
            self._fail(
                f"groups must divide in_channels={self.in_channels} and "
                f"out_channels={self.out_channels}"
            )
        height, width = self.kernel_size
        wide, point = self._draw(
            [height * width * self.in_channels // self.groups, self.in_channels], weight_attr
        )
        self.wide = self._wide(self.in_channels, wide, self.groups, weight_attr, bias_attr)
        self.pointwise = nn.Conv2D(
            self.in_channels,
            self.out_channels,
            1,
            weight_attr=self._part_attr(
                weight_attr, "pointwise", FromArray(point[:, :, None, None])
            ),
            bias_attr=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        self._check_input(x)
        x = self._pad(x)
        return self.wide(x) + self.pointwise(self._middles(x))

    def _own_options(self) -> str:
        return f", groups={self.groups}"
