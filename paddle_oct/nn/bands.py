"""Layers that work on both bands of an octave feature.

Each takes a pair ``(high, low)``, of which one may be ``None``, and all but :class:`OctaveMerge`
and :class:`OctaveGlobalAvgPool2D` return one, so that they chain in ``paddle.nn.Sequential``.
"""

from __future__ import annotations

import operator
from typing import Any, Callable

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from paddle_oct.base.private_tracing import called_whole

from .arguments import positive_int
from .blocks import LayerFactory
from .fast import spatial_size, up2
from .feature import (
    OctaveFeature,
    add,
    as_bands,
    as_pair,
    check_alpha,
    map_bands,
    merge,
    split_channels,
)


@called_whole
class PerBand(nn.Layer):
    """Apply one layer to both bands: an activation, dropout, anything that works for every number
    of channels and every size.

    Args:
        layer (Layer): the layer; its parameters, if any, are shared by the bands.

    Examples:
        >>> import paddle
        >>> from paddle_oct.nn import PerBand, split
        >>> relu = PerBand(paddle.nn.ReLU())
        >>> high, low = relu(split(paddle.full([1, 4, 8, 8], -1.0), alpha=0.5))
        >>> print(float(high.sum()), list(low.shape))
        0.0 [1, 2, 4, 4]
    """

    def __init__(self, layer: nn.Layer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: OctaveFeature) -> OctaveFeature:
        return map_bands(self.layer, x)


@called_whole
class OctaveNorm(nn.Layer):
    """One norm per band.

    Args:
        channels (int): channels of both bands together.
        alpha (float): the share of low-frequency channels, in [0, 1].
        norm_layer (Callable): makes the norm of a band from its channel count.

    Shape: as the input of :class:`~paddle_oct.OctaveConv`; the output is a pair of the same shapes.

    Raises:
        TypeError, ValueError: an argument is out of range, or the input does not fit.
    """

    def __init__(
        self, channels: int, alpha: float = 0.5, norm_layer: LayerFactory = nn.BatchNorm2D
    ) -> None:
        super().__init__()
        self.bands = split_channels(
            positive_int(channels, "OctaveNorm: channels"), check_alpha(alpha, "OctaveNorm: alpha")
        )
        self.high = norm_layer(self.bands[0]) if self.bands[0] else None
        self.low = norm_layer(self.bands[1]) if self.bands[1] else None

    def forward(self, x: Tensor | OctaveFeature) -> OctaveFeature:
        return map_bands(self.high, as_bands(x, self.bands, "OctaveNorm"), self.low)


@called_whole
class _OctavePool2D(nn.Layer):
    """Pool both bands so that they still belong together.

    The low band is pooled in ceil mode and, where that leaves a row or column too many, cut to
    ``ceil(H / 2) x ceil(W / 2)`` of the pooled high band.

    Raises:
        ValueError: the pooled bands do not belong together, because there is too little padding.
    """

    _layer: Callable[..., nn.Layer]

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.pool = self._layer(kernel_size, stride, padding, ceil_mode=ceil_mode)
        self.pool_low = self._layer(kernel_size, stride, padding, ceil_mode=True)

    def forward(self, x: OctaveFeature) -> OctaveFeature:
        high, low = as_pair(x, type(self).__name__)
        if high is None or low is None:
            return map_bands(self.pool, (high, low))
        high, low = self.pool(high), self.pool_low(low)
        height, width = spatial_size(high)
        low = low[:, :, : (height + 1) // 2, : (width + 1) // 2]
        # Raises if the two do not belong together.
        return as_bands((high, low), (high.shape[1], low.shape[1]), self)

    def extra_repr(self) -> str:
        return f"{self.pool.extra_repr()}, ceil_mode={self.pool.ceil_mode}"


class OctaveMaxPool2D(_OctavePool2D):
    """Max pooling per band; ``kernel_size``, ``stride``, ``padding`` and ``ceil_mode`` are as in
    ``paddle.nn.MaxPool2D``.
    """

    _layer = nn.MaxPool2D


class OctaveAvgPool2D(_OctavePool2D):
    """Average pooling per band; ``kernel_size``, ``stride``, ``padding``, ``ceil_mode`` and
    ``exclusive`` are as in ``paddle.nn.AvgPool2D``.
    """

    _layer = nn.AvgPool2D

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        exclusive: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        self.pool.exclusive = self.pool_low.exclusive = exclusive


class _OnTensors(nn.Layer):
    """A function of Tensors as a layer.

    ``paddle.flops`` looks at the first input of every layer without sub-layers, and fails where
    that is a pair.
    """

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *tensors: Tensor) -> Tensor:
        return self.function(*tensors)

    def extra_repr(self) -> str:
        return self.function.__name__


