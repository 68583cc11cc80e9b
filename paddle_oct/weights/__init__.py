"""Files of trained weights: reading the formats of others, loading a state strictly."""

from .files import read_weights, save_state, save_weights
from .paddle_params import read_pickle
from .strict import load_state

__all__ = ["load_state", "read_pickle", "read_weights", "save_state", "save_weights"]
