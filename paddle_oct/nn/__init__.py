"""Layers for octave features; they depend on Paddle alone."""

from pathlib import Path

from paddle_oct.base.private_tracing import never_traced

from .bands import (
    OctaveAdd,
    OctaveAvgPool2D,
    OctaveGlobalAvgPool2D,
    OctaveMaxPool2D,
    OctaveMerge,
    OctaveNorm,
    OctaveSE,
    PerBand,
)
from .blocks import Conv_BN, Conv_BN_ACT
from .fast import KERNELS, Kernel, fast_kernels
from .feature import OctaveFeature, add, down2, map_bands, merge, split, split_channels, up2
from .octave_conv import OctaveConv, OctaveLayer
from .plan import ConvArguments, OctavePlan, PathPlan, plan_octave_conv
from .residual import OctaveResidual

# What SOT traces calls the layers whole (``called_whole``), and what Python runs calls functions
# that Python runs too. So whether operations run eagerly does not hang on the reading of bytecode.
for _room in ("base", "nn"):
    never_traced(Path(__file__).parents[1] / _room)

__all__ = [
    "KERNELS",
    "ConvArguments",
    "Conv_BN",
    "Conv_BN_ACT",
    "Kernel",
    "OctaveAdd",
    "OctaveAvgPool2D",
    "OctaveConv",
    "OctaveFeature",
    "OctaveGlobalAvgPool2D",
    "OctaveLayer",
    "OctaveMaxPool2D",
    "OctaveMerge",
    "OctaveNorm",
    "OctavePlan",
    "OctaveResidual",
    "OctaveSE",
    "PathPlan",
    "PerBand",
    "add",
    "down2",
    "fast_kernels",
    "map_bands",
    "merge",
    "plan_octave_conv",
    "split",
    "split_channels",
    "up2",
]
