"""What octave convolution costs by the paper's Table 1, as a share of the vanilla convolution."""

from __future__ import annotations


def macs_law(alpha: float, alpha_out: float | None = None) -> float:
    """Return the share of the vanilla convolution's multiply-accumulates, at stride 1.

    That is ``1 - 3/4 (a + b - ab)`` from alpha ``a`` to alpha ``b``, so with one alpha
    ``1 - 3/4 alpha (2 - alpha)``.

    Args:
        alpha: that of the input, in [0, 1].
        alpha_out: that of the output; by default the same.
    """
    a, b = alpha, alpha if alpha_out is None else alpha_out
    return 1 - 0.75 * (a + b - a * b)


def memory_law(alpha: float) -> float:
    """Return the share of the vanilla feature's memory: ``1 - 3/4 alpha``; ``alpha`` in [0, 1]."""
    return 1 - 0.75 * alpha
