"""The table of kernels: what each stands in for, when, and where its bound was measured."""

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

CHANNEL_BOUND = 64  # pixels of a map; with more, one product per sample and channel is faster
UNFOLD_BOUND = 2**19  # values of a batch; with more, a network was no faster
_EPYC = "AMD EPYC, 2 threads, float32"
_LARGE_KERNEL = "channels in x channels out at least twice the values of one sample's maps"


@dataclass(frozen=True)
class Kernel:
    """What may stand in for the definition of an operation, in eager mode on a CPU.

    Attributes:
        name: its name.
        operation: which operation of :mod:`paddle_oct.nn.fast` it computes.
        condition: when it is used, in words.
        bound: up to which size it is faster, in words.
        measured_on: the processor, threads and precision of the measurement;
            ``benchmarks/RESULTS.md`` has the numbers.
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
        applies: whether it can be used for a case; of several the first in the table is used.
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
    # Not a 3x3 with a gradient: the backward pass would unfold the whole batch, which costs memory.
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


def _can_recompute(case: Case) -> bool:
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
        _LARGE_KERNEL,
        applies=_is_small_batch,
        kernel=OneImage(),
    ),
    ConvolutionKernel(
        "row_per_pixel",
        "convolve",
        "dense 1x1 or 3x3 of a single image, without a gradient",
        _LARGE_KERNEL,
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
        "recomputed_halving",
        "convolve",
        "dense or grouped, of a halved map, with a gradient; the backward pass recomputes that map",
        "none; it saves memory, not time",
        applies=_can_recompute,
    ),
)

KERNELS: tuple[Kernel, ...] = (
    *CONVOLUTION_KERNELS,
    Kernel("interpolation", "down2", "float32, even height and width of 4 and more", "none"),
    Kernel("complex", "up2", "float32 and float64", "none"),
    Kernel("pairs", "add_up2", "even sizes, without a gradient", "none"),
    Kernel("in_place", "add, add_up2, activate", "maps that nothing else reads", "none"),
)


def choose_convolution(case: Case, halved: bool) -> ConvKernel | None:
    """Return the first kernel of the table that can be used for a case; None if none can.

    Args:
        case: what decides.
        halved: whether the map is halved before the convolution.
    """
    for entry in CONVOLUTION_KERNELS:
        if entry.applies(case) and (halved or entry.name != "recomputed_halving"):
            return entry.kernel
    return None
