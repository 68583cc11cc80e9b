"""Which convolutions and poolings keep the two bands aligned, for every image size.

If the high band has ``H`` rows, the low band has ``ceil(H / 2)``. This must hold for the output of
the call too; columns alike.
"""

from __future__ import annotations

from typing import Any

from paddle import nn

from paddle_oct.base.private import ConvSettings
from paddle_oct.nn import OctaveAvgPool2D, OctaveMaxPool2D, plan_octave_conv
from paddle_oct.nn.arguments import padding_sides, size2


def why_not_aligned(conv: ConvSettings) -> str:
    """Return why a convolution cannot be an octave convolution; "" if it can."""
    if conv.data_format != "NCHW":
        return f"its data format is {conv.data_format}"
    if conv.is_depthwise and conv.in_channels != conv.out_channels:
        return "it is depthwise with more outputs than inputs"
    try:
        plan_octave_conv(  # with one channel in each band; raises if they can't be aligned
            2,
            2,
            conv.kernel_size,
            stride=conv.stride,
            padding=conv.padding,
            dilation=conv.dilation,
            padding_mode=conv.padding_mode,
        )
    except ValueError as error:
        return str(error).partition("): ")[2] or str(error)
    return ""


def octave_pool(
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    *,
    maximum: bool,
    exclusive: bool = True,
) -> nn.Layer | None:
    """Return the layer that pools both bands of a pair; None if they would not stay aligned.

    Args:
        kernel_size, stride, padding, ceil_mode: as in ``paddle.nn.MaxPool2D``.
        maximum: whether it is max pooling.
        exclusive: for average pooling, whether cells outside the map are left out of the average.
    """
    try:
        kernel = size2(kernel_size, "kernel_size")
        step = kernel if stride is None else size2(stride, "stride")
        sides = padding_sides(padding, "padding")
    except (TypeError, ValueError):
        return None
    if sides is None or sides[0] != sides[1] or sides[2] != sides[3]:
        return None
    margins = sides[::2]
    if not all(map(_stays_aligned, kernel, step, margins, [ceil_mode] * 2)):
        return None
    if maximum:
        return OctaveMaxPool2D(kernel, step, margins, ceil_mode)
    if not exclusive and (step != [1, 1] or ceil_mode):
        return None  # cells outside the map would count where ceil mode adds a window
    return OctaveAvgPool2D(kernel, step, margins, ceil_mode, exclusive)


def _stays_aligned(kernel: int, stride: int, padding: int, ceil_mode: bool) -> bool:
    """Whether, along one axis, the pooled low band is at least half as long as the high band.

    This is tried for every size up to several windows.
    """

    def windows(size: int, up: bool) -> int:
        steps = size + 2 * padding - kernel
        return (-(-steps // stride) if up else steps // stride) + 1

    for size in range(1, 8 * (kernel + stride)):
        wanted = windows(size, ceil_mode)
        if size + 2 * padding < kernel or wanted < 1:
            continue
        low = (size + 1) // 2
        half = (wanted + 1) // 2
        last_window_starts_outside = (half - 1) * stride - padding >= low
        if windows(low, up=True) < half or last_window_starts_outside:
            return False
    return True
