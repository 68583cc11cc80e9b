"""Names for the variables of a written forward."""

from __future__ import annotations

import re
from typing import Sequence

from .graph import Graph, Value, leaves
from .sizes import Size


class VariableNames:
    """Names ``t0``, ``t1``, ... of variables; a name that is given back is used again.

    Every kind of variable is numbered on its own; a writer tells kinds apart by what it appends.

    Args:
        arguments: the names of the forward's inputs, which no other variable gets.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = arguments
        taken = any(re.fullmatch(r"t\d+[hl]?", argument) for argument in arguments)
        self._prefix = "v" if taken else "t"
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
        return f"{self._prefix}{number}"

    def give_back(self, name: str, kind: str = "") -> None:
        """Let a name be used again."""
        if name not in self._arguments:
            self._free.setdefault(kind, []).append(int(name[1:]))


def last_uses(graph: Graph) -> dict[int, list[Value]]:
    """Return, by the position of a call, the values that it is the last to use.

    Values that the network's output needs are in no list.
    """
    last: dict[Value, int] = {}
    for position, node in enumerate(graph.nodes):
        for value in [*node.outputs, *node.inputs, *_read_for_sizes((node.args, node.kwargs))]:
            last[value] = position
    for question in graph.questions:
        for value in _values([question.left, question.right]):
            last[value] = max(last.get(value, 0), question.position)
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
        value
        for argument in leaves(arguments)
        if isinstance(argument, Size)
        for value in _values(argument.expression)
    ]


def _values(expression: object) -> list[Value]:
    return [leaf for leaf in leaves(expression) if isinstance(leaf, Value)]
