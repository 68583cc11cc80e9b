"""The table of kernels: what each does, when it is used, and where its bound was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from .convolutions import (
    Case,
    ChannelsAtOnce,
    ConvKernel,
    OneImage,
    Plain,
    RowPerPixel,
    UnfoldedBatch,
    has_plain_padding,
    keeps_size,
)

CHANNEL_BOUND = 64  # pixels of a map; with more of them a product per sample and channel is faster
UNFOLD_BOUND = 2**19  # values of a batch; with more of them a network was no faster for it
_EPYC = "AMD EPYC, 2 threads, float32"


@dataclass(frozen=True)
class Kernel:
    """What may stand in for a plain operation in eager mode on a CPU.

    Attributes:
        name: of the kernel.
        operation: which operation of :mod:`paddle_oct.nn.fast` it stands in for.
        condition: when it does, in words.
        bound: up to which size it is faster.
        measured_on: where that was measured; ``benchmarks/RESULTS.md`` has the numbers.
    """

    name: str
    operation: str
    condition: str
    bound: str
    measured_on: str = _EPYC


@dataclass(frozen=True)
class ConvolutionKernel(Kernel):
    """A kernel of a convolution.

    Attributes:
        applies: whether it is the one for a case, given that none above it in the table is.
        kernel: what computes it.
    """

    applies: Callable[[Case], bool] = lambda case: False
    kernel: ConvKernel = Plain()  # noqa: RUF009 - it holds nothing


def _is_small_depthwise(case: Case) -> bool:
    return (
        case.settings.is_depthwise
        and case.reach > 0
        and case.pixels <= CHANNEL_BOUND
        and keeps_size(case)
    )


def _is_small_batch(case: Case) -> bool:
    # For its gradient the 3x3 of a whole batch unfolds as one matrix, which costs memory.
    return (
        case.is_dense
        and case.batch > 1
        and case.kernel_is_larger
        and not (case.gradient and case.reach)
        and keeps_size(case)
    )


def _is_small_image(case: Case) -> bool:
    return (
        case.is_dense
        and case.batch == 1
        and case.kernel_is_larger
        and not case.gradient
        and keeps_size(case)
    )


def _is_batch_to_unfold(case: Case) -> bool:
    values = case.batch * case.settings.in_channels * case.pixels
    return (
        case.is_dense
        and case.batch > 1
        and case.reach > 0
        and not case.gradient
        and values <= UNFOLD_BOUND
        and keeps_size(case)
    )


def _keeps_less(case: Case) -> bool:
    return case.gradient and not case.settings.is_depthwise and has_plain_padding(case)


CONVOLUTION_KERNELS = (
    ConvolutionKernel(
        "channels_at_once",
        "convolve",
        "depthwise 3x3",
        f"{CHANNEL_BOUND} pixels of a map",
        applies=_is_small_depthwise,
        kernel=ChannelsAtOnce(),
    ),
    ConvolutionKernel(
        "one_image",
        "convolve",
        "dense 1x1 of a batch; without a gradient also 3x3",
        "kernel of twice the numbers of the maps that it reads and writes",
        applies=_is_small_batch,
        kernel=OneImage(),
    ),
    ConvolutionKernel(
        "row_per_pixel",
        "convolve",
        "dense 1x1 or 3x3 of a single image, without a gradient",
        "kernel of twice the numbers of the maps that it reads and writes",
        applies=_is_small_image,
        kernel=RowPerPixel(),
    ),
    ConvolutionKernel(
        "unfolded_batch",
        "convolve",
        "dense 3x3 of a batch, without a gradient",
        f"{UNFOLD_BOUND} values of the batch",
        applies=_is_batch_to_unfold,
        kernel=UnfoldedBatch(),
    ),
    ConvolutionKernel(
        "halved_again",
        "convolve",
        "dense or grouped, of a halved map, with a gradient, which recomputes that map",
        "none; it saves memory, not time",
        applies=_keeps_less,
    ),
)

KERNELS: tuple[Kernel, ...] = (
    *CONVOLUTION_KERNELS,
    Kernel("interpolation", "down2", "float32, even height and width of 4 and more", "none"),
    Kernel(
        "product", "add_up2", "even height and width, finite values", "width 128 of the low map"
    ),
    Kernel("in_place", "add, add_up2, activate", "maps that nobody else can see", "none"),
)


def choose_convolution(case: Case, halved: bool) -> ConvKernel | None:
    """Return the first kernel of the table for a case; None for Paddle's own layer."""
    for entry in CONVOLUTION_KERNELS:
        if entry.applies(case) and (halved or entry.name != "halved_again"):
            return entry.kernel
    return None
