"""The octave convolution."""

from __future__ import annotations

from typing import Any, Callable, Literal, NamedTuple, NoReturn, Sequence, Union

import numpy as np
from paddle import Tensor, nn
from paddle.nn.initializer import Initializer, KaimingNormal

from .arguments import (
    FromArray,
    Scaled,
    Size2,
    as_array,
    derive_attr,
    eager_mode,
    layer_factory,
    padding_sides,
    positive_int,
    size2,
    switch,
)
from .fast.convolve import convolve
from .fast.forms import plus, plus_up2
from .feature import OctaveFeature, as_bands, check_alpha, down2, split_channels, up2

Downsample = Literal["avg_pool", "strided_conv"]


class _Path(NamedTuple):
    """One of the four convolutions: from a band (0 high, 1 low) to a band."""

    source: int
    target: int

    @property
    def name(self) -> str:
        return "hl"[self.source] + "2" + "hl"[self.target]


_PATHS = (_Path(0, 0), _Path(0, 1), _Path(1, 0), _Path(1, 1))
_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class OctaveConv(nn.Layer):
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
        stride (int|tuple|list): 1 or 2; with a single band, anything ``paddle.nn.Conv2D`` takes.
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
          the output has, that is twice the low band's size (once at stride 2).

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

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size2,
        alpha_in: float = 0.5,
        alpha_out: float = 0.5,
        stride: Size2 = 1,
        padding: Union[int, str, Sequence] = 0,
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
        super().__init__()
        self.in_channels = positive_int(in_channels, "OctaveConv: in_channels")
        self.out_channels = positive_int(out_channels, "OctaveConv: out_channels")
        self.groups = positive_int(groups, "OctaveConv: groups")
        self.kernel_size = size2(kernel_size, "OctaveConv: kernel_size")
        self.stride = size2(stride, "OctaveConv: stride")
        self.dilation = size2(dilation, "OctaveConv: dilation")
        self.padding = padding
        self.alpha_in = check_alpha(alpha_in, "OctaveConv: alpha_in")
        self.alpha_out = check_alpha(alpha_out, "OctaveConv: alpha_out")
        self.in_bands = split_channels(self.in_channels, self.alpha_in)
        self.out_bands = split_channels(self.out_channels, self.alpha_out)
        self.downsample = downsample

        paths = self._find_paths(switch(h2l, "OctaveConv: h2l"), switch(l2h, "OctaveConv: l2h"))
        self._check_groups()
        pooled = self._check_alignment()
        if padding_mode not in _PADDING_MODES:
            self._fail(f"padding_mode must be one of {_PADDING_MODES}, got {padding_mode!r}")
        if weight_attr is False:
            self._fail("weight_attr can't be False, a convolution has a kernel")
        layer_factory(conv_layer, "OctaveConv: conv_layer", "paddle.nn.Conv2D")

        # Pooling replaces the stride; without it the path to the low band strides once more.
        self._pool_stride = pooled and self.stride == [2, 2]
        self._pool_h2l = pooled
        self._up_l2h = self.stride == [1, 1]
        conv_stride = [1, 1] if self._pool_stride else self.stride
        h2l_stride = conv_stride if pooled else [2 * s for s in self.stride]

        options = {}
        if conv_layer is nn.Conv2D:
            options["groups"] = self.groups
        elif self.groups > 1:
            self._fail("groups belong to the conv_layer, as in partial(DualConv, groups=4)")
        attrs = self._path_attributes(paths, weight_attr, bias_attr, conv_layer)
        for path in _PATHS:
            if path not in paths:
                setattr(self, f"conv_{path.name}", None)
                continue
            stride_of_path = {"h2l": h2l_stride, "l2h": [1, 1]}.get(path.name, conv_stride)
            if self.is_depthwise:
                options["groups"] = self.in_bands[path.source]
            conv = conv_layer(
                self.in_bands[path.source],
                self.out_bands[path.target],
                kernel_size=self.kernel_size,
                stride=stride_of_path,
                padding=padding,
                dilation=self.dilation,
                padding_mode=padding_mode,
                weight_attr=attrs[path][0],
                bias_attr=attrs[path][1],
                **options,
            )
            setattr(self, f"conv_{path.name}", conv)

    @property
    def is_depthwise(self) -> bool:
        """Whether every input channel is filtered on its own."""
        return self.groups == self.in_channels > 1

    def split_kernel(self, kernel: np.ndarray) -> dict[str, np.ndarray]:
        """Cut a whole kernel into those of the paths, high channels first (paper, Fig. 2b).

        Args:
            kernel: that of the vanilla convolution,
                ``[out_channels, in_channels / groups, height, width]``.

        Returns:
            The kernel of every path that there is, by the name of the sub-layer.
        """
        names = {f"conv_{path.name}": path for path in _PATHS}
        present = {name: path for name, path in names.items() if getattr(self, name) is not None}
        return {name: self._block(path, kernel) for name, path in present.items()}

    def forward(self, x) -> OctaveFeature:
        high, low = as_bands(x, self.in_bands, self)
        if self._pool_stride and high is not None:
            high = down2(high)
        y_high = y_low = None

        if self.conv_h2h is not None:
            y_high = self._convolve(self.conv_h2h, high)
        if self.conv_l2h is not None:
            from_low = self._convolve(self.conv_l2h, low)
            if y_high is None:
                y_high = up2(from_low) if self._up_l2h else from_low
            elif self._up_l2h:
                y_high = plus_up2(y_high, from_low, self.conv_h2h)
            else:
                y_high = plus(y_high, from_low, self.conv_h2h, False)

        if self.conv_l2l is not None:
            y_low = self._convolve(self.conv_l2l, low, self._pool_stride)
        if self.conv_h2l is not None:
            from_high = self._convolve(self.conv_h2l, high, self._pool_h2l)
            y_low = from_high if y_low is None else plus(y_low, from_high, self.conv_l2l, False)
        return y_high, y_low

    def _convolve(self, conv: nn.Conv2D, x: Tensor, halve: bool = False) -> Tensor:
        # A network at alpha 0 is the vanilla one to the last bit, so it convolves as that does.
        vanilla = not (self.in_bands[1] or self.out_bands[1] or self.downsample == "avg_pool")
        return conv(x) if vanilla else convolve(conv, x, halve)

    def extra_repr(self) -> str:
        parts = [
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}",
            f"alpha_in={self.alpha_in:g}, alpha_out={self.alpha_out:g}",
        ]
        if self.stride != [1, 1]:
            parts.append(f"stride={self.stride}")
        if self.padding != 0:
            parts.append(f"padding={self.padding!r}")
        if self.dilation != [1, 1]:
            parts.append(f"dilation={self.dilation}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.downsample is not None:
            parts.append(f"downsample={self.downsample!r}")
        return ", ".join(parts)

    # -- construction ---------------------------------------------------------------------------

    def _fail(self, message: str) -> NoReturn:
        raise ValueError(f"OctaveConv({self.extra_repr()}): {message}")

    def _find_paths(self, h2l: bool, l2h: bool) -> list[_Path]:
        if self.is_depthwise and self.alpha_in != self.alpha_out:
            self._fail(
                "a depthwise convolution keeps channels in their band: alpha_in must be alpha_out"
            )
        wanted = {"h2h": True, "l2l": True, "h2l": h2l, "l2h": l2h}
        if self.is_depthwise:
            wanted.update(h2l=False, l2h=False)
        paths = [
            path
            for path in _PATHS
            if wanted[path.name] and self.in_bands[path.source] and self.out_bands[path.target]
        ]
        for band, name in enumerate(("high", "low")):
            if self.out_bands[band] and not any(path.target == band for path in paths):
                switch = "l2h" if band == 0 else "h2l"
                self._fail(
                    f"the {name} output band has no input; {switch} can't be switched off here"
                )
        return paths

    def _check_groups(self) -> None:
        if self.is_depthwise:
            for source, target in zip(self.in_bands, self.out_bands):
                if source and target % source:
                    self._fail(
                        f"depthwise: the output bands {self.out_bands} must be multiples of the "
                        f"input bands {self.in_bands} (high, low)"
                    )
            return
        for which, bands in (("input", self.in_bands), ("output", self.out_bands)):
            if any(channels % self.groups for channels in bands):
                self._fail(
                    f"groups={self.groups} must divide each band, but the {which} has {bands[0]} "
                    f"high and {bands[1]} low channels; choose another alpha or other groups"
                )

    def _check_alignment(self) -> bool:
        """Return whether maps are halved by pooling, after checking that the bands will line up."""
        if self.downsample not in (None, "avg_pool", "strided_conv"):
            self._fail("downsample must be 'avg_pool', 'strided_conv' or None")
        keeps_size = self._keeps_size()
        halving = self.stride in ([1, 1], [2, 2])
        low_alive = bool(self.in_bands[1] or self.out_bands[1])
        high_alive = bool(self.in_bands[0] or self.out_bands[0])

        if low_alive and high_alive:
            if not halving:
                self._fail("stride must be 1 or 2 where there are two bands")
            if not keeps_size:
                same = [d * (k - 1) / 2 for k, d in zip(self.kernel_size, self.dilation)]
                advice = (
                    f"use padding={[int(p) for p in same]}"
                    if all(p == int(p) for p in same)
                    else "use an odd kernel_size with padding = dilation * (kernel_size - 1) / 2"
                )
                self._fail(
                    f"the two bands would not line up, {advice}, or a single band (both alphas 0)"
                )
            return self.downsample != "strided_conv"

        if self.downsample == "avg_pool":
            if not halving:
                self._fail(
                    "downsample='avg_pool' replaces a stride of 2, use 'strided_conv' for others"
                )
            return True
        return self.downsample is None and low_alive and halving and keeps_size

    def _keeps_size(self) -> bool:
        """Whether the convolution at stride 1 has an output of the input's size, centred on it."""
        sides = padding_sides(self.padding, "OctaveConv: padding")
        margins = [d * (k - 1) for k, d in zip(self.kernel_size, self.dilation)]
        if any(margin % 2 for margin in margins):
            return False
        if sides is None:
            return str(self.padding).upper() == "SAME" or margins == [0, 0]
        return sides == [m // 2 for m in margins for _ in range(2)]

    def _path_attributes(
        self, paths, weight_attr, bias_attr, conv_layer
    ) -> dict[_Path, tuple[Any, Any]]:
        """Split the attributes of one ordinary convolution into those of the paths."""
        if len(paths) == 1:
            return {paths[0]: (weight_attr, bias_attr)}
        attr_of_whole = derive_attr(weight_attr, "OctaveConv: weight_attr")
        initializer = getattr(attr_of_whole, "initializer", None) or KaimingNormal()
        if conv_layer is not nn.Conv2D:
            attr_of_whole = None  # its kernel is not used
        with eager_mode():
            whole = nn.Conv2D(
                self.in_channels,
                self.out_channels,
                self.kernel_size,
                groups=self.groups,
                weight_attr=attr_of_whole,
                bias_attr=derive_attr(bias_attr, "OctaveConv: bias_attr"),
            )
            kernel = as_array(whole.weight)
            expected = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
            if kernel.shape != expected:  # Assign gives the parameter whatever shape it holds
                raise ValueError(
                    f"OctaveConv: the initialiser of weight_attr holds {list(kernel.shape)}, the "
                    f"whole kernel is {list(expected)}"
                )
            bias = None if whole.bias is None else as_array(whole.bias)

        attrs = {}
        biased = set()
        for path in sorted(paths, key=lambda p: p.source != p.target):  # a band's own path first
            bias_of_path: Any = False
            if bias is not None and path.target not in biased:
                biased.add(path.target)
                bias_of_path = derive_attr(
                    bias_attr,
                    "OctaveConv: bias_attr",
                    suffix="hl"[path.target],
                    initializer=FromArray(bias[self._rows(path)]),
                )
            block: Initializer = FromArray(self._block(path, kernel))
            if conv_layer is not nn.Conv2D:
                share = self.in_bands[path.source] / self.in_channels
                block = Scaled(initializer, share**0.5)
            attrs[path] = (
                derive_attr(
                    weight_attr, "OctaveConv: weight_attr", suffix=path.name, initializer=block
                ),
                bias_of_path,
            )
        return attrs

    def _rows(self, path: _Path) -> slice:
        high = self.out_bands[0]
        return slice(0, high) if path.target == 0 else slice(high, None)

    def _block(self, path: _Path, kernel: np.ndarray) -> np.ndarray:
        """Cut one path's block out of a whole kernel, high channels first (paper, Fig. 2b)."""
        rows = kernel[self._rows(path)]
        if self.is_depthwise:
            return rows
        high = self.in_bands[0] // self.groups
        return rows[:, :high] if path.source == 0 else rows[:, high:]
