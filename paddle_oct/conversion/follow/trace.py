"""Recording a network's forward, by running it once on real tensors.

Nothing stands in for a Tensor: the network computes as always, and control flow takes its course.
While it runs, the functions of Paddle, the methods of its Tensor and the calls of its layers note
what they were given and what they returned, and a result is recognised by its identity. What could
not be noted does not go unnoticed: see :func:`paddle_oct.conversion.check.check_followed`.
"""

from __future__ import annotations

import functools
from typing import Any, Callable

import paddle
from paddle import Tensor, nn
from paddle.jit.dy2static.program_translator import StaticFunction

from .graph import Constant, Graph, Node, Parameter, Training, Value, leaves, map_leaves
from .patches import follow_calls
from .sizes import Size


class CannotFollow(ValueError):
    """A forward does something that cannot be recorded."""


def trace(model: nn.Layer, x: Tensor) -> Graph:
    """Record the forward of a network.

    It is run without gradients, once in evaluation and once in training mode, since both must be
    the same but for arguments ``training=self.training``. The network is left as it was, with its
    running statistics and the random numbers drawn.

    Raises:
        CannotFollow: the forward reads the values of a tensor, does something else in training, or
            the like; the message says where.
    """
    for name, layer in model.named_sublayers(include_self=True):
        if isinstance(layer.__dict__.get("forward"), StaticFunction):
            raise CannotFollow(
                f"{_where(name)} went through paddle.jit.to_static; convert the network before that"
            )
    modes = {layer: layer.training for layer in model.sublayers(include_self=True)}
    state = {
        tensor: tensor.clone()
        for tensor in [*model.buffers(), *model.parameters()]
        if tensor.stop_gradient
    }
    random_state = paddle.get_rng_state()
    graphs = []
    try:
        for switch in (model.eval, model.train):
            switch()
            graphs.append(_Recorder(model).record(x))
    finally:
        with paddle.no_grad():
            for tensor, before in state.items():
                paddle.assign(before, tensor)
        for layer, mode in modes.items():
            layer.training = mode
        paddle.set_rng_state(random_state)
    return _unite(*graphs)


def _where(layer: str) -> str:
    return f"layer {layer!r}" if layer else "the network"


