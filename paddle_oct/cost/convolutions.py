"""Comparing the costs of different kinds of convolution."""

from __future__ import annotations

from functools import partial
from typing import Callable, NamedTuple

from paddle import Tensor, nn

from paddle_oct.lightweight import DSCConv, DualConv, HetConv
from paddle_oct.nn import OctaveConv, OctaveFeature, split
from paddle_oct.nn.arguments import positive_int

from .profiling import count_macs


class ConvolutionCost(NamedTuple):
    """A row of :func:`compare_convolutions`."""

    name: str
    parameters: int
    macs: int
    parameter_ratio: float
    mac_ratio: float


def compare_convolutions(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 3,
    size: int = 56,
    stride: int = 1,
    groups: int = 4,
    p: int = 4,
    alpha: float = 0.5,
) -> list[ConvolutionCost]:
    """Count what a convolution costs as an ordinary, a grouped, a depthwise separable, a
    heterogeneous, a dual and an octave one, and as an octave one of ``HetConv`` or ``DualConv``.

    Args:
        in_channels, out_channels, stride: as in ``paddle.nn.Conv2D``, without biases.
        kernel_size (int): odd; the map is padded by its half.
        size (int): height and width of the input.
        groups (int): of the grouped convolution and of ``DualConv``.
        p (int): the ``p`` of ``HetConv``.
        alpha (float): the share of low-frequency channels of the octave convolutions.

    Returns:
        A row per kind; the ratios are to the ordinary convolution. An octave convolution of
        ``HetConv`` or ``DualConv`` is left out if its bands don't divide by ``p`` or ``groups``.

    Raises:
        TypeError, ValueError: an argument is out of range or does not divide the channels.

    Examples:
        >>> from paddle_oct.cost import compare_convolutions
        >>> rows = compare_convolutions(6, 4, groups=2, p=3)
        >>> [(row.name, row.parameters) for row in rows[:4]]  # doctest: +NORMALIZE_WHITESPACE
        [('standard', 216), ('grouped, 2 groups', 108), ('depthwise separable', 78),
         ('HetConv, p = 3', 88)]
    """
    size = positive_int(size, "compare_convolutions: size")
    kernel_size = positive_int(kernel_size, "compare_convolutions: kernel_size")
    if kernel_size % 2 == 0:
        raise ValueError(f"compare_convolutions: kernel_size must be odd, got {kernel_size}")
    het = partial(HetConv, p=p)
    dual = partial(DualConv, groups=groups)
    octave = partial(OctaveConv, alpha_in=alpha, alpha_out=alpha)
    kinds: dict[str, Callable[..., nn.Layer]] = {
        "standard": nn.Conv2D,
        f"grouped, {groups} groups": partial(nn.Conv2D, groups=groups),
        "depthwise separable": DSCConv,
        f"HetConv, p = {p}": het,
        f"DualConv, {groups} groups": dual,
        f"octave, alpha = {alpha:g}": octave,
        "octave of HetConv": partial(octave, conv_layer=het),
        "octave of DualConv": partial(octave, conv_layer=dual),
    }
    common = {
        "kernel_size": kernel_size,
        "stride": stride,
        "padding": kernel_size // 2,
        "bias_attr": False,
    }
    layers: dict[str, nn.Layer] = {}
    for name in reversed(kinds):  # ours first, as their errors say what to use instead
        try:
            layers[name] = kinds[name](in_channels, out_channels, **common)
        except ValueError:
            if not name.startswith("octave of"):
                raise
    rows: list[ConvolutionCost] = []
    for name, layer in reversed(layers.items()):
        parameters = sum(int(p.size) for p in layer.parameters())
        network = _FromMap(layer) if isinstance(layer, OctaveConv) else nn.Sequential(layer)
        macs = count_macs(network, (1, in_channels, size, size))
        first = rows[0] if rows else ConvolutionCost(name, parameters, macs, 1, 1)
        ratios = parameters / first.parameters, macs / first.macs
        rows.append(ConvolutionCost(name, parameters, macs, *ratios))
    return rows


class _FromMap(nn.Layer):
    """An octave convolution that first splits a map into bands."""

    def __init__(self, conv: OctaveConv) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> OctaveFeature:
        return self.conv(split(x, self.conv.alpha_in))
