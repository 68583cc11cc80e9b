"""What a network costs, what it is made of, and what its bands hold; tables and plots."""

from .comparison import ALPHAS, Comparison, compare, model_by_name, sweep
from .convolutions import ConvolutionCost, compare_convolutions
from .frequency import RadialSpectrum, draw_frequencies, octave_bands, radial_power_spectrum
from .plots import draw_accuracy, draw_layers, draw_sweep
from .profiling import Latency, LayerCost, MemoryCost, Profile, count_macs, profile
from .published import PUBLISHED, OwnRun, Published
from .structure import add_graph, module_tree, write_graph

__all__ = [
    "ALPHAS",
    "PUBLISHED",
    "Comparison",
    "ConvolutionCost",
    "Latency",
    "LayerCost",
    "MemoryCost",
    "OwnRun",
    "Profile",
    "Published",
    "RadialSpectrum",
    "add_graph",
    "compare",
    "compare_convolutions",
    "count_macs",
    "draw_accuracy",
    "draw_frequencies",
    "draw_layers",
    "draw_sweep",
    "model_by_name",
    "module_tree",
    "octave_bands",
    "profile",
    "radial_power_spectrum",
    "sweep",
    "write_graph",
]
