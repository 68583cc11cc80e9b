"""From other people's models and weights to ours."""

from .networks import ConvReport, OctavizeReport, octavize
from .weights import (
    convert_names,
    import_weights,
    load_state,
    load_weights,
    read_weights,
    save_state,
    save_weights,
    takes_vanilla,
)

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
