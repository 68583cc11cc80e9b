"""Heterogeneous convolution: k x k and 1x1 kernels in every filter."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn

from paddle_oct.base.private import sub_layers
from paddle_oct.nn.arguments import FromArray, Size2, as_array, positive_int

from .light_conv import ConvArguments, MixedConv2D, PaddingMode


class HetConv(MixedConv2D):
    """Heterogeneous convolution (Singh et al., arXiv:1903.04120, Section 3 and Fig. 2).

    Of the ``M`` kernels of a filter, ``M / p`` are k x k and the others 1x1. From one filter to the
    next their positions shift by one: filter ``n`` has a k x k kernel for channel ``m`` where
    ``(m - n) % p == 0``. With ``N`` filters there are ``k^2 M N / p + M N - M N / p`` weights; with
    ``p=1`` the layer is ``paddle.nn.Conv2D``.

    Channels and filters fall into ``p`` classes by their remainder, and the k x k kernels lead from
    a class to its own: they are one grouped convolution. The 1x1 kernels lead from a class to all
    others: with the classes in two halves, a grouped convolution leads from each half to the other,
    a second one does the same within the halves, and so on. So a few convolutions, one for the
    k x k kernels and one for each prime factor of ``p``, hold every kernel of the definition and
    nothing else. If ``p`` does not divide ``N``, the last ``N % p`` filters have convolutions of
    their own.

    Args:
        in_channels, out_channels: as in ``paddle.nn.Conv2D``.
        p (int): one of ``p`` kernels of a filter is k x k; it divides ``in_channels``.
        kernel_size (int|tuple|list): odd.
        stride, padding, dilation, padding_mode: as in ``paddle.nn.Conv2D``. The 1x1 kernels lie in
            the middle of the k x k ones.
        weight_attr (ParamAttr|None): as in ``paddle.nn.Conv2D``. An initialiser is given the shape
            ``[N, k^2 M / p + M - M / p, 1, 1]``: for each filter its k x k kernels in the order
            of the channels, then the 1x1 ones. So its fan-in is the number of weights of a filter.
        bias_attr (ParamAttr|bool|None): as in ``paddle.nn.Conv2D``: one bias per output channel.

    Sub-layers: ``turns``, the first ``N - N % p`` filters, class by class, and ``rest``, the last
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
        padding_mode: PaddingMode = "zeros",
        weight_attr: Any = None,
        bias_attr: Any = None,
    ) -> None:
        self.p = positive_int(p, "HetConv: p")
        super().__init__(
            ConvArguments(
                in_channels, out_channels, kernel_size, stride, padding, dilation, padding_mode
            )
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
        parts = [part(x, middles) for part in self._parts()]
        y = parts[0] if len(parts) == 1 else paddle.concat(parts, axis=1)
        y = _select(y, self._order)
        return y if self.bias is None else y + self.bias.reshape([1, -1, 1, 1])

    def kernel(self) -> Tensor:
        """Return the kernel ``[N, M, k, k]`` of the ``nn.Conv2D`` that computes the same."""
        height, width = self.kernel_size
        whole = np.zeros([self.out_channels, self.in_channels, height, width])
        for part in self._parts():
            for conv, at in part.places():
                weight = as_array(conv.weight)
                if weight.shape[2:] == whole.shape[2:]:
                    whole[at] = weight
                else:
                    whole[(*at, height // 2, width // 2)] = weight[:, :, 0, 0]
        return paddle.to_tensor(whole).astype(self._parts()[0].wide.weight.dtype)

    def _parts(self) -> list[_Filters]:
        return [part for part in (self.turns, self.rest) if part is not None]

    def _draw_kernels(self, weight_attr: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the k x k kernels ``[N, M, k, k]`` and 1x1 ones ``[N, M, 1, 1]``, others 0."""
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
        channels: how many channels the layer's input has.
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
        return list(zip(self._convs(), self.indices()))

    def _convs(self) -> list[Any]:
        return list(sub_layers(self).values())

    def forward(self, x: Tensor, middles: Tensor) -> Tensor:
        y = self.wide(_select(x, self._orders[0]))
        for conv, order in list(zip(self._convs(), self._orders))[1:]:
            y = y + conv(_select(middles, order))
        return y


def _selections(by_class: np.ndarray) -> list[np.ndarray]:
    """Choose the channels of grouped convolutions that lead from every class to every other.

    Args:
        by_class: ``[classes, n]``, the channels of each class.

    Returns:
        For each convolution ``[groups, inputs]``. In the first, a group is a class. For the others
        the classes are divided by the smallest prime factor of their number, then each part again,
        until a part is one class; each part's group reads the other parts of the same division.
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
    """Return the indices to select; None if they are all channels in their order."""
    return None if list(chosen) == list(range(channels)) else chosen.astype("int32")


def _select(x: Tensor, channels: np.ndarray | None) -> Tensor:
    # An index in a buffer would become floating-point numbers in Layer.to(dtype=...).
    return x if channels is None else paddle.index_select(x, paddle.to_tensor(channels), axis=1)
