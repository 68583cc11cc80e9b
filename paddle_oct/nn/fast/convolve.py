"""The form that a convolution takes in eager mode on a CPU, where it differs from a program's.

A program (``to_static``, ONNX) gets the plain form: its compiler chooses. Eager mode multiplies
matrices, one product per sample, of the kernel and the unfolded map; per sample and channel where
the convolution is depthwise. Where maps are small that takes longer than it must:

* a whole batch is convolved as one image (:func:`_as_one_image`);
* a whole batch is unfolded at once (:func:`_unfolded_at_once`);
* a single image is multiplied with a row per pixel (:func:`_row_per_pixel`);
* a depthwise convolution is one product for all channels (:func:`_channel_by_channel`).

A layer that somebody watches through a hook is left alone: its calls, the sizes it sees and the
tensors it returned are those of the plain form. So are all counts of ``paddle.flops``.
``benchmarks/RESULTS.md`` has the measurements.
"""

from __future__ import annotations

from typing import Callable

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from ..feature import down2, runs_eagerly
from .forms import DTYPES, watched
from .saved import with_saved

Again = Callable[[Tensor], Tensor]

CHANNEL_BOUND = 64  # pixels of a map; with more of them a product per sample and channel is faster
UNFOLD_BOUND = 2**19  # values of a batch; with more of them a network was no faster for it


def convolve(conv: nn.Layer, x: Tensor, halve: bool = False) -> Tensor:
    """Return ``conv(x)``, or of ``x`` halved by :func:`down2`.

    What is made of ``x`` on the way is made again for the gradient rather than kept.
    """
    if not runs_eagerly():
        return conv(down2(x) if halve else x)
    return _convolve_eagerly(conv, x, halve)


def _convolve_eagerly(conv: nn.Layer, x: Tensor, halve: bool) -> Tensor:
    # Apart: what runs inside to_static must not be closed over, or it finds a cell to call.
    source = x
    if halve:
        x = with_saved(lambda: down2(source), source, down2, keep=source)

    def again(x: Tensor) -> Tensor:
        return down2(x) if halve else x

    form = _form_of(conv, x)
    if form is not None:
        return form(conv, x, source, again)
    return with_saved(lambda: conv(x), source, again, drop=x) if halve else conv(x)


def _form_of(conv: nn.Layer, x: Tensor) -> Callable | None:
    """Return the form that is faster than the plain one; where that starts was measured."""
    if type(conv) is not nn.Conv2D:
        return None
    batch, channels, height, width = x.shape
    pixels = height * width
    reach = conv._kernel_size[0] // 2
    form = None
    if conv._groups == channels > 1:
        if 0 < pixels <= CHANNEL_BOUND and reach > 0:
            form = _channel_by_channel
    elif conv._groups == 1 and batch * pixels > 0:
        maps = (channels + conv._out_channels) * pixels
        if channels * conv._out_channels >= 2 * maps:
            form = _as_one_image if batch > 1 else _row_per_pixel
        elif reach and batch > 1 and batch * channels * pixels <= UNFOLD_BOUND:
            form = _unfolded_at_once
        # For its gradient the 3x3 of a whole batch unfolds as one matrix, which costs memory.
        if paddle.is_grad_enabled() and (reach or batch == 1):
            form = None
    return form if form is not None and _is_plain(conv, reach) and _is_on_cpu(x) else None


def _is_plain(conv: nn.Conv2D, reach: int) -> bool:
    """Whether a convolution is 1x1 or 3x3, keeps the size, and is watched by nobody."""
    return (
        conv._kernel_size in ([1, 1], [3, 3])
        and conv._padding in (reach, [reach, reach])
        and conv._padding_mode == "zeros"
        and conv._stride == conv._dilation == [1, 1]
        and not watched(conv)
    )


def _is_on_cpu(x: Tensor) -> bool:
    return x.dtype in DTYPES and x.place.is_cpu_place()


def _as_one_image(conv: nn.Conv2D, x: Tensor, source: Tensor, again: Again) -> Tensor:
    """Convolve all samples as one image.

    A matrix product per sample reads the whole kernel for each of them, and the gradient writes it
    as often. So they are laid one below the other, a row of zeros between them if the kernel
    reaches over the edge.
    """
    batch, _, height, width = x.shape
    gap = conv._kernel_size[0] // 2

    def lay_out(x: Tensor) -> Tensor:
        if gap:
            x = F.pad(x, [0, 0, 0, gap])
        return x.transpose([1, 0, 2, 3]).reshape([1, -1, batch * (height + gap), width])

    image = lay_out(x)
    y = with_saved(lambda: conv(image), source, lambda x: lay_out(again(x)), drop=image)
    y = y.reshape([conv._out_channels, batch, height + gap, width]).transpose([1, 0, 2, 3])
    return (y[:, :, :height] if gap else y).contiguous()  # once; every reader would do it again


def _unfolded_at_once(conv: nn.Conv2D, x: Tensor, source: Tensor, again: Again) -> Tensor:
    """Convolve without a gradient: all samples are unfolded, then all multiplied."""
    batch, _, height, width = x.shape
    columns = F.unfold(x, conv._kernel_size[0], paddings=conv._kernel_size[0] // 2)
    y = paddle.matmul(conv.weight.reshape([conv._out_channels, -1]), columns)
    return _with_bias(conv, y.reshape([batch, -1, height, width]))


def _row_per_pixel(conv: nn.Conv2D, x: Tensor, source: Tensor, again: Again) -> Tensor:
    """Convolve a single image without a gradient, by a product with few rows and a long kernel.

    The other way round, with a row per channel, the product has few columns, and is slower.
    """
    height, width = x.shape[2:]
    size = conv._kernel_size[0]
    columns = x if size == 1 else F.unfold(x, size, paddings=size // 2)
    kernel = conv.weight.reshape([conv._out_channels, -1])
    y = paddle.matmul(
        columns.reshape([-1, height * width]), kernel, transpose_x=True, transpose_y=True
    )
    return _with_bias(conv, y.t().contiguous().reshape([1, -1, height, width]))


def _channel_by_channel(conv: nn.Conv2D, x: Tensor, source: Tensor, again: Again) -> Tensor:
    """Convolve depthwise by one product for all samples and channels, in place of one for each."""
    batch, channels, height, width = x.shape
    size = conv._kernel_size[0]

    def unfold(x: Tensor) -> Tensor:
        columns = F.unfold(x, size, paddings=size // 2)
        return columns.reshape([batch, channels, size * size, height * width])

    unfolded = unfold(x)
    kernels = conv.weight.reshape([1, channels, -1, size * size])
    y = with_saved(
        lambda: paddle.matmul(kernels, unfolded),
        source,
        lambda x: unfold(again(x)),
        drop=unfolded,
    )
    return _with_bias(conv, y.reshape([batch, -1, height, width]))


def _with_bias(conv: nn.Conv2D, y: Tensor) -> Tensor:
    return y if conv.bias is None else y + conv.bias.reshape([1, -1, 1, 1])
