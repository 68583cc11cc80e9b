"""The octave feature: a map stored as a pair of bands, and the few operations on it.

An octave feature of ``C`` channels is a pair ``(high, low)``:

* ``high``: ``[N, C - C_l, H, W]``,
* ``low``: ``[N, C_l, ceil(H / 2), ceil(W / 2)]``,

with ``C_l = int(alpha * C)`` (Chen et al., arXiv:1904.05049, Section 3.1). A band of zero channels
is ``None``. All layers are written with the functions of this file, and with :func:`down2` and
:func:`up2`, which are in ``nn/fast``.
"""

from __future__ import annotations

import numbers
import operator
from typing import Any, Callable, Optional, Tuple, Union

import paddle
from paddle import Tensor

from .fast import down2, up2

OctaveFeature = Tuple[Optional[Tensor], Optional[Tensor]]

_NOT_REAL = frozenset(
    (paddle.bool, paddle.uint8, paddle.int8, paddle.int16, paddle.int32, paddle.int64)
)

# Wide enough for an alpha that went through float32, far too small to reach the next k / C.
_ALPHA_TOLERANCE = 1e-7


def check_alpha(alpha: float, name: str = "alpha") -> float:
    """Return ``alpha`` as a float.

    Raises:
        TypeError: it is not a real number.
        ValueError: it is NaN or outside the closed interval [0, 1].
    """
    if isinstance(alpha, bool) or not isinstance(alpha, numbers.Real):
        raise TypeError(f"{name} must be a number in [0, 1], got {alpha!r}")
    if not 0 <= alpha <= 1:  # also false for NaN
        raise ValueError(f"{name} must be in [0, 1], got {alpha!r}")
    return float(alpha)


def split_channels(channels: int, alpha: float) -> tuple[int, int]:
    """Return ``(high, low)``, how many of ``channels`` each band holds.

    ``low = int(alpha * channels)``, safe against float error: ``split_channels(100, 0.29)`` is
    ``(71, 29)`` although ``0.29 * 100`` is a little less than 29.

    Raises:
        TypeError, ValueError: as :func:`check_alpha`.
    """
    low = min(channels, int((check_alpha(alpha) + _ALPHA_TOLERANCE) * channels))
    return channels - low, low


def map_bands(
    high_fn: Callable[[Tensor], Tensor] | None,
    x: OctaveFeature,
    low_fn: Callable[[Tensor], Tensor] | None = None,
) -> OctaveFeature:
    """Apply ``high_fn`` to the high band and ``low_fn`` (by default the same) to the low band.

    A band that is ``None`` stays ``None``, and its function may be ``None``.

    Raises:
        TypeError: ``x`` is not a pair.
    """
    high, low = as_pair(x, "map_bands")
    return _apply(high_fn, high), _apply(low_fn or high_fn, low)


def _apply(function: Callable[[Tensor], Tensor] | None, band: Tensor | None) -> Tensor | None:
    return band if band is None or function is None else function(band)


@paddle.jit.not_to_static  # which cannot read a function as a default value
def add(
    a: OctaveFeature,
    b: OctaveFeature,
    plus: Callable[[Tensor, Tensor], Tensor] = operator.add,
) -> OctaveFeature:
    """Add two octave features band by band; a missing band counts as zero.

    Args:
        a, b: pairs ``(high, low)``.
        plus: adds two Tensors.

    Raises:
        TypeError: one of them is not a pair.
    """
    (a_high, a_low), (b_high, b_low) = as_pair(a, "add"), as_pair(b, "add")

    def add_band(x: Tensor | None, y: Tensor | None) -> Tensor | None:
        if x is None or y is None:
            return y if x is None else x
        return plus(x, y)

    return add_band(a_high, b_high), add_band(a_low, b_low)


def split(x: Tensor, alpha: float) -> OctaveFeature:
    """Turn a map ``[N, C, H, W]`` into an octave feature.

    The first ``C - int(alpha * C)`` channels become the high band, the others, halved by
    :func:`down2`, the low band.
    """
    high, low = split_channels(x.shape[1], alpha)
    return (
        x[:, :high] if high else None,
        down2(x[:, high:]) if low else None,
    )


@paddle.jit.not_to_static
def merge(x: OctaveFeature, up: Callable[..., Tensor] = up2) -> Tensor:
    """Turn an octave feature into one map ``[N, C, H, W]``, high channels first.

    The low band is up-sampled by ``up``, onto the size of the high band, or to twice its own
    where there is no high band.

    Raises:
        TypeError: ``x`` is not a pair.
        ValueError: both bands are ``None``.
    """
    high, low = as_pair(x, "merge")
    if low is None:
        if high is None:
            raise ValueError("merge: both bands are None, there is nothing to merge")
        return high
    if high is None:
        return up(low)
    return paddle.concat([high, up(low, high)], axis=1)


