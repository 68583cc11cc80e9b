"""Making octave layers out of ordinary ones, with what they have learnt."""

from __future__ import annotations

import copy
from typing import Any

import paddle
from paddle import nn
from paddle.nn.initializer import Constant

from paddle_oct.nn import OctaveConv, OctaveNorm

from .layout import Layout


def octave_conv(
    conv: nn.Conv2D, source: Layout, target: Layout, downsample: str | None
) -> OctaveConv:
    """Turn a convolution into an octave convolution.

    Args:
        conv: the convolution; it is left as it is.
        source, target: where its input and output channels are in the pairs.
        downsample: as in :class:`~paddle_oct.OctaveConv`.

    Returns:
        The octave convolution, whose kernels are blocks of the old one.
    """
    octave = OctaveConv(
        conv._in_channels,
        conv._out_channels,
        conv._kernel_size,
        source.alpha,
        target.alpha,
        stride=conv._stride,
        padding=conv._padding,
        dilation=conv._dilation,
        groups=conv._groups,
        padding_mode=conv._padding_mode,
        downsample=downsample,
        weight_attr=_attributes_like(conv.weight),
        bias_attr=False if conv.bias is None else _attributes_like(conv.bias),
    )
    octave.to(dtype=conv.weight.dtype)
    kernel = conv.weight.detach().numpy()[list(target.order)]
    if not octave.is_depthwise:
        size = conv._in_channels // conv._groups
        per_group = conv._out_channels // conv._groups
        columns = [
            [c - g * size for band in (source.high, source.low) for c in band if c // size == g]
            for g in range(conv._groups)
        ]
        for row, channel in enumerate(target.order):
            kernel[row] = kernel[row][columns[channel // per_group]]
    for path, block in octave.split_kernel(kernel).items():
        getattr(octave, path).weight.set_value(block)
    if conv.bias is not None:
        bias = conv.bias.detach().numpy()
        for path in octave.children():
            if path.bias is not None:  # one per band, of the path that stays in it if there is one
                into_low = path in (octave.conv_h2l, octave.conv_l2l)
                path.bias.set_value(bias[list(target.low if into_low else target.high)])
    octave.training = conv.training
    return octave


def octave_norm(norm: nn.Layer, layout: Layout) -> OctaveNorm:
    """Turn a norm with one value per channel into one norm per band, running statistics too."""
    bands = iter([band for band in (layout.high, layout.low) if band])
    octave = OctaveNorm(layout.channels, layout.alpha, lambda _: _part(norm, next(bands)))
    octave.training = norm.training
    return octave


def _part(norm: nn.Layer, channels: tuple[int, ...]) -> nn.Layer:
    """Return a norm for some of a norm's channels."""
    part = copy.deepcopy(norm)
    # paddle.summary takes layers of one full name for one layer.
    part._full_name = paddle.utils.unique_name.generate(norm.full_name().rpartition("_")[0])
    chosen = paddle.to_tensor(channels)
    with paddle.no_grad():
        for name, old in norm._parameters.items():
            if old is not None:
                new = part.create_parameter(
                    [len(channels)], attr=_attributes_like(old), dtype=old.dtype
                )
                paddle.assign(paddle.index_select(old, chosen), new)
                new.stop_gradient = old.stop_gradient
                part._parameters[name] = new
        for name, old in norm._buffers.items():
            if old is not None:
                part._buffers[name] = paddle.index_select(old, chosen)
    for count in ("_num_features", "_num_parameters"):
        if hasattr(part, count):
            setattr(part, count, len(channels))
    return part


def _attributes_like(parameter: Any) -> paddle.ParamAttr:
    """Return what to make a parameter with that is treated in training as another one is."""
    return paddle.ParamAttr(
        initializer=Constant(0.0),
        learning_rate=parameter.optimize_attr["learning_rate"],
        regularizer=parameter.regularizer,
        trainable=not parameter.stop_gradient,
        need_clip=parameter.need_clip,
    )
