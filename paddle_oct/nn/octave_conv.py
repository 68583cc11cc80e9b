"""The octave convolution."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional, Union

import numpy as np
from paddle import Tensor, nn

from paddle_oct.base.private_tracing import called_whole

from . import fast
from .arguments import Size2, in_paddles_names, layer_factory
from .feature import OctaveFeature, as_bands
from .initialisation import block_of_kernel, path_attributes
from .plan import Downsample, OctavePlan, Padding, plan_octave_conv

Band = Optional[Tensor]


@called_whole
class OctaveLayer(nn.Layer):
    """The equation of the octave convolution, whatever its four convolutions are.

    Args:
        plan (OctavePlan): what the arguments decide.
        convs (dict): the convolution of every path of the plan, by the path's name. They become the
            sub-layers ``conv_h2h``, ``conv_h2l``, ``conv_l2h``, ``conv_l2l``; an absent one is
            ``None``.

    Shape: as in :class:`OctaveConv`.
    """

    def __init__(self, plan: OctavePlan, convs: Mapping[str, nn.Layer]) -> None:
        super().__init__()
        self.plan = plan
        self.in_bands, self.out_bands = plan.in_bands, plan.out_bands
        wanted = plan.arguments
        self.in_channels, self.out_channels = wanted.in_channels, wanted.out_channels
        self.alpha_in, self.alpha_out = wanted.alpha_in, wanted.alpha_out
        self.kernel_size, self.stride = list(wanted.kernel_size), list(wanted.stride)
        self.groups, self.is_depthwise = wanted.groups, wanted.is_depthwise
        self.conv_h2h = convs.get("h2h")
        self.conv_h2l = convs.get("h2l")
        self.conv_l2h = convs.get("l2h")
        self.conv_l2l = convs.get("l2l")

    def forward(self, x: Union[Tensor, OctaveFeature]) -> OctaveFeature:
        high, low = as_bands(x, self.in_bands, self)
        if self.plan.is_vanilla and self.conv_h2h is not None:
            return self.conv_h2h(high), None  # paddle.nn.Conv2D, to the last bit
        if self.plan.pool_input and high is not None:
            high = fast.down2(high)
        return self.high_output(high, low), self.low_output(high, low)

    def high_output(self, high: Band, low: Band) -> Band:
        """Return ``conv(X_H; W_hh) + up2(conv(X_L; W_lh))``, at stride 2 without ``up2``."""
        from_high = fast.convolve(self.conv_h2h, high)
        return self.sum_high(from_high, fast.convolve(self.conv_l2h, low), high)

    def low_output(self, high: Band, low: Band) -> Band:
        """Return ``conv(X_L; W_ll) + conv(pool2(X_H); W_hl)``, at stride 2 of ``pool2(X_L)``."""
        from_low = fast.convolve(self.conv_l2l, low, pool=self.plan.pool_l2l)
        from_high = fast.convolve(self.conv_h2l, high, pool=self.plan.pool_h2l)
        return fast.add(from_low, from_high, made_by=self.conv_l2l)

    def sum_high(self, from_high: Band, from_low: Band, high: Band) -> Band:
        """Add what the two paths into the high band return; ``high`` is the map of its size."""
        if self.plan.up_l2h:
            return fast.add_up2(from_high, from_low, made_by=self.conv_h2h, like=high)
        return fast.add(from_high, from_low, made_by=self.conv_h2h)

    def extra_repr(self) -> str:
        return str(self.plan.arguments)


class OctaveConv(OctaveLayer):
    r"""Octave convolution (Chen et al., arXiv:1904.05049, Eq. 2 and Fig. 2).

    With ``pool2`` the 2x2 average and ``up2`` nearest-neighbour up-sampling, at stride 1::

        Y_H = conv(X_H; W_hh) + up2(conv(X_L; W_lh))
        Y_L = conv(X_L; W_ll) + conv(pool2(X_H); W_hl)

    and at stride 2, after ``X_H <- pool2(X_H)``::

        Y_H = conv(X_H; W_hh) + conv(X_L; W_lh)
        Y_L = conv(pool2(X_L); W_ll) + conv(pool2(X_H); W_hl)

    The four kernels are the four blocks of one ordinary kernel, so there are as many parameters as
    in ``paddle.nn.Conv2D`` and at most one bias per output channel, and they are initialised as
    blocks of one draw of that kernel, whatever the initialiser. With ``alpha_in == alpha_out == 0``
    the layer is ``paddle.nn.Conv2D``.

    Args:
        in_channels (int): channels of the input, both bands together.
        out_channels (int): channels of the output, both bands together.
        kernel_size (int|tuple|list): as in ``paddle.nn.Conv2D``.
        alpha_in (float): the share of low-frequency channels of the input, in [0, 1].
        alpha_out (float): the same of the output.
        stride (int|tuple|list): 1 or 2; with a single band that is not pooled, anything
            ``paddle.nn.Conv2D`` takes.
        padding (int|str|tuple|list): as in ``paddle.nn.Conv2D``. Unless there is a single band, it
            must keep the size: ``dilation * (kernel_size - 1) / 2``.
        dilation (int|tuple|list): as in ``paddle.nn.Conv2D``.
        groups (int): every path uses this many groups, so each band must divide by it. With
            ``groups == in_channels > 1`` the layer is depthwise: the bands do not exchange
            information, and ``alpha_in`` must equal ``alpha_out``.
        bias_attr (ParamAttr|bool|None): as in ``paddle.nn.Conv2D``, but without a bias by default.
        weight_attr (ParamAttr|None): as in ``paddle.nn.Conv2D``. An initialiser is given the shape
            of the whole kernel. A name is completed with the path, as in ``NAME_h2l``.
        padding_mode (str): as in ``paddle.nn.Conv2D``.
        downsample (str|None): how a map is halved, for the stride and on the way from high to low:
            ``"avg_pool"``, the paper's choice, or ``"strided_conv"`` (compared in Table 3), where
            h2l is a convolution of twice the layer's stride. By default average pooling where a
            low band is involved, and the stride of ``paddle.nn.Conv2D`` where none is.
        h2l (bool): whether the path from high to low exists (off: an ablation of Table 3).
        l2h (bool): whether the path from low to high exists.
        conv_layer (Callable): makes the convolution of each path in place of ``paddle.nn.Conv2D``,
            from its arguments but ``groups``: ``functools.partial(HetConv, p=4)``, for example. The
            paths are then no longer blocks of one kernel; each is initialised as ``conv_layer``
            does it, scaled so that two paths together have the variance of a whole.

    Shape:
        - input: a pair ``(high, low)`` of ``[N, C - C_l, H, W]`` and
          ``[N, C_l, ceil(H / 2), ceil(W / 2)]`` with ``C_l = int(alpha_in * C)``, any H and W; a
          band without channels is ``None``. One Tensor will do where only one band exists.
        - output: always a pair, of size ``ceil(H / stride)``. Where the input has no high band but
          the output has, H is twice the height of the input's low band, and W twice its width.

    Raises:
        TypeError, ValueError: at construction, for arguments that are out of range or would leave
            the two bands misaligned; in ``forward``, for an input that does not fit.

    Examples:
        >>> import paddle
        >>> from paddle_oct import OctaveConv
        >>> first = OctaveConv(3, 16, kernel_size=3, alpha_in=0, alpha_out=0.25, padding=1)
        >>> high, low = first(paddle.rand([1, 3, 225, 225]))
        >>> print(list(high.shape), list(low.shape))
        [1, 12, 225, 225] [1, 4, 113, 113]
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
        padding: Padding = 0,
        dilation: Size2 = 1,
        groups: int = 1,
        bias_attr: Any = False,
        *,
        weight_attr: Any = None,
        padding_mode: str = "zeros",
        downsample: Downsample | None = None,
        h2l: bool = True,
        l2h: bool = True,
        conv_layer: Callable[..., nn.Layer] = nn.Conv2D,
    ) -> None:
        plan = plan_octave_conv(
            in_channels,
            out_channels,
            kernel_size,
            alpha_in,
            alpha_out,
            stride,
            padding,
            dilation,
            groups,
            padding_mode=padding_mode,
            downsample=downsample,
            h2l=h2l,
            l2h=l2h,
        )
        super().__init__(plan, _make_convolutions(plan, weight_attr, bias_attr, conv_layer))

    def split_kernel(self, kernel: np.ndarray) -> dict[str, np.ndarray]:
        """Cut a whole kernel into those of the paths, high channels first (paper, Fig. 2b).

        Args:
            kernel: that of the vanilla convolution,
                ``[out_channels, in_channels / groups, height, width]``.

        Returns:
            The kernel of every path that there is, by the name of the sub-layer.
        """
        return {
            f"conv_{path.name}": block_of_kernel(self.plan, path, kernel)
            for path in self.plan.paths
        }


