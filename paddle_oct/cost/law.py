"""What octave convolution costs by the paper's Table 1, as a share of the vanilla convolution."""

from __future__ import annotations


def macs_law(alpha: float) -> float:
    """Return the multiply-accumulates of one octave convolution: ``1 - 3/4 alpha (2 - alpha)``."""
    return 1 - 0.75 * alpha * (2 - alpha)


def memory_law(alpha: float) -> float:
    """Return the memory of an octave feature: ``1 - 3/4 alpha``."""
    return 1 - 0.75 * alpha
