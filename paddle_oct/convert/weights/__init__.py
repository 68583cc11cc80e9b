"""Trained weights from files of others: reading them, and finding every tensor its place."""

from .load import (
    convert_names,
    import_weights,
    load_weights,
    read_weights,
    save_state,
    save_weights,
)
from .paddle_params import read_pickle
from .strict import load_state
from .vanilla import takes_vanilla

__all__ = [
    "convert_names",
    "import_weights",
    "load_state",
    "load_weights",
    "read_pickle",
    "read_weights",
    "save_state",
    "save_weights",
    "takes_vanilla",
]
