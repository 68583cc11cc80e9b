"""Names for the variables of a written forward."""

from __future__ import annotations

import re

from .graph import Graph, Value, leaves
from .sizes import Size


class VariableNames:
    """Names ``t0``, ``t1``, ... of variables; a name that is given back is used again.

    Every kind of variable is numbered on its own. Those of the kind ``"result"``, which are
    unpacked at once, are named ``r0``, ``r1``, ...; a writer tells other kinds apart by what it
    appends.

    Args:
        argument: the name of the forward's input, which no other variable gets.
    """

    def __init__(self, argument: str) -> None:
        self._argument = argument
        self._prefix = "v" if re.fullmatch(r"t\d+[hl]?", argument) else "t"
        self._free: dict[str, list[int]] = {}
        self._highest: dict[str, int] = {}

    def take(self, kind: str = "") -> str:
        """Return a name that no variable of this kind has."""
        free = self._free.setdefault(kind, [])
        if free:
            number = min(free)
            free.remove(number)
        else:
            number = self._highest[kind] = self._highest.get(kind, -1) + 1
        return f"{'r' if kind == 'result' else self._prefix}{number}"

    def give_back(self, name: str, kind: str = "") -> None:
        """Let a name be used again."""
        if name != self._argument:
            self._free.setdefault(kind, []).append(int(name[1:]))


def last_uses(graph: Graph) -> dict[int, list[Value]]:
    """Return, by the position of a call, the values that it is the last to use.

    Values that the network's output needs are in no list.
    """
    last: dict[Value, int] = {}
    for position, node in enumerate(graph.nodes):
        for value in [*node.outputs, *node.inputs, *_read_for_sizes((node.args, node.kwargs))]:
            last[value] = position
    needed = [leaf for leaf in leaves(graph.output) if isinstance(leaf, Value)]
    for value in [*needed, *_read_for_sizes(graph.output)]:
        last.pop(value, None)
    by_position: dict[int, list[Value]] = {}
    for value, position in last.items():
        by_position.setdefault(position, []).append(value)
    return by_position


def _read_for_sizes(arguments: object) -> list[Value]:
    """Return the values whose shapes are read for the sizes among some arguments."""
    return [
        leaf
        for argument in leaves(arguments)
        if isinstance(argument, Size)
        for leaf in leaves(argument.expression)
        if isinstance(leaf, Value)
    ]
