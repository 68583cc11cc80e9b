"""The sum of a residual block, band by band."""

from __future__ import annotations

from paddle import Tensor, nn

from paddle_oct.base.private_tracing import called_whole

from . import fast
from .feature import OctaveFeature, as_pair


@called_whole
class OctaveResidual(nn.Layer):
    """The base of residual blocks: ``act(residual(x) + shortcut(x))``, band by band.

    A missing band counts as zero. A subclass builds its layers and says in :meth:`residual` what
    is added to the shortcut.

    Args:
        act (Layer|None): the activation of the sum, for both bands; none by default.

    Shape: a pair of bands in and out.

    Examples:
        >>> import paddle
        >>> from paddle_oct.nn import Conv_BN, OctaveResidual, split
        >>> class Block(OctaveResidual):
        ...     def __init__(self, channels):
        ...         super().__init__(paddle.nn.ReLU())
        ...         self.conv = Conv_BN(channels, channels, 3, padding=1)
        ...     def residual(self, x):
        ...         return self.conv(x)
        >>> high, low = Block(8)(split(paddle.rand([1, 8, 6, 6]), alpha=0.5))
        >>> print(list(high.shape), list(low.shape))
        [1, 4, 6, 6] [1, 4, 3, 3]
    """

    def __init__(self, act: nn.Layer | None = None) -> None:
        super().__init__()
        self.act = act

    def residual(self, x: OctaveFeature) -> OctaveFeature:
        """Return what is added to the shortcut: new maps, which the sum may be written over."""
        raise NotImplementedError

    def shortcut(self, x: OctaveFeature) -> OctaveFeature:
        """Return what the residual is added to, by default the input."""
        return x

    def forward(self, x: OctaveFeature) -> OctaveFeature:
        to_high, to_low = as_pair(self.shortcut(x), "OctaveResidual: shortcut")
        high, low = as_pair(self.residual(x), "OctaveResidual: residual")
        return self._join(high, to_high), self._join(low, to_low)

    def _join(self, y: Tensor | None, x: Tensor | None) -> Tensor | None:
        if y is None or x is None:
            only = x if y is None else y
            return only if only is None or self.act is None else self.act(only)
        total = fast.add(y, x, made_by=self)
        return total if self.act is None else fast.activate(self.act, total)
