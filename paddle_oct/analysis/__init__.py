"""What a network costs: parameters, multiply-accumulates, memory, time; tables and plots."""

from .comparison import ALPHAS, Comparison, compare, model_by_name, sweep
from .plots import draw_accuracy, draw_layers, draw_sweep
from .profiling import Latency, LayerCost, MemoryCost, Profile, count_macs, profile
from .published import PUBLISHED, OwnRun, Published, read_run

__all__ = [
    "ALPHAS",
    "PUBLISHED",
    "Comparison",
    "Latency",
    "LayerCost",
    "MemoryCost",
    "OwnRun",
    "Profile",
    "Published",
    "compare",
    "count_macs",
    "draw_accuracy",
    "draw_layers",
    "draw_sweep",
    "model_by_name",
    "profile",
    "read_run",
    "sweep",
]
