"""Recording a network's forward, by running it once on real tensors.

Nothing stands in for a Tensor: the network computes as always, and its branches are taken as usual.
While it runs, the functions of Paddle, the methods of its Tensor and the calls of its layers tell
the recorder what they were given and what they returned. A tensor is recognised by its identity.
What the recorder was not told of is found afterwards: ``check.check_followed`` compares the outputs
of the recorded forward with the network's.
"""

from __future__ import annotations

import functools
import threading
from typing import Any, Callable

import paddle
from paddle import Tensor, nn

from paddle_oct.base.modes import kept_modes
from paddle_oct.base.private import is_static_function

from .errors import CannotFollow, layer_in_words
from .graph import CallKind, Constant, Graph, Node, Parameter, Value, leaves, map_leaves
from .kept import kept_random_state, kept_statistics
from .patches import tell_of_calls
from .sizes import Size
from .unite import unite


def record(model: nn.Layer, x: Tensor) -> Graph:
    """Record the forward of a network.

    It is run without gradients, once in evaluation and once in training mode, since both must be
    the same but for arguments ``training=self.training``. The network is left as it was, with its
    running statistics, and so is the state of Paddle's random numbers.

    Args:
        model: the network.
        x: its input ``[N, C, H, W]``.

    Raises:
        CannotFollow: the forward reads the values of a tensor, does something else in training, or
            the like; the message says where.
    """
    for name, layer in model.named_sublayers(include_self=True):
        if is_static_function(vars(layer).get("forward")):
            raise CannotFollow(
                f"{layer_in_words(name)} went through paddle.jit.to_static; convert the network "
                f"before that"
            )
    with kept_modes(model), kept_statistics(model), kept_random_state():
        model.eval()
        evaluation = Recorder(model).record(x)
        model.train()
        training = Recorder(model).record(x)
    return unite(evaluation, training)