class _Recorder:
    def __init__(self, model: nn.Layer) -> None:
        self.model = model
        self.busy = False
        self.nodes: list[Node] = []
        self.scopes: list[str] = []
        self._values: dict[int, Value] = {}
        self._kept: list[Tensor] = []  # so that no identity is given twice
        self._count = 0
        self._layers = {id(layer): name for name, layer in model.named_sublayers()}
        self._parameters = {
            id(tensor): name for name, tensor in [*model.named_parameters(), *model.named_buffers()]
        }

    def record(self, x: Tensor) -> Graph:
        graph_input = self._new_value(x, None)
        with paddle.no_grad(), follow_calls(self):
            self._gradients = paddle.is_grad_enabled()
            output = self.model(x)
        encoded = map_leaves(self._encode, output)
        if not any(isinstance(leaf, Value) for leaf in leaves(encoded)):
            raise CannotFollow(
                "the network's output does not come from operations that could be followed"
            )
        return Graph(graph_input, self.nodes, encoded)

    # -- called by the patches ------------------------------------------------------------------

    def size_of(self, tensor: Tensor, shape: list[int]) -> list[int]:
        """Return the shape of a tensor, and of one that depends on the input where it was read."""
        value = self._values.get(id(tensor))
        if value is None:
            return shape
        return [Size(size, ("size", value, axis)) for axis, size in enumerate(shape)]

    def refuse(self, tensor: Tensor, what: str) -> None:
        """Say that the values of a tensor may not be read, unless it is a constant."""
        if id(tensor) in self._values:
            raise CannotFollow(
                f"{_where(self._scope)} reads the values of a tensor ({what}); what its forward "
                f"does with them can't be followed"
            )

    def call_layer(self, layer: nn.Layer, call: Callable, args: tuple, kwargs: dict) -> Any:
        name = self._layers.get(id(layer))
        if layer is not self.model and _is_leaf(layer):
            if name is not None:
                return self.call("layer", name, functools.partial(call, layer), args, kwargs)
            if layer.parameters():
                raise CannotFollow(
                    f"{_where(self._scope)} calls a {type(layer).__name__} that is no sub-layer of "
                    f"the network, so its parameters are in no state_dict"
                )
        self.scopes.append(self._scope if name is None else name)
        try:
            return call(layer, *args, **kwargs)
        finally:
            self.scopes.pop()

    def call(self, kind: str, target: str, function: Callable, args: tuple, kwargs: dict) -> Any:
        """Call something and note it down, if it made a tensor."""
        given = [leaf for leaf in leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        versions = [tensor.inplace_version for tensor in given]
        encoded_args = map_leaves(self._encode, args)
        encoded_kwargs = map_leaves(self._encode, kwargs)
        self.busy = True
        try:
            result = function(*map_leaves(_plain, args), **map_leaves(_plain, kwargs))
            changed = [t for t, version in zip(given, versions) if t.inplace_version != version]
            made = [leaf for leaf in leaves(result) if isinstance(leaf, Tensor)]
            if not made and not changed:
                return result
            if any(id(tensor) not in self._values for tensor in changed):
                raise CannotFollow(f"{_where(self._scope)} changes a stored tensor ({target})")
            if paddle.is_grad_enabled() != self._gradients:
                raise CannotFollow(f"{_where(self._scope)} switches gradients on ({target})")
            known = {id(tensor) for tensor in given} - {id(tensor) for tensor in changed}
            result = map_leaves(lambda leaf: _alias(leaf) if id(leaf) in known else leaf, result)
        finally:
            self.busy = False

        node = Node(kind, target, encoded_args, encoded_kwargs, scope=self._scope)
        node.function = function
        if made:
            node.output = map_leaves(lambda leaf: self._new_value(leaf, node), result)
        elif len({id(tensor) for tensor in changed}) == 1 and changed[0] is args[0]:
            node.output = self._new_value(changed[0], node)  # x[...] = y
        else:
            raise CannotFollow(f"{_where(self._scope)} changes a tensor in place ({target})")
        self.nodes.append(node)
        return result

    # -- tensors --------------------------------------------------------------------------------

    @property
    def _scope(self) -> str:
        return self.scopes[-1] if self.scopes else ""

    def _new_value(self, tensor: Any, node: Node | None) -> Any:
        if not isinstance(tensor, Tensor):
            return tensor
        value = Value(self._count, tuple(int(size) for size in tensor.shape), node)
        self._count += 1
        self._values[id(tensor)] = value
        self._kept.append(tensor)
        return value

    def _encode(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        if id(leaf) in self._values:
            return self._values[id(leaf)]
        if id(leaf) in self._parameters:
            return Parameter(self._parameters[id(leaf)])
        self._kept.append(leaf)
        return Constant(leaf)


def _is_leaf(layer: nn.Layer) -> bool:
    """Whether a layer is one of Paddle's own, with Paddle's forward, and no container."""
    home = type(layer).forward.__module__
    return home.startswith("paddle.nn.") and home != "paddle.nn.layer.container"


def _plain(leaf: Any) -> Any:
    return int(leaf) if isinstance(leaf, Size) else leaf


def _alias(tensor: Any) -> Any:
    """Return another Tensor for what a function returned as it was given it."""
    return tensor.clone() if isinstance(tensor, Tensor) else tensor


# -- evaluation and training ----------------------------------------------------------------------


def _unite(evaluation: Graph, training: Graph) -> Graph:
    """Return the one graph that is both; :class:`Training` stands where an argument differs."""
    others = iter(training.nodes)
    for node in evaluation.nodes:
        other = next(others, None)
        same = other is not None and (node.kind, node.target) == (other.kind, other.target)
        try:
            if not same:
                raise _Differs
            node.args = _unite_arguments(node.args, other.args, node.scope)
            node.kwargs = _unite_arguments(node.kwargs, other.kwargs, node.scope)
        except _Differs:
            raise CannotFollow(
                f"{_where(node.scope)} does something else in training than in evaluation "
                f"(at {node.name})"
            ) from None
    try:
        if next(others, None) is not None:
            raise _Differs
        _unite_arguments(evaluation.output, training.output, "")
    except _Differs:
        raise CannotFollow(
            "the network returns something else in training than in evaluation"
        ) from None
    return evaluation


class _Differs(Exception):
    pass


def _unite_arguments(a: Any, b: Any, scope: str) -> Any:
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        united = [_unite_arguments(x, y, scope) for x, y in zip(a, b)]
        return tuple(united) if isinstance(a, tuple) else united
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return {key: _unite_arguments(a[key], b[key], scope) for key in a}
    if isinstance(a, slice) and isinstance(b, slice):
        parts = [_unite_arguments(getattr(a, p), getattr(b, p), scope) for p in _SLICE]
        return slice(*parts)
    if a is False and b is True:
        return Training(scope)
    if isinstance(a, Value) and isinstance(b, Value):
        same = a.index == b.index
    elif isinstance(a, Size) and isinstance(b, Size):
        same = _comparable(a.expression) == _comparable(b.expression)
    elif isinstance(a, Constant) and isinstance(b, Constant):
        same = a.value is b.value
    elif isinstance(a, (int, float, str, Parameter, type(None))):
        same = type(a) is type(b) and a == b
    else:
        same = type(a) is type(b)
    if not same:
        raise _Differs
    return a


_SLICE = ("start", "stop", "step")


def _comparable(expression: Any) -> Any:
    return map_leaves(lambda leaf: leaf.index if isinstance(leaf, Value) else leaf, expression)