@called_whole
class OctaveAdd(nn.Layer):
    """Add two octave features, as at the end of a residual block; a missing band counts as zero."""

    def __init__(self) -> None:
        super().__init__()
        self.plus = _OnTensors(operator.add)

    def forward(self, x: OctaveFeature, y: OctaveFeature) -> OctaveFeature:
        return add(x, y, self.plus)


@called_whole
class OctaveMerge(nn.Layer):
    """Merge a pair into one Tensor ``[N, C, H, W]``: high channels, then up-sampled low ones."""

    def __init__(self) -> None:
        super().__init__()
        self.up = _OnTensors(up2)

    def forward(self, x: OctaveFeature) -> Tensor:
        return merge(x, self.up)


@called_whole
class OctaveGlobalAvgPool2D(nn.Layer):
    """The mean of every channel, ``[N, C, 1, 1]``, high channels first."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.AdaptiveAvgPool2D(1)

    def forward(self, x: OctaveFeature) -> Tensor:
        bands = as_pair(x, "OctaveGlobalAvgPool2D")
        means = [self.mean(band) for band in bands if band is not None]
        if not means:
            raise ValueError("OctaveGlobalAvgPool2D: both bands are None")
        return means[0] if len(means) == 1 else paddle.concat(means, axis=1)


@called_whole
class OctaveSE(nn.Layer):
    """Squeeze-and-excitation across both bands.

    The means of all channels, high first, pass through a 1x1 convolution to
    ``channels // reduction`` channels, then ReLU, then one 1x1 convolution and one sigmoid per
    band, by whose output the band is scaled. The authors' SE networks do it this way (Table 9).

    Args:
        channels (int): channels of both bands together.
        alpha (float): the share of low-frequency channels, in [0, 1].
        reduction (int): by what the number of channels is divided in between; at most ``channels``.

    Shape: a pair of bands, as in :class:`~paddle_oct.OctaveConv`; the output has the same.

    Raises:
        TypeError, ValueError: an argument is out of range, or the input does not fit.
    """

    def __init__(self, channels: int, alpha: float = 0.5, reduction: int = 16) -> None:
        super().__init__()
        self.bands = split_channels(
            positive_int(channels, "OctaveSE: channels"), check_alpha(alpha, "OctaveSE: alpha")
        )
        squeezed = channels // positive_int(reduction, "OctaveSE: reduction")
        if not squeezed:
            raise ValueError(
                f"OctaveSE: reduction={reduction} leaves nothing of {channels} channels"
            )
        high, low = self.bands
        self.pool = OctaveGlobalAvgPool2D()
        self.squeeze = nn.Conv2D(channels, squeezed, 1)
        self.excite_h = nn.Conv2D(squeezed, high, 1) if high else None
        self.excite_l = nn.Conv2D(squeezed, low, 1) if low else None

    def forward(self, x: Tensor | OctaveFeature) -> OctaveFeature:
        x = as_bands(x, self.bands, "OctaveSE")
        squeezed = F.relu(self.squeeze(self.pool(x)))
        high, low = x
        return _excited(high, self.excite_h, squeezed), _excited(low, self.excite_l, squeezed)


def _excited(band: Tensor | None, excite: nn.Layer | None, squeezed: Tensor) -> Tensor | None:
    """Scale a band by the gates that a convolution makes of the squeezed means."""
    if band is None or excite is None:
        return None
    return band * F.sigmoid(excite(squeezed))
