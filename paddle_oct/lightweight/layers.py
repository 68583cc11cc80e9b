"""Convolutions that leave out a part of the kernel; each takes and returns one Tensor.

====================  =================================================  =====================
layer                 kernels                                            weights
====================  =================================================  =====================
``nn.Conv2D``         N filters of M kernels, k x k                      k^2 M N
``nn.Conv2D``, G      G groups, each of M/G channels into N/G            k^2 M N / G
``DSCConv``           M kernels k x k, one per channel, then 1x1         k^2 M + M N
``HetConv``, P        M/P of a filter's kernels are k x k, others 1x1    k^2 M N / P + M N - M N / P
``DualConv``, G       G groups of k x k, and a 1x1 everywhere            k^2 M N / G + M N
====================  =================================================  =====================

They take the place of ``nn.Conv2D``: in ``nn.Sequential``, and as ``conv_layer`` of the octave
layers, which gives a block with norm and activation, with two bands or, at alpha 0, with one.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn
from paddle.nn.initializer import Initializer, Normal

from paddle_oct.base.names import unknown_name
from paddle_oct.base.private import eager_mode
from paddle_oct.nn.arguments import (
    FromArray,
    Size2,
    as_array,
    derive_attr,
    padding_sides,
    positive_int,
    size2,
)

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _LightConv2D(nn.Layer):
    """What the family shares: the arguments of ``nn.Conv2D``, checked, and shown by ``repr``."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size2,
        stride: Size2,
        padding: Any,
        dilation: Size2,
        padding_mode: str,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.in_channels = positive_int(in_channels, f"{name}: in_channels")
        self.out_channels = positive_int(out_channels, f"{name}: out_channels")
        self.kernel_size = size2(kernel_size, f"{name}: kernel_size")
        self.stride = size2(stride, f"{name}: stride")
        self.dilation = size2(dilation, f"{name}: dilation")
        self.padding = padding
        self.padding_mode = padding_mode
        if padding_mode not in _PADDING_MODES:
            raise unknown_name(padding_mode, _PADDING_MODES, f"padding_mode of {name}")

    def _part_attr(
        self, weight_attr: Any, suffix: str, initializer: Initializer | None = None
    ) -> Any:
        """Return the attribute of a part of the weights."""
        name = f"{type(self).__name__}: weight_attr"
        return derive_attr(weight_attr, name, suffix=suffix, initializer=initializer)

    def _fail(self, message: str) -> NoReturn:
        raise ValueError(f"{type(self).__name__}({self.extra_repr()}): {message}")

    @paddle.jit.not_to_static
    def _check_input(self, x: Tensor) -> None:
        shape = list(x.shape)
        if len(shape) != 4 or shape[1] not in (-1, self.in_channels):
            self._fail(f"expected [N, {self.in_channels}, H, W], got {shape}")

    def _own_options(self) -> str:
        """Return what ``repr`` tells beside the arguments of every convolution."""
        return ""

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}{self._own_options()}"]
        parts.append(f"kernel_size={self.kernel_size}")
        if self.stride != [1, 1]:
            parts.append(f"stride={self.stride}")
        if self.padding != 0:
            parts.append(f"padding={self.padding!r}")
        if self.dilation != [1, 1]:
            parts.append(f"dilation={self.dilation}")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode!r}")
        return ", ".join(parts)


