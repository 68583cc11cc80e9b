"""From a trained network to one that is fast elsewhere: folding, export, running, racing."""

from .engines import Predictor, load
from .export import export
from .fold import fold
from .race import RACE_ENGINES, RaceResult, check_engine, interleave, race
from .race_report import draw_race, race_table

__all__ = [
    "RACE_ENGINES",
    "Predictor",
    "RaceResult",
    "check_engine",
    "draw_race",
    "export",
    "fold",
    "interleave",
    "load",
    "race",
    "race_table",
]
