"""Layers for octave features; they depend on Paddle alone."""

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