class DSCConv(_LightConv2D):
    """Depthwise separable convolution: one k x k kernel per channel, then a 1x1 convolution.

    Norm and activation between the two, as in MobileNet, are two blocks with a ``Conv_BN_ACT``
    each; this layer is the convolution alone.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, padding_mode: as in
            ``paddle.nn.Conv2D``; the 1x1 convolution has neither stride nor padding.
        weight_attr (ParamAttr|None): of the 1x1 kernels, as in ``paddle.nn.Conv2D``.
        bias_attr (ParamAttr|bool|None): as in ``paddle.nn.Conv2D``: one bias per output channel.
        depthwise_attr (ParamAttr|None): of the k x k kernels. By default as ``weight_attr``, but
            initialised so that they keep the variance of their input.

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
        padding_mode: str = "zeros",
        weight_attr: Any = None,
        bias_attr: Any = None,
        depthwise_attr: Any = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, padding_mode
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


class _MixedConv2D(_LightConv2D):
    """k x k and 1x1 kernels over one map, the latter where the former have their middle."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size2,
        stride: Size2,
        padding: Any,
        dilation: Size2,
        padding_mode: str,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, padding_mode
        )
        if any(size % 2 == 0 for size in self.kernel_size):
            self._fail("kernel_size must be odd: its 1x1 kernels lie in the middle")
        self._margins = [d * (k - 1) // 2 for k, d in zip(self.kernel_size, self.dilation)]
        same = [margin for margin in self._margins for _ in range(2)]
        sides = padding_sides(self.padding, f"{type(self).__name__}: padding")
        if sides is None:
            valid = self.padding.upper() == "VALID"
            if not valid and self.stride != [1, 1]:
                self._fail(
                    "with a stride, 'SAME' moves the middle with the size of the map; "
                    f"use padding={self._margins}"
                )
            sides = [0] * 4 if valid else same
        if any(side < 0 for side in sides):
            self._fail("padding must not be negative")
        top, bottom, left, right = sides
        # Zeros around a map that keeps its size are the convolution's own affair.
        self._pads_itself = sides == same and (padding_mode == "zeros" or not any(same))
        self._border = None if self._pads_itself or not any(sides) else [left, right, top, bottom]

    def _draw(self, weights: list[int], weight_attr: Any) -> list[np.ndarray]:
        """Draw the kernels of all filters at once, so that the fan-in is a whole filter's.

        Args:
            weights: how many weights of a filter each of the parts holds.
            weight_attr: how to initialise them.

        Returns:
            ``[out_channels, n]`` for each n of ``weights``.
        """
        with eager_mode():
            whole = nn.Conv2D(
                sum(weights),
                self.out_channels,
                1,
                weight_attr=self._part_attr(weight_attr, ""),
                bias_attr=False,
            )
            drawn = as_array(whole.weight)
            expected = [self.out_channels, sum(weights), 1, 1]
            if list(drawn.shape) != expected:  # Assign gives a parameter whatever shape it holds
                raise ValueError(
                    f"{type(self).__name__}: the initialiser of weight_attr holds "
                    f"{list(drawn.shape)}, the weights are {expected}"
                )
            drawn = drawn[:, :, 0, 0]
        return np.split(drawn, np.cumsum(weights)[:-1], axis=1)

    def _wide(
        self, channels: int, kernels: np.ndarray, groups: int, weight_attr: Any, bias_attr: Any
    ) -> nn.Conv2D:
        """Make a convolution with k x k kernels ``[filters, channels / groups * k^2]``."""
        kernels = kernels.reshape([len(kernels), channels // groups, *self.kernel_size])
        return nn.Conv2D(
            channels,
            len(kernels),
            self.kernel_size,
            stride=self.stride,
            padding=self._margins if self._pads_itself else 0,
            dilation=self.dilation,
            groups=groups,
            weight_attr=self._part_attr(weight_attr, "wide", FromArray(kernels)),
            bias_attr=bias_attr,
        )

    def _pad(self, x: Tensor) -> Tensor:
        if self._border is None:
            return x
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        return F.pad(x, self._border, mode=mode)

    def _middles(self, x: Tensor) -> Tensor:
        """Return of a padded map what lies under the middles of the kernels."""
        if self._pads_itself:
            if self.stride == [1, 1]:
                return x
            return x[:, :, :: self.stride[0], :: self.stride[1]]
        rows, columns = (
            slice(margin, -margin if margin else None, stride)
            for margin, stride in zip(self._margins, self.stride)
        )
        return x[:, :, rows, columns]


class DualConv(_MixedConv2D):
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
            ``[N, k^2 M / groups + M, 1, 1]`` of all weights, the k x k kernels first; by default
            their fan-in is thus what a filter really sees.
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
        padding_mode: str = "zeros",
        weight_attr: Any = None,
        bias_attr: Any = None,
    ) -> None:
        self.groups = positive_int(groups, "DualConv: groups")
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, padding_mode
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


class HetConv(_MixedConv2D):
    """Heterogeneous convolution (Singh et al., arXiv:1903.04120, Section 3 and Fig. 2).

    Of the ``M`` kernels of a filter, ``M / p`` are k x k and the others 1x1. From one filter to the
    next their positions shift by one: filter ``n`` has a k x k kernel for channel ``m`` where
    ``(m - n) % p == 0``. With ``N`` filters there are ``k^2 M N / p + M N - M N / p`` weights; with
    ``p=1`` the layer is ``paddle.nn.Conv2D``.

    Channels and filters fall into ``p`` classes by their remainder, and the k x k kernels lead from
    a class to its own: they are one grouped convolution. The 1x1 kernels lead from a class to all
    others: with the classes in two halves, a grouped convolution leads from each half to the other,
    a second one does the same within the halves, and so on. So a handful of convolutions, one and
    the prime factors of ``p``, hold every kernel of the definition and nothing else; where ``p``
    does not divide the filters, the last ``N % p`` of them take as many again.

    Args:
        in_channels, out_channels: as in ``paddle.nn.Conv2D``.
        p (int): the part; it divides ``in_channels``.
        kernel_size (int|tuple|list): odd.
        stride, padding, dilation, padding_mode: as in ``paddle.nn.Conv2D``. The 1x1 kernels lie in
            the middle of the k x k ones.
        weight_attr (ParamAttr|None): as in ``paddle.nn.Conv2D``. An initialiser is given the shape
            ``[N, k^2 M / p + M - M / p, 1, 1]``: for each filter its k x k kernels by rising
            channel, then the 1x1 ones; by default their fan-in is thus what a filter really sees.
        bias_attr (ParamAttr|bool|None): as in ``paddle.nn.Conv2D``: one bias per output channel.

    Sub-layers: ``turns``, all whole turns of ``p`` filters, class by class, and ``rest``, the last
    ``N % p`` filters; in each ``wide``, the k x k kernels, and ``pointwise1``, ... the 1x1 ones.

    Shape: ``[N, C, H, W]``, as in ``paddle.nn.Conv2D``.

    Raises:
        TypeError, ValueError: an argument is out of range, or the input does not fit.

    Examples:
        >>> from paddle_oct import HetConv
        >>> layer = HetConv(6, 4, p=3, kernel_size=3, padding=1, bias_attr=False)
        >>> sum(int(weight.size) for weight in layer.parameters())  # 216 in nn.Conv2D
        88
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        p: int,
        kernel_size: Size2 = 3,
        stride: Size2 = 1,
        padding: Any = 0,
        dilation: Size2 = 1,
        *,
        padding_mode: str = "zeros",
        weight_attr: Any = None,
        bias_attr: Any = None,
    ) -> None:
        self.p = positive_int(p, "HetConv: p")
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, padding_mode
        )
        if self.in_channels % self.p:
            divisors = [str(d) for d in range(1, in_channels + 1) if in_channels % d == 0]
            self._fail(f"p must divide in_channels={in_channels}: one of {', '.join(divisors)}")
        by_class = np.arange(self.in_channels).reshape(-1, self.p).T
        turns, rest = divmod(self.out_channels, self.p)
        filters = np.arange(turns * self.p).reshape(turns, self.p).T.ravel()  # class by class
        last = np.arange(turns * self.p, self.out_channels)
        kernels = self._draw_kernels(weight_attr)
        self.turns = self.rest = None
        if turns:
            self.turns = self._make_filters(filters, _selections(by_class), kernels, weight_attr)
        if rest:
            selections = [*_selections(by_class[:rest]), by_class[rest:].reshape(1, -1)]
            attr = self._part_attr(weight_attr, "rest")
            self.rest = self._make_filters(last, selections, kernels, attr)
        self.bias = self.create_parameter([self.out_channels], attr=bias_attr, is_bias=True)
        order = np.argsort(np.concatenate([filters, last]))
        self._order = _order_of(order, self.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        self._check_input(x)
        x = self._pad(x)
        middles = self._middles(x)
        parts = [part(x, middles) for part in (self.turns, self.rest) if part is not None]
        y = parts[0] if len(parts) == 1 else paddle.concat(parts, axis=1)
        y = _select(y, self._order)
        return y if self.bias is None else y + self.bias.reshape([1, -1, 1, 1])

    def kernel(self) -> Tensor:
        """Return the kernel ``[N, M, k, k]`` of the ``nn.Conv2D`` that does the same."""
        height, width = self.kernel_size
        whole = np.zeros([self.out_channels, self.in_channels, height, width])
        for part in (self.turns, self.rest):
            for conv, at in () if part is None else part.places():
                weight = as_array(conv.weight)
                if weight.shape[2:] == whole.shape[2:]:
                    whole[at] = weight
                else:
                    whole[(*at, height // 2, width // 2)] = weight[:, :, 0, 0]
        dtype = (self.turns or self.rest).wide.weight.dtype
        return paddle.to_tensor(whole).astype(dtype)

    def _draw_kernels(self, weight_attr: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the k x k kernels ``[N, M, k, k]`` and the 1x1 ones ``[N, M, 1, 1]``."""
        height, width = self.kernel_size
        per_class = self.in_channels // self.p
        wide, point = self._draw(
            [height * width * per_class, self.in_channels - per_class], weight_attr
        )
        shape = [self.out_channels, self.in_channels]
        own = (np.arange(shape[1]) - np.arange(shape[0])[:, None]) % self.p == 0
        kernels = (
            np.zeros([*shape, height, width], wide.dtype),
            np.zeros([*shape, 1, 1], wide.dtype),
        )
        kernels[0][own] = wide.reshape([-1, height, width])
        kernels[1][~own] = point.reshape([-1, 1, 1])
        return kernels

    def _make_filters(
        self,
        filters: np.ndarray,
        selections: list[np.ndarray],
        kernels: tuple[np.ndarray, np.ndarray],
        weight_attr: Any,
    ) -> _Filters:
        part = _Filters(filters, selections, self.in_channels)
        wide, *point = part.indices()
        part.wide = self._wide(
            selections[0].size, kernels[0][wide], len(selections[0]), weight_attr, False
        )
        for number, (selection, at) in enumerate(zip(selections[1:], point), start=1):
            initial = FromArray(kernels[1][at])
            conv = nn.Conv2D(
                selection.size,
                len(filters),
                1,
                groups=len(selection),
                weight_attr=self._part_attr(weight_attr, f"pointwise{number}", initial),
                bias_attr=False,
            )
            part.add_sublayer(f"pointwise{number}", conv)
        return part

    def _own_options(self) -> str:
        return f", p={self.p}"


class _Filters(nn.Layer):
    """Some filters of a HetConv: convolutions of selected channels, added.

    Sub-layers: ``wide``, with the k x k kernels, and ``pointwise1``, ... with the 1x1 ones.

    Args:
        filters: ``[n]``, which filters of the layer these are.
        selections: for each convolution ``[groups, inputs]``, the channels that its groups take.
        channels: how many there are.
    """

    def __init__(self, filters: np.ndarray, selections: list[np.ndarray], channels: int) -> None:
        super().__init__()
        self._filters = filters
        self._selections = selections
        self._orders = [_order_of(selection.ravel(), channels) for selection in selections]

    def indices(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return for each convolution which filter and which channel its weights belong to."""
        return [
            (
                self._filters[:, None],
                np.repeat(selection, len(self._filters) // len(selection), axis=0),
            )
            for selection in self._selections
        ]

    def places(self) -> list[tuple[nn.Conv2D, tuple[np.ndarray, np.ndarray]]]:
        """Return each convolution with its :meth:`indices`."""
        return list(zip(self._sub_layers.values(), self.indices()))

    def forward(self, x: Tensor, middles: Tensor) -> Tensor:
        y = self.wide(_select(x, self._orders[0]))
        for conv, order in list(zip(self._sub_layers.values(), self._orders))[1:]:
            y = y + conv(_select(middles, order))
        return y


def _selections(by_class: np.ndarray) -> list[np.ndarray]:
    """Choose the channels of grouped convolutions that lead from every class to every other.

    Args:
        by_class: ``[classes, n]``, the channels of each class.

    Returns:
        For each convolution ``[groups, inputs]``: first those within a class, then those from the
        siblings of each part, the classes being halved (or divided by another prime) and again.
    """
    selections, parts = [by_class], by_class[None]  # [parents, classes of each, n]
    while parts.shape[1] > 1:
        count = next(f for f in range(2, parts.shape[1] + 1) if parts.shape[1] % f == 0)
        parents = parts.reshape(len(parts), count, -1)
        selections.append(
            np.stack([np.delete(p, i, axis=0).ravel() for p in parents for i in range(count)])
        )
        parts = parts.reshape(len(parts) * count, -1, by_class.shape[1])
    return selections


def _order_of(chosen: np.ndarray, channels: int) -> np.ndarray | None:
    """Return what to select, None for all channels as they are."""
    return None if list(chosen) == list(range(channels)) else chosen.astype("int32")


def _select(x: Tensor, channels: np.ndarray | None) -> Tensor:
    # An index in a buffer would become floating-point numbers in Layer.to(dtype=...).
    return x if channels is None else paddle.index_select(x, paddle.to_tensor(channels), axis=1)
