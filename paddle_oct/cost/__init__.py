"""What any network costs: parameters, multiply-accumulates, memory, time."""

from .convolutions import ConvolutionCost, compare_convolutions
from .profiling import Latency, LayerCost, MemoryCost, Profile, count_macs, profile

__all__ = [
    "ConvolutionCost",
    "Latency",
    "LayerCost",
    "MemoryCost",
    "Profile",
    "compare_convolutions",
    "count_macs",
    "profile",
]
