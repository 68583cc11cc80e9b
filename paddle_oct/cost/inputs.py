"""The input that a network is run on: its shape or shapes, and zeros of these shapes."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Sequence, Union

import paddle
from paddle import nn

from paddle_oct.nn import Conv_BN, split

#: A shape such as ``(1, 3, 224, 224)``, or a list of shapes.
InputSize = Union[Sequence[int], Sequence[Sequence[int]]]


def check_sizes(input_size: InputSize) -> list[list[int]]:
    """Return a shape or a list of shapes as a list of shapes.

    Raises:
        TypeError, ValueError: it holds anything but positive integers.
    """
    if not isinstance(input_size, (tuple, list)) or not input_size:
        raise TypeError(f"input_size must be a shape such as (1, 3, 224, 224), got {input_size!r}")
    nested = any(isinstance(item, (tuple, list)) for item in input_size)
    shapes: list[Any] = list(input_size) if nested else [input_size]
    for shape in shapes:
        if not isinstance(shape, (tuple, list)) or any(
            isinstance(n, bool) or not isinstance(n, Integral) for n in shape
        ):
            raise TypeError(f"input_size must hold integers, got {input_size!r}")
        if any(n < 1 for n in shape):
            raise ValueError(f"input_size must hold positive integers, got {input_size!r}")
    return [[int(n) for n in shape] for shape in shapes]


def make_inputs(model: nn.Layer, sizes: list[list[int]], dtype: Any) -> list[Any]:
    """Return zeros of these shapes, as a pair of bands for a layer that takes one.

    Args:
        model: the network that will be run on them.
        sizes: as from :func:`check_sizes`.
        dtype: the name of a dtype.

    Raises:
        ValueError: the shape is not ``[N, C, H, W]`` with the channels of the layer's bands.
    """
    inputs: list[Any] = [paddle.zeros(size, dtype) for size in sizes]
    bands = _bands(model)
    if bands is not None and len(inputs) == 1:
        (x,) = inputs
        if len(x.shape) != 4 or x.shape[1] != sum(bands):
            raise ValueError(
                f"{type(model).__name__}({model.extra_repr()}) takes [N, {sum(bands)}, H, W], "
                f"got {sizes[0]}"
            )
        pair = split(x, bands[1] / sum(bands))
        inputs = [tuple(None if band is None else band.clone() for band in pair)]
    return inputs


def _bands(model: nn.Layer) -> tuple[int, int] | None:
    layer = model.conv if isinstance(model, Conv_BN) else model
    return getattr(layer, "in_bands", getattr(layer, "bands", None))
