"""Networks side by side: what they cost, how fast they are, how good; tables and plots."""

from .comparison import ALPHAS, Comparison, compare, model_by_name, sweep
from .plots import draw_accuracy, draw_layers, draw_sweep
from .published import PUBLISHED, OwnRun, Published
from .race import RACE_ENGINES, RaceResult, check_engine, interleave, race
from .race_report import draw_race, race_table
from .results import read_run

__all__ = [
    "ALPHAS",
    "PUBLISHED",
    "RACE_ENGINES",
    "Comparison",
    "OwnRun",
    "Published",
    "RaceResult",
    "check_engine",
    "compare",
    "draw_accuracy",
    "draw_layers",
    "draw_race",
    "draw_sweep",
    "interleave",
    "model_by_name",
    "race",
    "race_table",
    "read_run",
    "sweep",
]
