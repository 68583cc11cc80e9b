"""Following a network's forward: recording what it computes, and writing it as source."""

from .errors import CannotFollow
from .graph import Constant, Graph, Node, Parameter, Value, leaves, map_leaves
from .kept import kept_random_state
from .record import record
from .write import Code, ForwardWriter, WrittenForward, layer_code

__all__ = [
    "CannotFollow",
    "Code",
    "Constant",
    "ForwardWriter",
    "Graph",
    "Node",
    "Parameter",
    "Value",
    "WrittenForward",
    "kept_random_state",
    "layer_code",
    "leaves",
    "map_leaves",
    "record",
]
