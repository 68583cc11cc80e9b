"""Writing a recorded forward as Python source.

The source reads like a forward that somebody wrote, without branches. So Paddle can do with it what
it does with any forward: ``jit.to_static`` transforms its source, with a dynamic batch and image
size. Where the recorded one asked about sizes, the source checks that the answer is the same. A
variable's name is used again once its tensor is no longer needed, so that the memory of the tensor
is freed then.
"""

from __future__ import annotations

import keyword
from dataclasses import dataclass
from typing import Any

from .errors import CannotFollow
from .graph import Constant, Graph, Node, Parameter, Training, Value
from .questions import Question
from .sizes import Size
from .source import Constants, Source
from .variables import VariableNames, last_uses

# Python's operators of two operands by the names of their methods, without underscores.
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
# Those of one operand.
_PREFIX = {"__neg__": "-", "__pos__": "+", "__invert__": "~"}


@dataclass(frozen=True)
class Code:
    """An argument that is already source code, in place of a :class:`Value`."""

    text: str


class ForwardWriter:
    """Writes a graph as source, as it was recorded, one call a line.

    A subclass may hold more than one variable for a value; it overrides :meth:`write_node`,
    :meth:`tensor`, :meth:`size` and :meth:`release`.

    Args:
        graph: the recorded forward.
        *arguments: the names of its inputs; by default ``x0``, ``x1``, ...
    """

    def __init__(self, graph: Graph, *arguments: str) -> None:
        self.graph = graph
        self.arguments = arguments or tuple(f"x{number}" for number in range(len(graph.inputs)))
        self.lines: list[str] = []
        self.variables: dict[Value, str] = dict(zip(graph.inputs, self.arguments))
        self.free_names = VariableNames(self.arguments)
        self._constants = Constants()

    def write(self) -> Source:
        """Return the whole forward."""
        unused_after = last_uses(self.graph)
        questions = list(self.graph.questions)
        for position, node in enumerate(self.graph.nodes):
            for value in unused_after.get(position - 1, ()):
                self.release(value)
            while questions and questions[0].position == position:
                self._write_check(questions.pop(0))
            self.write_node(node)
        for question in questions:
            self._write_check(question)
        self.lines.append(f"return {self.code(self.graph.output)}")
        body = "".join(f"    {line}\n" for line in self.lines)
        head = f"def forward({', '.join(['self', *self.arguments])}):\n"
        return Source("forward", head + body, self._constants.by_name)

    def _write_check(self, question: Question) -> None:
        """Write the check of an answer; an assertion needs none, there is no other answer."""
        if not question.place.is_assertion:
            left, right = self._expression(question.left), self._expression(question.right)
            place = repr(str(question.place))
            self.lines.append(f"check_answer({left} {question.symbol} {right}, {place})")

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
        # To unpack it checks that there are as many.
        self.lines.append(f"{self._pattern(node.output)} = {call}")

    def tensor(self, value: Value) -> str:
        """Return the code of a value as one tensor.

        Raises:
            CannotFollow: it was kept from an earlier recording.
        """
        if value not in self.variables:
            raise CannotFollow("the network keeps sizes from one run to the next")
        return self.variables[value]

    def size(self, value: Value, axis: int) -> str:
        """Return the code of a value's size along an axis."""
        return f"{self.tensor(value)}.shape[{axis}]"

    def new_variable(self, value: Value) -> str:
        """Return the name of a new variable for a value."""
        self.variables[value] = self.free_names.take()
        return self.variables[value]

    def release(self, value: Value) -> None:
        """Free the variable names of a value that no later call uses."""
        if value in self.variables:
            self.free_names.give_back(self.variables[value])

    def call(self, node: Node) -> str:
        """Return the code of a call."""
        args = [self.code(arg) for arg in node.args]
        named = [f"{name}={self.code(value)}" for name, value in node.kwargs.items()]
        given = ", ".join([*args, *named])
        if node.kind == "layer":
            return f"{layer_code(node.target)}({given})"
        if node.kind == "function":
            return f"{node.target.replace('paddle.nn.functional.', 'F.')}({given})"
        if node.kind == "attribute":
            return f"{args[0]}.{node.target}"
        if node.target == "__getitem__":
            return f"{args[0]}[{self._index(node.args[1])}]"
        if node.target in _PREFIX:
            return f"{_PREFIX[node.target]}{args[0]}"
        plain = node.target.strip("_")
        if node.target.startswith("__") and len(args) == 2:
            left, right = (f"({arg})" if arg.startswith("-") else arg for arg in args)
            if plain in _INFIX:
                return f"{left} {_INFIX[plain]} {right}"
            if plain[:1] == "r" and plain[1:] in _INFIX:
                return f"{right} {_INFIX[plain[1:]]} {left}"
        return f"{args[0]}.{node.target}({', '.join([*args[1:], *named])})"

    # -- arguments ------------------------------------------------------------------------------

    def code(self, argument: Any) -> str:
        """Return the code of an argument."""
        if isinstance(argument, Value):
            return self.tensor(argument)
        if isinstance(argument, Code):
            return argument.text
        if isinstance(argument, Parameter):
            return layer_code(argument.name)
        if isinstance(argument, Training):
            return f"{layer_code(argument.layer)}.training"
        if isinstance(argument, Size):
            return self._expression(argument.expression)
        if isinstance(argument, list):
            return f"[{', '.join(self.code(item) for item in argument)}]"
        if isinstance(argument, tuple):
            items = "".join(f"{self.code(item)}, " for item in argument)
            return f"({items.rstrip() if len(argument) == 1 else items[:-2]})"
        if isinstance(argument, dict):
            items = (f"{self.code(k)}: {self.code(v)}" for k, v in argument.items())
            return f"{{{', '.join(items)}}}"
        if isinstance(argument, slice):
            parts = (argument.start, argument.stop, argument.step)
            return f"slice({', '.join(self.code(part) for part in parts)})"
        if isinstance(argument, Constant):
            return self.constant(argument.value)
        return self._constants.code(argument)

    def constant(self, value: Any) -> str:
        """Return the global name of an object that has no literal."""
        return self._constants.name(value)

    def _index(self, index: Any) -> str:
        parts = index if isinstance(index, tuple) and index else (index,)
        return ", ".join(
            self._slice(part) if isinstance(part, slice) else self.code(part) for part in parts
        )

    def _slice(self, part: slice) -> str:
        bounds = [part.start, part.stop, *([] if part.step is None else [part.step])]
        return ":".join("" if bound is None else self.code(bound) for bound in bounds)

    def _expression(self, expression: Any) -> str:
        if not isinstance(expression, tuple):
            return repr(expression)
        if expression[0] == "size":
            return self.size(expression[1], expression[2])
        symbol, left, right = expression
        return f"({self._expression(left)} {symbol} {self._expression(right)})"

    def _pattern(self, output: Any) -> str:
        """Return what is left of the equals sign, for a call with several outputs."""
        if isinstance(output, Value):
            return self.new_variable(output)
        if isinstance(output, (list, tuple)):
            items = "".join(f"{self._pattern(item)}, " for item in output)
            return f"({items.rstrip() if len(output) == 1 else items[:-2]})"
        return "_"


def layer_code(name: str) -> str:
    """Return the code of a sub-layer or parameter by its name in the network; "" is ``self``."""
    code = "self"
    for part in name.split(".") if name else ():
        plain = part.isidentifier() and not keyword.iskeyword(part)
        code += f".{part}" if plain else f"._sub_layers[{part!r}]"
    return code
