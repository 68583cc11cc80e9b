"""Following a network's forward: recording what it computes, and writing it as source."""

from .errors import CannotFollow
from .graph import Constant, Graph, Node, Parameter, Value, leaves, map_leaves
from .kept import kept_random_state
from .questions import Question
from .record import record
from .source import Constants, Source
from .write import Code, ForwardWriter, layer_code

__all__ = [
    "CannotFollow",
    "Code",
    "Constant",
    "Constants",
    "ForwardWriter",
    "Graph",
    "Node",
    "Parameter",
    "Question",
    "Source",
    "Value",
    "kept_random_state",
    "layer_code",
    "leaves",
    "map_leaves",
    "record",
]