class Recorder:
    """Notes the calls of one run of a network.

    Attributes:
        model: the network.
        nodes: the calls so far.
    """

    def __init__(self, model: nn.Layer) -> None:
        self.model = model
        self.nodes: list[Node] = []
        self._thread = threading.get_ident()
        self._is_busy = False  # inside a call that is noted; calls within it are not
        self._scopes: list[str] = []  # the layers whose forwards are running, the innermost last
        self._gradients = False
        self._values: dict[int, Value] = {}  # by the identity of the tensor
        self._alive: list[Tensor] = []  # so that no identity is given twice
        self._count = 0
        self._layers = {id(layer): name for name, layer in model.named_sublayers()}
        self._parameters = {
            id(tensor): name for name, tensor in [*model.named_parameters(), *model.named_buffers()]
        }

    def record(self, x: Tensor) -> Graph:
        """Run the network on ``x`` and return what it did."""
        graph_input = self._new_value(x, None)
        with paddle.no_grad(), tell_of_calls(self):
            self._gradients = paddle.is_grad_enabled()
            output = self.model(x)
        encoded = map_leaves(self._encode, output)
        if not any(isinstance(leaf, Value) for leaf in leaves(encoded)):
            raise CannotFollow(
                "the network's output does not come from operations that could be followed"
            )
        return Graph(graph_input, self.nodes, encoded)

    # -- called by the patches ------------------------------------------------------------------

    def is_listening(self) -> bool:
        """Whether a call that is made now has to be noted."""
        return not self._is_busy and threading.get_ident() == self._thread

    def size_of(self, tensor: Tensor, shape: list[int]) -> list[int]:
        """Return a tensor's shape; as :class:`Size` numbers if it depends on the input."""
        value = self._values.get(id(tensor))
        if value is None:
            return shape
        return [Size(size, ("size", value, axis)) for axis, size in enumerate(shape)]

    def refuse(self, tensor: Tensor, reader: str) -> None:
        """Raise if the values of a tensor that depends on the input are read.

        Args:
            tensor: the tensor.
            reader: what reads it, such as ``Tensor.numpy``.
        """
        if id(tensor) in self._values:
            raise CannotFollow(
                f"{self._where} reads the values of a tensor ({reader}); what its forward "
                f"does with them can't be followed"
            )

    def call_layer(self, layer: nn.Layer, call: Callable, args: tuple, kwargs: dict) -> Any:
        """Call a layer: note it if it is one of Paddle's, else note what its forward calls."""
        name = self._layers.get(id(layer))
        if layer is not self.model and _is_paddles_own(layer):
            if name is not None:
                return self.call("layer", name, functools.partial(call, layer), args, kwargs)
            if layer.parameters():
                raise CannotFollow(
                    f"{self._where} calls a {type(layer).__name__} that is no sub-layer of "
                    f"the network, so its parameters are in no state_dict"
                )
        self._scopes.append(self._scope if name is None else name)
        try:
            return call(layer, *args, **kwargs)
        finally:
            self._scopes.pop()

    def call(
        self, kind: CallKind, target: str, function: Callable, args: tuple, kwargs: dict
    ) -> Any:
        """Make a call, and note it if it makes or changes a tensor."""
        given = [leaf for leaf in leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        versions = [tensor.inplace_version for tensor in given]
        node = Node(
            kind,
            target,
            map_leaves(self._encode, args),
            map_leaves(self._encode, kwargs),
            scope=self._scope,
            function=function,
        )
        self._is_busy = True
        try:
            result = function(*map_leaves(_plain, args), **map_leaves(_plain, kwargs))
            changed = [t for t, version in zip(given, versions) if t.inplace_version != version]
            made = any(isinstance(leaf, Tensor) for leaf in leaves(result))
            if not made and not changed:
                return result
            self._check(target, changed)
            # A tensor that is returned unchanged is cloned, to have an identity of its own.
            unchanged = {id(tensor) for tensor in given} - {id(tensor) for tensor in changed}
            result = map_leaves(lambda t: t.clone() if id(t) in unchanged else t, result)
        finally:
            self._is_busy = False
        if made:
            node.output = map_leaves(lambda leaf: self._value_of_result(leaf, node), result)
        elif len({id(tensor) for tensor in changed}) == 1 and changed[0] is args[0]:
            node.output = self._new_value(changed[0], node)  # x[...] = y
        else:
            raise CannotFollow(f"{self._where} changes a tensor in place ({target})")
        self.nodes.append(node)
        return result

    def _check(self, target: str, changed: list[Tensor]) -> None:
        if any(id(tensor) not in self._values for tensor in changed):
            raise CannotFollow(f"{self._where} changes a stored tensor ({target})")
        if paddle.is_grad_enabled() != self._gradients:
            raise CannotFollow(f"{self._where} switches gradients on ({target})")

    # -- tensors --------------------------------------------------------------------------------

    @property
    def _scope(self) -> str:
        return self._scopes[-1] if self._scopes else ""

    @property
    def _where(self) -> str:
        return layer_in_words(self._scope)

    def _new_value(self, tensor: Tensor, node: Node | None) -> Value:
        value = Value(self._count, tuple(int(size) for size in tensor.shape), node)
        self._count += 1
        self._values[id(tensor)] = value
        self._alive.append(tensor)
        return value

    def _value_of_result(self, leaf: Any, node: Node) -> Any:
        return self._new_value(leaf, node) if isinstance(leaf, Tensor) else leaf

    def _encode(self, leaf: Any) -> Any:
        """Return what stands for an argument in the graph."""
        if not isinstance(leaf, Tensor):
            return leaf
        if id(leaf) in self._values:
            return self._values[id(leaf)]
        if id(leaf) in self._parameters:
            return Parameter(self._parameters[id(leaf)])
        self._alive.append(leaf)
        return Constant(leaf)


def _is_paddles_own(layer: nn.Layer) -> bool:
    """Whether a layer has the forward of one of Paddle's layers other than containers."""
    home = type(layer).forward.__module__
    return home.startswith("paddle.nn.") and home != "paddle.nn.layer.container"


def _plain(leaf: Any) -> Any:
    return int(leaf) if isinstance(leaf, Size) else leaf
