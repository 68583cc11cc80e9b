"""Writing a recorded forward down as Python.

The result reads like a forward that somebody wrote, without branches, so that whatever Paddle does
with a forward it does with this one: ``jit.to_static`` transforms its source, with a dynamic batch
and size. Names are used again once their tensor is no longer needed, to keep memory as it was.
"""

from __future__ import annotations

import itertools
import keyword
import linecache
import math
import re
from dataclasses import dataclass, field
from typing import Any, Callable

import paddle
import paddle.nn.functional as F

from .graph import Constant, Graph, Node, Parameter, Training, Value, leaves
from .sizes import Size

_INFIX = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "matmul": "@",
    "and": "&",
    "or": "|",
    "xor": "^",
    "lshift": "<<",
    "rshift": ">>",
    "gt": ">",
    "ge": ">=",
    "lt": "<",
    "le": "<=",
    "eq": "==",
    "ne": "!=",
}
_PREFIX = {"__neg__": "-", "__pos__": "+", "__invert__": "~"}
_NUMBER = itertools.count()


@dataclass(frozen=True)
class Code:
    """An argument whose code is known."""

    text: str


@dataclass(frozen=True)
class Forward:
    """The source of a forward, and the objects that it names.

    Attributes:
        source: a function ``forward(self, ...)``.
        names: what its global names mean.
    """

    source: str
    names: dict[str, Any] = field(repr=False)

    def compile(self) -> Callable:
        """Return the function; its source can be read by ``inspect``, as Paddle's tracing does."""
        path = f"<forward {next(_NUMBER)}>"
        linecache.cache[path] = (len(self.source), None, self.source.splitlines(True), path)
        names = {**self.names, "__name__": __name__}
        exec(compile(self.source, path, "exec"), names)
        return names["forward"]


def render(graph: Graph, argument: str) -> Forward:
    """Write a graph down as it was recorded.

    Args:
        graph: what was recorded.
        argument: how to call the input.
    """
    return Writer(graph, argument).write()


