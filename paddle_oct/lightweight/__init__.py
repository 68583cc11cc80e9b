"""Lightweight convolutions, which are not about octaves: each leaves out a part of the kernel.

====================  =================================================  =====================
layer                 kernels                                            weights
====================  =================================================  =====================
``nn.Conv2D``         N filters of M kernels, k x k                      k^2 M N
``nn.Conv2D``, G      G groups, each of M/G channels into N/G            k^2 M N / G
``DSCConv``           M kernels k x k, one per channel, then 1x1         k^2 M + M N
``HetConv``, P        M/P of a filter's kernels are k x k, others 1x1    k^2 M N / P + M N - M N / P
``DualConv``, G       G groups of k x k, and a 1x1 everywhere            k^2 M N / G + M N
====================  =================================================  =====================

Each takes and returns one Tensor, in the place of ``nn.Conv2D``: in ``nn.Sequential``, and as
``conv_layer`` of the octave layers, which gives a block with norm and activation, with two bands
or, at alpha 0, with one.
"""

from .dsc_conv import DSCConv
from .dual_conv import DualConv
from .het_conv import HetConv

__all__ = ["DSCConv", "DualConv", "HetConv"]
