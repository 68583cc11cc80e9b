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
from .feature import OctaveFeature, add, down2, map_bands, merge, split, split_channels, up2
from .octave_conv import OctaveConv

__all__ = [
    "Conv_BN",
    "Conv_BN_ACT",
    "OctaveAdd",
    "OctaveAvgPool2D",
    "OctaveConv",
    "OctaveFeature",
    "OctaveGlobalAvgPool2D",
    "OctaveMaxPool2D",
    "OctaveMerge",
    "OctaveNorm",
    "OctaveSE",
    "PerBand",
    "add",
    "down2",
    "map_bands",
    "merge",
    "split",
    "split_channels",
    "up2",
]
