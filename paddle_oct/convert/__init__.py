"""From other people's models and weights to ours."""

from .load import (
    convert_names,
    import_weights,
    load_weights,
    read_weights,
    save_state,
    save_weights,
)
from .network import octavize
from .report import ConvReport, OctavizeReport
from .strict import load_state
from .vanilla import takes_vanilla

__all__ = [
    "ConvReport",
    "OctavizeReport",
    "convert_names",
    "import_weights",
    "load_state",
    "load_weights",
    "octavize",
    "read_weights",
    "save_state",
    "save_weights",
    "takes_vanilla",
]
