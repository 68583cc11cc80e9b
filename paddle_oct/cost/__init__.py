"""What any network costs: parameters, multiply-accumulates, memory, time."""

from .convolutions import ConvolutionCost, compare_convolutions
from .inputs import InputSize, check_sizes, make_inputs
from .latency import measure_latency
from .law import macs_law, memory_law
from .operators import register_operator
from .profiling import count_macs, profile
from .results import Latency, LayerCost, MemoryCost, Profile

__all__ = [
    "ConvolutionCost",
    "InputSize",
    "Latency",
    "LayerCost",
    "MemoryCost",
    "Profile",
    "check_sizes",
    "compare_convolutions",
    "count_macs",
    "macs_law",
    "make_inputs",
    "measure_latency",
    "memory_law",
    "profile",
    "register_operator",
]
