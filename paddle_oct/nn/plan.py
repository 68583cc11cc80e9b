"""What the arguments of an octave convolution decide: its bands, its paths, and how each runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Sequence, Tuple, Union

from .arguments import Size2, boolean, padding_sides, positive_int, size2
from .feature import check_alpha, split_channels

Downsample = Literal["avg_pool", "strided_conv"]
Padding = Union[int, str, Sequence[Any]]
Pair = Tuple[int, int]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")
_BANDS = {"h2h": (0, 0), "h2l": (0, 1), "l2h": (1, 0), "l2l": (1, 1)}  # 0 is high, 1 is low


@dataclass(frozen=True)
class PathPlan:
    """One of the four convolutions.

    Attributes:
        name: ``"h2h"``, ``"h2l"``, ``"l2h"`` or ``"l2l"``.
        source, target: the band that it reads and the band that it writes: 0 is high, 1 is low.
        in_channels, out_channels: the channels of these two bands.
        stride: of the convolution itself, ``(vertical, horizontal)``.
        groups: as in ``paddle.nn.Conv2D``.
    """

    name: str
    source: int
    target: int
    in_channels: int
    out_channels: int
    stride: Pair
    groups: int


@dataclass(frozen=True)
class ConvArguments:
    """The arguments of an octave convolution, with sizes as pairs ``(vertical, horizontal)``.

    Attributes: as the arguments of :class:`~paddle_oct.OctaveConv`.
    """

    in_channels: int
    out_channels: int
    kernel_size: Pair
    alpha_in: float
    alpha_out: float
    stride: Pair
    padding: Padding
    dilation: Pair
    groups: int
    padding_mode: str
    downsample: Downsample | None

    @property
    def in_bands(self) -> Pair:
        """Channels of the input's ``(high, low)``."""
        return split_channels(self.in_channels, self.alpha_in)

    @property
    def out_bands(self) -> Pair:
        """Channels of the output's ``(high, low)``."""
        return split_channels(self.out_channels, self.alpha_out)

    @property
    def is_depthwise(self) -> bool:
        """Whether every input channel is filtered on its own."""
        return self.groups == self.in_channels > 1

    def __str__(self) -> str:
        parts = [
            f"{self.in_channels}, {self.out_channels}, kernel_size={list(self.kernel_size)}",
            f"alpha_in={self.alpha_in:g}, alpha_out={self.alpha_out:g}",
        ]
        if self.stride != (1, 1):
            parts.append(f"stride={list(self.stride)}")
        if self.padding != 0:
            parts.append(f"padding={self.padding!r}")
        if self.dilation != (1, 1):
            parts.append(f"dilation={list(self.dilation)}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.downsample is not None:
            parts.append(f"downsample={self.downsample!r}")
        return ", ".join(parts)


@dataclass(frozen=True)
class OctavePlan:
    """What the arguments of an octave convolution decide; :func:`plan_octave_conv` makes it.

    With it the equation reads, where a missing path counts as zero::

        X_H <- pool2(X_H)  if pool_input
        Y_H = conv(X_H; W_hh) + conv(X_L; W_lh), up2 of the second if up_l2h
        Y_L = conv(X_L; W_ll) + conv(X_H; W_hl), of pool2(X_L) if pool_l2l, pool2(X_H) if pool_h2l

    Attributes:
        arguments: what was asked for.
        in_bands, out_bands: channels of ``(high, low)`` of the input and of the output.
        paths: the convolutions that exist.
        pool_input, pool_h2l, pool_l2l: which maps are halved by average pooling.
        up_l2h: whether the path from low to high ends in up-sampling.
        is_vanilla: whether this is ``paddle.nn.Conv2D``: there is no low band, nothing is pooled.
    """

    arguments: ConvArguments
    in_bands: Pair
    out_bands: Pair
    paths: tuple[PathPlan, ...]
    pool_input: bool
    pool_h2l: bool
    pool_l2l: bool
    up_l2h: bool
    is_vanilla: bool


def plan_octave_conv(
    in_channels: int,
    out_channels: int,
    kernel_size: Size2,
    alpha_in: float = 0.5,
    alpha_out: float = 0.5,
    stride: Size2 = 1,
    padding: Padding = 0,
    dilation: Size2 = 1,
    groups: int = 1,
    *,
    padding_mode: str = "zeros",
    downsample: Downsample | None = None,
    h2l: bool = True,
    l2h: bool = True,
) -> OctavePlan:
    """Check the arguments of an octave convolution, and return what they decide.

    Args: as in :class:`~paddle_oct.OctaveConv`.

    Raises:
        TypeError, ValueError: an argument is out of range, or the two bands would not line up.
    """
    wanted = ConvArguments(
        in_channels=positive_int(in_channels, "OctaveConv: in_channels"),
        out_channels=positive_int(out_channels, "OctaveConv: out_channels"),
        groups=positive_int(groups, "OctaveConv: groups"),
        kernel_size=_pair(kernel_size, "OctaveConv: kernel_size"),
        stride=_pair(stride, "OctaveConv: stride"),
        dilation=_pair(dilation, "OctaveConv: dilation"),
        padding=padding,
        alpha_in=check_alpha(alpha_in, "OctaveConv: alpha_in"),
        alpha_out=check_alpha(alpha_out, "OctaveConv: alpha_out"),
        padding_mode=padding_mode,
        downsample=downsample,
    )
    return _decide(wanted, boolean(h2l, "OctaveConv: h2l"), boolean(l2h, "OctaveConv: l2h"))


def _decide(wanted: ConvArguments, h2l: bool, l2h: bool) -> OctavePlan:
    names = _path_names(wanted, h2l, l2h)
    _check_bands_are_fed(wanted, names)
    _check_groups(wanted)
    _check_choices(wanted)
    _check_alignment(wanted)
    pools = _pools(wanted)
    pools_stride = pools and wanted.stride == (2, 2)
    return OctavePlan(
        arguments=wanted,
        in_bands=wanted.in_bands,
        out_bands=wanted.out_bands,
        paths=tuple(_plan_path(wanted, name, pools) for name in names),
        pool_input=pools_stride,
        pool_h2l=pools,
        pool_l2l=pools_stride,
        up_l2h=wanted.stride == (1, 1),
        is_vanilla=not (wanted.in_bands[1] or wanted.out_bands[1] or pools),
    )


def _pair(value: Size2, name: str) -> Pair:
    vertical, horizontal = size2(value, name)
    return vertical, horizontal


def _plan_path(wanted: ConvArguments, name: str, pools: bool) -> PathPlan:
    source, target = _BANDS[name]
    # Pooling replaces the stride; without it the path to the low band strides once more.
    stride = (1, 1) if pools and wanted.stride == (2, 2) else wanted.stride
    if name == "l2h":
        stride = (1, 1)
    elif name == "h2l" and not pools:
        stride = (2 * stride[0], 2 * stride[1])
    in_channels = wanted.in_bands[source]
    return PathPlan(
        name=name,
        source=source,
        target=target,
        in_channels=in_channels,
        out_channels=wanted.out_bands[target],
        stride=stride,
        groups=in_channels if wanted.is_depthwise else wanted.groups,
    )


def _pools(wanted: ConvArguments) -> bool:
    """Whether maps are halved by average pooling; if not, by the strides of convolutions."""
    if wanted.downsample is not None:
        return wanted.downsample == "avg_pool"
    low = bool(wanted.in_bands[1] or wanted.out_bands[1])
    return low and _is_halving(wanted) and _keeps_size(wanted)


def _path_names(wanted: ConvArguments, h2l: bool, l2h: bool) -> list[str]:
    if wanted.is_depthwise and wanted.alpha_in != wanted.alpha_out:
        raise _error(
            wanted,
            "a depthwise convolution keeps channels in their band: alpha_in must be alpha_out",
        )
    cross = not wanted.is_depthwise
    allowed = {"h2h": True, "l2l": True, "h2l": h2l and cross, "l2h": l2h and cross}
    return [
        name
        for name, (source, target) in _BANDS.items()
        if allowed[name] and wanted.in_bands[source] and wanted.out_bands[target]
    ]


# -- checks --------------------------------------------------------------------------------------


def _error(wanted: ConvArguments, message: str) -> ValueError:
    return ValueError(f"OctaveConv({wanted}): {message}")


def _check_bands_are_fed(wanted: ConvArguments, names: list[str]) -> None:
    for band, (name, path) in enumerate((("high", "l2h"), ("low", "h2l"))):
        if wanted.out_bands[band] and not any(_BANDS[n][1] == band for n in names):
            raise _error(
                wanted,
                f"the {name} output band has no input; {path} can't be switched off here",
            )


def _check_groups(wanted: ConvArguments) -> None:
    if wanted.is_depthwise:
        for source, target in zip(wanted.in_bands, wanted.out_bands):
            if source and target % source:
                raise _error(
                    wanted,
                    f"depthwise: the output bands {wanted.out_bands} must be multiples of the "
                    f"input bands {wanted.in_bands} (high, low)",
                )
        return
    for which, bands in (("input", wanted.in_bands), ("output", wanted.out_bands)):
        if any(channels % wanted.groups for channels in bands):
            raise _error(
                wanted,
                f"groups={wanted.groups} must divide each band, but the {which} has {bands[0]} "
                f"high and {bands[1]} low channels; choose another alpha or other groups",
            )


def _check_choices(wanted: ConvArguments) -> None:
    if wanted.downsample not in (None, "avg_pool", "strided_conv"):
        raise _error(wanted, "downsample must be 'avg_pool', 'strided_conv' or None")
    if wanted.padding_mode not in _PADDING_MODES:
        raise _error(
            wanted, f"padding_mode must be one of {_PADDING_MODES}, got {wanted.padding_mode!r}"
        )


def _check_alignment(wanted: ConvArguments) -> None:
    """Check that the sizes of the output's two bands will belong together."""
    high, low = (bool(a or b) for a, b in zip(wanted.in_bands, wanted.out_bands))
    keeps_size = _keeps_size(wanted)  # also raises if the padding is not valid at all
    if high and low:
        if not _is_halving(wanted):
            raise _error(wanted, "stride must be 1 or 2 where there are two bands")
        if not keeps_size:
            raise _error(
                wanted,
                f"the two bands would not line up, {_advice(wanted)}, or a single band "
                "(both alphas 0)",
            )
    elif wanted.downsample == "avg_pool" and not _is_halving(wanted):
        raise _error(
            wanted, "downsample='avg_pool' replaces a stride of 2, use 'strided_conv' for others"
        )


def _advice(wanted: ConvArguments) -> str:
    same = [d * (k - 1) / 2 for k, d in zip(wanted.kernel_size, wanted.dilation)]
    if all(p == int(p) for p in same):
        return f"use padding={[int(p) for p in same]}"
    return "use an odd kernel_size with padding = dilation * (kernel_size - 1) / 2"


def _is_halving(wanted: ConvArguments) -> bool:
    return wanted.stride in ((1, 1), (2, 2))


def _keeps_size(wanted: ConvArguments) -> bool:
    """Whether the convolution at stride 1 has an output of the input's size, centred on it."""
    sides = padding_sides(wanted.padding, "OctaveConv: padding")
    margins = [d * (k - 1) for k, d in zip(wanted.kernel_size, wanted.dilation)]
    if any(margin % 2 for margin in margins):
        return False
    if sides is None:
        return str(wanted.padding).upper() == "SAME" or margins == [0, 0]
    return sides == [m // 2 for m in margins for _ in range(2)]