class Writer:
    """Writes a graph down, line by line.

    A subclass may keep something else than one tensor for a value; it overrides
    :meth:`write_node`, :meth:`tensor` and :meth:`size`.
    """

    def __init__(self, graph: Graph, argument: str) -> None:
        self.graph = graph
        self.argument = argument
        self.names: dict[str, Any] = {"paddle": paddle, "F": F}
        self.lines: list[str] = []
        self.variables: dict[Value, str] = {graph.input: argument}
        self._prefix = "v" if re.fullmatch(r"t\d+[hl]?", argument) else "t"
        self._free: dict[str, list[int]] = {}
        self._highest: dict[str, int] = {}
        self._last_use = self._find_last_uses()
        self._constants: list[Any] = []

    def write(self) -> Forward:
        for position, node in enumerate(self.graph.nodes):
            self._release(position)
            self.write_node(node)
        self.lines.append(f"return {self.code(self.graph.output)}")
        body = "".join(f"    {line}\n" for line in self.lines)
        return Forward(f"def forward(self, {self.argument}):\n{body}", self.names)

    def write_node(self, node: Node) -> None:
        """Write one call."""
        if node.kind == "method" and node.target == "__setitem__":
            changed, index, value = node.args
            code = self.tensor(changed)
            self.lines.append(f"{code}[{self._index(index)}] = {self.code(value)}")
            self.lines.append(f"{self.new_variable(node.output)} = {code}")
            return
        call = self.call(node)
        if isinstance(node.output, Value):
            self.lines.append(f"{self.new_variable(node.output)} = {call}")
            return
        whole = self.take_name("r")
        self.lines.append(f"{whole} = {call}")
        self._unpack(whole, node.output)
        self.give_name_back(whole, "r")

    def tensor(self, value: Value) -> str:
        """Return the code of a value as one tensor."""
        return self.variables[value]

    def size(self, value: Value, axis: int) -> str:
        """Return the code of a value's size along an axis."""
        return f"{self.tensor(value)}.shape[{axis}]"

    def call(self, node: Node, tensor: Callable[[Value], str] | None = None) -> str:
        """Return the code of a call; ``tensor`` gives that of its tensors."""
        args = [self.code(arg, tensor) for arg in node.args]
        given = ", ".join([*args, *(f"{k}={self.code(v, tensor)}" for k, v in node.kwargs.items())])
        if node.kind == "layer":
            return f"{self.layer(node.target)}({given})"
        if node.kind == "function":
            return f"{node.target.replace('paddle.nn.functional.', 'F.')}({given})"
        if node.kind == "attribute":
            return f"{args[0]}.{node.target}"
        if node.target == "__getitem__":
            return f"{args[0]}[{self._index(node.args[1], tensor)}]"
        if node.target in _PREFIX:
            return f"{_PREFIX[node.target]}{args[0]}"
        plain = node.target.strip("_")
        if node.target.startswith("__") and len(args) == 2:
            left, right = (f"({arg})" if arg.startswith("-") else arg for arg in args)
            if plain in _INFIX:
                return f"{left} {_INFIX[plain]} {right}"
            if plain[:1] == "r" and plain[1:] in _INFIX:
                return f"{right} {_INFIX[plain[1:]]} {left}"
        given = given.partition(", ")[2] if len(args) + len(node.kwargs) > 1 else ""
        return f"{args[0]}.{node.target}({given})"

    def layer(self, name: str) -> str:
        """Return the code of a sub-layer or parameter, by its name in the network."""
        return layer_code(name)

    # -- arguments ------------------------------------------------------------------------------

    def code(self, argument: Any, tensor: Callable[[Value], str] | None = None) -> str:
        """Return the code of an argument."""
        if isinstance(argument, Value):
            return (tensor or self.tensor)(argument)
        if isinstance(argument, Code):
            return argument.text
        if isinstance(argument, Parameter):
            return self.layer(argument.name)
        if isinstance(argument, Training):
            return f"{self.layer(argument.layer)}.training"
        if isinstance(argument, Size):
            return self._expression(argument.expression)
        if isinstance(argument, list):
            return f"[{', '.join(self.code(item, tensor) for item in argument)}]"
        if isinstance(argument, tuple):
            items = "".join(f"{self.code(item, tensor)}, " for item in argument)
            return f"({items.rstrip() if len(argument) == 1 else items[:-2]})"
        if isinstance(argument, dict):
            items = (f"{self.code(k)}: {self.code(v, tensor)}" for k, v in argument.items())
            return f"{{{', '.join(items)}}}"
        if isinstance(argument, slice):
            parts = (argument.start, argument.stop, argument.step)
            return f"slice({', '.join(self.code(part, tensor) for part in parts)})"
        if argument is Ellipsis:
            return "..."
        if argument is None or type(argument) in (bool, int, str):
            return repr(argument)
        if type(argument) is float and math.isfinite(argument):
            return repr(argument)
        return self.constant(argument.value if isinstance(argument, Constant) else argument)

    def constant(self, value: Any) -> str:
        """Return a global name for an object."""
        for number, known in enumerate(self._constants):
            if known is value:
                return f"_k{number}"
        self._constants.append(value)
        name = f"_k{len(self._constants) - 1}"
        self.names[name] = value
        return name

    def _index(self, index: Any, tensor: Callable[[Value], str] | None = None) -> str:
        parts = index if isinstance(index, tuple) and index else (index,)
        return ", ".join(
            ":".join(
                "" if p is None else self.code(p, tensor)
                for p in (part.start, part.stop, *([part.step] if part.step is not None else []))
            )
            if isinstance(part, slice)
            else self.code(part, tensor)
            for part in parts
        )

    def _expression(self, expression: Any) -> str:
        if not isinstance(expression, tuple):
            return repr(expression)
        if expression[0] == "size":
            return self.size(expression[1], expression[2])
        symbol, left, right = expression
        return f"({self._expression(left)} {symbol} {self._expression(right)})"

    def _unpack(self, code: str, output: Any) -> None:
        if isinstance(output, Value):
            self.lines.append(f"{self.new_variable(output)} = {code}")
        elif isinstance(output, (list, tuple)):
            for number, item in enumerate(output):
                self._unpack(f"{code}[{number}]", item)
        elif isinstance(output, dict):
            for key, item in output.items():
                self._unpack(f"{code}[{key!r}]", item)

    # -- names ----------------------------------------------------------------------------------

    def new_variable(self, value: Value) -> str:
        """Give a value a name."""
        self.variables[value] = self.take_name()
        return self.variables[value]

    def take_name(self, kind: str = "") -> str:
        """Return a name that is not in use; names of another ``kind`` are never the same."""
        free = self._free.setdefault(kind, [])
        if free:
            number = min(free)
            free.remove(number)
        else:
            number = self._highest[kind] = self._highest.get(kind, -1) + 1
        return f"{self._prefix if kind != 'r' else 'r'}{number}"

    def give_name_back(self, name: str, kind: str = "") -> None:
        """Let a name be used again."""
        if name != self.argument:
            self._free.setdefault(kind, []).append(int(name[1:]))

    def release(self, value: Value) -> None:
        """Give back what a value held; it is not used any more."""
        if value in self.variables:
            self.give_name_back(self.variables[value])

    def _release(self, position: int) -> None:
        """Give back what is not used from this node's inputs on."""
        for value in self._last_use.get(position - 1, ()):
            self.release(value)

    def _find_last_uses(self) -> dict[int, list[Value]]:
        last: dict[Value, int] = {}
        for position, node in enumerate(self.graph.nodes):
            for value in [*node.outputs, *node.inputs, *sized(node)]:
                last[value] = position
        for leaf in leaves(self.graph.output):
            if isinstance(leaf, Value):
                last.pop(leaf, None)
            elif isinstance(leaf, Size):
                for value in _values_of(leaf.expression):
                    last.pop(value, None)
        by_position: dict[int, list[Value]] = {}
        for value, position in last.items():
            by_position.setdefault(position, []).append(value)
        return by_position


def sized(node: Node) -> list[Value]:
    """Return the values whose sizes a node's arguments use."""
    return [
        value
        for leaf in leaves((node.args, node.kwargs))
        if isinstance(leaf, Size)
        for value in _values_of(leaf.expression)
    ]


def _values_of(expression: Any) -> list[Value]:
    return [leaf for leaf in leaves(expression) if isinstance(leaf, Value)]


def layer_code(name: str) -> str:
    """Return the code of a sub-layer or parameter by its name in the network."""
    code = "self"
    for part in name.split(".") if name else ():
        plain = part.isidentifier() and not keyword.iskeyword(part)
        code += f".{part}" if plain else f"._sub_layers[{part!r}]"
    return code
