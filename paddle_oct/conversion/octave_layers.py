"""Making octave layers with the weights of ordinary layers."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.nn.initializer import Constant

from paddle_oct.base.private import (
    ConvSettings,
    conv_settings,
    set_channels_of_norm,
    set_full_name_of_copy,
)
from paddle_oct.nn import OctaveConv, OctaveNorm
from paddle_oct.nn.plan import Downsample

from .layout import Layout


def octave_conv(
    conv: nn.Conv2D, layout_in: Layout, layout_out: Layout, downsample: Downsample | None
) -> OctaveConv:
    """Return the octave convolution whose kernels are blocks of an ordinary one's (Fig. 2b).

    Args:
        conv: the ordinary convolution, which is left as it is.
        layout_in, layout_out: which of its channels are in which band.
        downsample: as in :class:`~paddle_oct.OctaveConv`.
    """
    settings = conv_settings(conv)
    octave = OctaveConv(
        settings.in_channels,
        settings.out_channels,
        settings.kernel_size,
        layout_in.alpha,
        layout_out.alpha,
        stride=settings.stride,
        padding=settings.padding,
        dilation=settings.dilation,
        groups=settings.groups,
        padding_mode=settings.padding_mode,
        downsample=downsample,
        weight_attr=attributes_like(conv.weight),
        bias_attr=False if conv.bias is None else attributes_like(conv.bias),
    )
    octave.to(dtype=conv.weight.dtype)
    kernel = _high_first(conv.weight.detach().numpy(), settings, layout_in, layout_out)
    for path, block in octave.split_kernel(kernel).items():
        getattr(octave, path).weight.set_value(block)
    if conv.bias is not None:
        bias = conv.bias.detach().numpy()
        for path in (octave.conv_h2h, octave.conv_l2h, octave.conv_h2l, octave.conv_l2l):
            if path is not None and path.bias is not None:  # one path into each band has it
                into_high = path in (octave.conv_h2h, octave.conv_l2h)
                path.bias.set_value(bias[list(layout_out.high if into_high else layout_out.low)])
    octave.training = conv.training
    return octave


def _high_first(
    kernel: np.ndarray, settings: ConvSettings, layout_in: Layout, layout_out: Layout
) -> np.ndarray:
    """Return a kernel with the high channels of its outputs and inputs before the low ones.

    Args:
        kernel: ``[out_channels, in_channels / groups, height, width]``. In a grouped one the inputs
            are sorted within each group.
    """
    kernel = kernel[list(layout_out.order)]
    if settings.is_depthwise:
        return kernel
    in_group = settings.in_channels // settings.groups
    out_group = settings.out_channels // settings.groups
    columns = [
        [channel - g * in_group for channel in layout_in.order if channel // in_group == g]
        for g in range(settings.groups)
    ]
    for row, channel in enumerate(layout_out.order):
        kernel[row] = kernel[row][columns[channel // out_group]]
    return kernel


def octave_norm(norm: nn.Layer, layout: Layout) -> OctaveNorm:
    """Return a norm per band, with the parameters and running statistics of an ordinary one."""
    bands = iter([band for band in (layout.high, layout.low) if band])
    octave = OctaveNorm(
        layout.channels, layout.alpha, lambda _: _norm_of_channels(norm, next(bands))
    )
    octave.training = norm.training
    return octave


def _norm_of_channels(norm: nn.Layer, channels: tuple[int, ...]) -> nn.Layer:
    """Return a copy of a norm for some of its channels."""
    part = copy.deepcopy(norm)
    set_full_name_of_copy(part)
    set_channels_of_norm(part, len(channels))
    index = paddle.to_tensor(channels)
    with paddle.no_grad():
        for name, old in norm.named_parameters(include_sublayers=False):
            new = part.create_parameter([len(channels)], attr=attributes_like(old), dtype=old.dtype)
            paddle.assign(paddle.index_select(old, index), new)
            new.stop_gradient = old.stop_gradient
            setattr(part, name, new)
        for name, old in norm.named_buffers(include_sublayers=False):
            setattr(part, name, paddle.index_select(old, index))
    return part


def attributes_like(parameter: Tensor) -> paddle.ParamAttr:
    """Return the attributes of a parameter that training treats like the given one."""
    own: Any = parameter  # paddle.Tensor's hints know none of these
    return paddle.ParamAttr(
        initializer=Constant(0.0),
        learning_rate=own.optimize_attr["learning_rate"],
        regularizer=own.regularizer,
        trainable=not own.stop_gradient,
        need_clip=own.need_clip,
    )