def _make_convolutions(
    plan: OctavePlan, weight_attr: Any, bias_attr: Any, conv_layer: Callable[..., nn.Layer]
) -> dict[str, nn.Layer]:
    """Make the convolution of every path."""
    wanted = plan.arguments
    if weight_attr is False:
        raise ValueError(
            f"OctaveConv({wanted}): weight_attr can't be False, a convolution has a kernel"
        )
    layer_factory(conv_layer, "OctaveConv: conv_layer", "paddle.nn.Conv2D")
    takes_groups = conv_layer is nn.Conv2D
    if wanted.groups > 1 and not takes_groups:
        raise ValueError(
            f"OctaveConv({wanted}): groups belong to the conv_layer, as in "
            "partial(DualConv, groups=4)"
        )
    attributes = path_attributes(plan, weight_attr, bias_attr, conv_layer)
    return {
        path.name: conv_layer(
            path.in_channels,
            path.out_channels,
            kernel_size=list(wanted.kernel_size),
            stride=list(path.stride),
            padding=wanted.padding,
            dilation=list(wanted.dilation),
            padding_mode=wanted.padding_mode,
            weight_attr=attributes[path.name].weight,
            bias_attr=attributes[path.name].bias,
            **({"groups": path.groups} if takes_groups else {}),
        )
        for path in plan.paths
    }
