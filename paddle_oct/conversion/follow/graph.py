"""A recorded forward: a list of calls, and the tensors between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Iterator, Literal

if TYPE_CHECKING:
    from .questions import Question

CallKind = Literal["layer", "function", "method", "attribute"]


@dataclass(eq=False)
class Value:
    """A tensor that a network computes, or one of its inputs.

    Attributes:
        index: its place in the order of computation.
        shape: its shape while it was recorded.
        node: the call that made it, None for an input.
    """

    index: int
    shape: tuple[int, ...]
    node: Node | None = None

    @property
    def is_map(self) -> bool:
        """Whether it can be a feature map ``[N, C, H, W]``."""
        return len(self.shape) == 4

    def __repr__(self) -> str:
        return f"x{self.index}{list(self.shape)}"


@dataclass(frozen=True)
class Parameter:
    """A parameter or buffer of the network as an argument of a call."""

    name: str


@dataclass(frozen=True)
class Training:
    """The ``training`` flag of a layer as an argument; the layer "" is the network."""

    layer: str


@dataclass(frozen=True)
class Constant:
    """A tensor as an argument that does not depend on the network's input."""

    value: Any = field(hash=False)


@dataclass(eq=False)
class Node:
    """A call.

    Attributes:
        kind: what was called: a sub-layer, a function, a method or attribute of a Tensor.
        target: the layer's name, the function's dotted path, or the method's name.
        args, kwargs: its arguments. A :class:`Value`, :class:`Parameter` or :class:`Constant`
            stands for a tensor, a :class:`~.sizes.Size` for a number read from a shape.
        output: what it returned: a :class:`Value`, or tuples and lists of them.
        scope: the layer whose forward makes the call, by name; "" is the network.
        function: the function itself, which has the names of the arguments.
    """

    kind: CallKind
    target: str
    args: tuple
    kwargs: dict[str, Any]
    output: Any = None
    scope: str = ""
    function: Callable | None = None

    @property
    def inputs(self) -> list[Value]:
        """The tensors that it is given, in order."""
        return [v for v in leaves((self.args, self.kwargs)) if isinstance(v, Value)]

    @property
    def outputs(self) -> list[Value]:
        """The tensors that it makes."""
        return [v for v in leaves(self.output) if isinstance(v, Value)]

    @property
    def name(self) -> str:
        """Its name in messages: ``layer4.0.conv1``, ``flatten``."""
        return self.target if self.kind == "layer" else self.target.rpartition(".")[2]


@dataclass(eq=False)
class Graph:
    """A recorded forward.

    Attributes:
        inputs: the tensors that the forward is given, numbered from 0.
        nodes: the calls in order.
        output: what the network returns: a :class:`Value`, or tuples, lists and dicts of them.
        questions: what the forward asked about sizes, in order.
    """

    inputs: list[Value]
    nodes: list[Node]
    output: Any
    questions: list[Question] = field(default_factory=list)

    @property
    def values(self) -> list[Value]:
        """All tensors, in order."""
        return [*self.inputs, *(v for node in self.nodes for v in node.outputs)]

    def consumers(self) -> dict[Value, list[Node | None]]:
        """Return for every tensor the calls that use it; None stands for the network's output."""
        users: dict[Value, list[Node | None]] = {value: [] for value in self.values}
        for node in self.nodes:
            for value in node.inputs:
                users[value].append(node)
        for value in leaves(self.output):
            if isinstance(value, Value):
                users[value].append(None)
        return users


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """Apply a function to every item of nested lists, tuples, dicts and slices."""
    if isinstance(tree, (list, tuple)):
        mapped = [map_leaves(function, item) for item in tree]
        if hasattr(tree, "_fields"):  # a named tuple
            return type(tree)(*mapped)
        return tuple(mapped) if isinstance(tree, tuple) else mapped
    if isinstance(tree, dict):
        return {key: map_leaves(function, item) for key, item in tree.items()}
    if isinstance(tree, slice):
        return slice(*(map_leaves(function, p) for p in (tree.start, tree.stop, tree.step)))
    return function(tree)


def leaves(tree: Any) -> Iterator[Any]:
    """Iterate over every item of nested lists, tuples, dicts and slices."""
    if isinstance(tree, (list, tuple)):
        for item in tree:
            yield from leaves(item)
    elif isinstance(tree, dict):
        yield from leaves(list(tree.values()))
    elif isinstance(tree, slice):
        yield from leaves([tree.start, tree.stop, tree.step])
    else:
        yield tree
