"""Files of trained weights: reading the formats of others, loading a state strictly.

This room knows formats and layouts, but no network. Each network's class states what other people
call its layers (:class:`ForeignLayout`).
"""

from .files import read_weights, save_state, save_weights
from .gluon import GluonLayout
from .layouts import ForeignLayout, layouts_of
from .loading import load_weights, to_state
from .names import NameTable
from .paddle_params import read_pickle
from .pickled_arrays import unpickle
from .strict import load_state
from .vanilla import VanillaLayout

__all__ = [
    "ForeignLayout",
    "GluonLayout",
    "NameTable",
    "VanillaLayout",
    "layouts_of",
    "load_state",
    "load_weights",
    "read_pickle",
    "read_weights",
    "save_state",
    "save_weights",
    "to_state",
    "unpickle",
]