def _is_tensor(x: Any) -> bool:
    # An eager Tensor, or the symbolic one that stands for it while a graph is traced.
    return isinstance(x, Tensor) or hasattr(x, "stop_gradient")


@paddle.jit.not_to_static
def as_pair(x: OctaveFeature, where: str) -> OctaveFeature:
    """Check that ``x`` is a pair, and return it.

    Unpacking a Tensor by mistake would take the two samples of a batch for the two bands.

    Args:
        x: what should be ``(high, low)``.
        where: what to name in an error message.

    Raises:
        TypeError: it is a Tensor, or not a pair at all.
    """
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        if _is_tensor(x):
            got = f"one Tensor of shape {list(x.shape)}"
        else:
            got = f"{len(x)} elements" if isinstance(x, (tuple, list)) else type(x).__name__
        raise TypeError(f"{where}: expected a pair (high, low), got {got}")
    return x[0], x[1]


@paddle.jit.not_to_static
def check_images(x: Tensor, where: Any) -> Tensor:
    """Check that a network was given one Tensor ``[N, 3, H, W]``, and return it.

    Raises:
        TypeError: it is no Tensor, or a pair.
        ValueError: it has another rank, or other than three channels.
    """
    name = where if isinstance(where, str) else type(where).__name__
    if not _is_tensor(x):
        raise TypeError(f"{name}: expected a Tensor [N, 3, H, W], got {type(x).__name__}")
    shape = list(x.shape)
    if len(shape) != 4 or shape[1] not in (-1, 3):
        raise ValueError(f"{name}: expected an input of shape [N, 3, H, W], got {shape}")
    return x


@paddle.jit.not_to_static
def as_bands(
    x: Union[Tensor, OctaveFeature], channels: tuple[int, int], where: Any
) -> OctaveFeature:
    """Check what a layer was given and return it as a pair.

    Args:
        x: a pair ``(high, low)``, or one Tensor where only one band is expected.
        channels: how many channels ``(high, low)`` the layer expects; 0 for an absent band.
        where: what to name in an error message, usually the layer.

    Raises:
        TypeError: neither a Tensor nor a pair of Tensors and Nones, or a band of integers.
        ValueError: a band too many or too few, a wrong channel count or rank, or two bands whose
            sizes or batches do not belong together.
    """
    pair: Any = x
    if _is_tensor(x) and not all(channels):
        pair = (x, None) if channels[0] else (None, x)
    problem = _problem_with(pair, channels)
    if problem is not None:
        name = where if isinstance(where, str) else f"{type(where).__name__}({where.extra_repr()})"
        error, message = problem
        raise error(f"{name}: {message}")
    return pair[0], pair[1]


def _problem_with(x: Any, channels: tuple[int, int]) -> tuple[type[Exception], str] | None:
    """Return what keeps ``x`` from being a pair with these channels, None if nothing does."""
    expected = f"expected {channels[0]} high and {channels[1]} low channels"
    if _is_tensor(x):
        shape = list(x.shape)
        return ValueError, f"{expected} as a pair (high, low), got one Tensor of shape {shape}"
    if not isinstance(x, (tuple, list)):
        return TypeError, f"{expected}, got {type(x).__name__}; pass a Tensor or a pair"
    if len(x) != 2:
        return ValueError, f"{expected} as a pair (high, low), got {len(x)} elements"

    for band, tensor, count in zip(("high", "low"), x, channels):
        if tensor is None:
            if count:
                return ValueError, f"{expected}, got no {band} band (None)"
            continue
        if not _is_tensor(tensor):
            kind = type(tensor).__name__
            return TypeError, f"the {band} band must be a Tensor or None, got {kind}"
        shape = list(tensor.shape)
        if len(shape) != 4:
            return ValueError, f"the {band} band must have the shape [N, C, H, W], got {shape}"
        if shape[1] not in (-1, count):
            return ValueError, f"{expected}, got {shape[1]} {band} channels (shape {shape})"
        if tensor.dtype in _NOT_REAL:
            return TypeError, f"the {band} band must hold real numbers, got {tensor.dtype}"

    high, low = x
    if high is not None and low is not None:
        whole, half = list(high.shape), list(low.shape)
        wanted = [whole[0], (whole[2] + 1) // 2, (whole[3] + 1) // 2]
        for size, got, want in zip((whole[0], *whole[2:]), (half[0], *half[2:]), wanted):
            if size >= 0 and got >= 0 and got != want:
                return ValueError, (
                    f"the two bands do not belong together: high {whole}, low {half}; the low band "
                    "must have the same batch and the size ceil(H / 2) x ceil(W / 2)"
                )
    return None
