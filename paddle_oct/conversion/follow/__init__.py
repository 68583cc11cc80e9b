"""Following a network's forward: recording what it computes, and writing it down as source."""

from .graph import Graph, Node, Parameter, Training, Value, leaves, map_leaves
from .sizes import Size
from .source import Forward, render
from .trace import CannotFollow, trace

__all__ = [
    "CannotFollow",
    "Forward",
    "Graph",
    "Node",
    "Parameter",
    "Size",
    "Training",
    "Value",
    "leaves",
    "map_leaves",
    "render",
    "trace",
]
