"""Looking at any network: the tree of its layers, its graph, what its bands hold."""

from .frequency import RadialSpectrum, draw_frequencies, octave_bands, radial_power_spectrum
from .structure import add_graph, module_tree, write_graph

__all__ = [
    "RadialSpectrum",
    "add_graph",
    "draw_frequencies",
    "module_tree",
    "octave_bands",
    "radial_power_spectrum",
    "write_graph",
]
