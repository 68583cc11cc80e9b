"""Networks side by side: what they cost, how fast they are, how good; tables and plots."""

from .accuracy_table import accuracy_table
from .comparison import ALPHAS, Comparison, compare, model_by_name, sweep
from .layer_table import layer_table
from .plots import draw_accuracy, draw_layers, draw_sweep
from .published import PUBLISHED, OwnRun, Published
from .race import RACE_ENGINES, RaceResult, check_engine, interleave, race
from .race_report import draw_race, race_table
from .races import races
from .results import read_run

__all__ = [
    "ALPHAS",
    "PUBLISHED",
    "RACE_ENGINES",
    "Comparison",
    "OwnRun",
    "Published",
    "RaceResult",
    "accuracy_table",
    "check_engine",
    "compare",
    "draw_accuracy",
    "draw_layers",
    "draw_race",
    "draw_sweep",
    "interleave",
    "layer_table",
    "model_by_name",
    "race",
    "race_table",
    "races",
    "read_run",
    "sweep",
]
