"""Comparing networks by cost, speed and accuracy; tables and plots."""

from .accuracy_table import accuracy_table
from .comparison import ALPHAS, Comparison, compare, model_by_name, sweep
from .layer_table import layer_table
from .plots import draw_accuracy, draw_layers, draw_sweep
from .published import PUBLISHED, OwnRun, Published, of_table
from .race import RACE_ENGINES, check_engine, race
from .race_report import draw_race, race_table
from .race_result import Contender, RaceResult
from .races import races
from .results import read_run, read_runs

__all__ = [
    "ALPHAS",
    "PUBLISHED",
    "RACE_ENGINES",
    "Comparison",
    "Contender",
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
    "layer_table",
    "model_by_name",
    "of_table",
    "race",
    "race_table",
    "races",
    "read_run",
    "read_runs",
    "sweep",
]
