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
from typing import Any, Callable, Mapping

import paddle
from paddle import Tensor, nn

from paddle_oct.base.errors import first_line
from paddle_oct.base.modes import kept_modes
from paddle_oct.base.private import is_static_function

from .errors import CannotFollow, layer_in_words
from .graph import CallKind, Constant, Graph, Node, Parameter, Value, leaves, map_leaves
from .kept import kept_random_state, kept_statistics
from .patches import Calls, seen_calls
from .questions import Question, ask, by_number
from .sizes import Size, plain
from .unite import unite


def record(
    model: nn.Layer,
    *args: Any,
    method: str = "forward",
    options: Mapping[str, Any] | None = None,
) -> Graph:
    """Record the forward of a network, or another method.

    It is run without gradients, once in evaluation and once in training mode, since both must be
    the same but for arguments ``training=self.training``. The network is left as it was, with its
    running statistics, and so is the state of Paddle's random numbers.

    Args:
        model: the network.
        *args: what the forward can run on, usually its input ``[N, C, H, W]``. The Tensors among
            the arguments are the inputs of the graph; everything else is taken as it is.
        method: the name of the method.
        options: what it is given by keyword.

    Raises:
        CannotFollow: the forward reads the values of a tensor, does something else in training, or
            the like; the message says where.
    """
    for name, layer in model.named_sublayers(include_self=True):
        if is_static_function(vars(layer).get("forward", vars(type(layer)).get("forward"))):
            raise CannotFollow(
                f"{layer_in_words(name)} went through paddle.jit.to_static; convert the network "
                f"before that"
            )
    if "forward" in vars(model):
        raise CannotFollow("the network's forward is no method of its class, but set on the object")
    given = (args, dict(options or {}))
    kept = kept_modes(model), kept_statistics(model), kept_random_state()
    with kept[0], kept[1], kept[2], paddle.no_grad(), seen_calls(model) as calls:
        try:
            model.eval()
            evaluation = Recorder(model).record(calls, method, *given)
            model.train()
            training = Recorder(model).record(calls, method, *given)
        except CannotFollow:
            raise
        except Exception as error:  # a forward may raise anything
            raise CannotFollow(
                f"the network fails while it is recorded ({first_line(error)})"
            ) from error
    return unite(evaluation, training)


_TELL_NO_SIZE = (
    *("dim", "element_size", "is_complex", "is_contiguous", "is_dense", "is_dist"),
    *("is_floating_point", "is_integer", "is_sparse", "is_tensor", "ndimension"),
)
_ONE_A_ROW = ("unbind", "unstack")  # they return a list, one tensor for each row


class Recorder:
    """Notes the calls of one run of a network.

    Attributes:
        model: the network.
        nodes: the calls so far.
        questions: what was asked about sizes so far.
    """

    def __init__(self, model: nn.Layer) -> None:
        self.model = model
        self.nodes: list[Node] = []
        self.questions: list[Question] = []
        self._asked: set[tuple] = set()
        self._is_over = False
        self._thread = threading.get_ident()
        self._is_busy = False  # inside a call that is noted; calls within it are not
        self._scopes: list[str] = []  # the layers whose forwards are running, the innermost last
        self._gradients = paddle.is_grad_enabled()
        self._values: dict[int, Value] = {}  # by the identity of the tensor
        self._alive: list[Tensor] = []  # so that no identity is given twice
        self._count = 0
        self._layers = {id(layer): name for name, layer in model.named_sublayers()}
        self._parameters = {
            id(tensor): name for name, tensor in [*model.named_parameters(), *model.named_buffers()]
        }

    def record(self, calls: Calls, method: str, args: tuple, kwargs: dict[str, Any]) -> Graph:
        """Run a method of the network and return what it did."""
        # Each input gets an identity of its own, and may be changed in place.
        args, kwargs = map_leaves(_own, (args, kwargs))
        inputs = [
            self._new_value(leaf, None)
            for leaf in leaves((args, kwargs))
            if isinstance(leaf, Tensor)
        ]
        calls.listener = self
        try:
            output = getattr(self.model, method)(*args, **kwargs)
        finally:
            self._is_over = True
            for layer in self.model.sublayers(include_self=True):
                _forget_sizes(vars(layer))
        encoded = map_leaves(self._encode, output)
        if not any(isinstance(leaf, Value) for leaf in leaves(encoded)):
            raise CannotFollow(
                "the network's output does not come from operations that could be followed"
            )
        return Graph(inputs, self.nodes, encoded, self.questions)

    # -- called by the patches ------------------------------------------------------------------

    def is_listening(self) -> bool:
        """Whether a call that is made now has to be noted."""
        same_thread = threading.get_ident() == self._thread
        return same_thread and not self._is_busy and not self._is_over

    def shape_of(self, tensor: Tensor, shape: list[int]) -> list[Any]:
        """Return a tensor's shape; as :class:`Size` numbers if it depends on the input."""
        value = self._values.get(id(tensor))
        if value is None:
            return shape
        return [Size(size, ("size", value, axis), self.asked) for axis, size in enumerate(shape)]

    def asked(self, symbol: str, left: Any, right: Any, answer: bool) -> None:
        """Note a comparison of sizes, given as their expressions, and its answer."""
        known = (symbol, by_number(left), by_number(right))
        if self._is_over or known in self._asked:
            return
        self._asked.add(known)
        question = ask(symbol, left, right, answer, len(self.nodes))
        if question is not None:
            self.questions.append(question)

    def refuse(self, tensor: Tensor, reader: str) -> None:
        """Raise if the values of a tensor that depends on the input are read.

        Args:
            tensor: the tensor.
            reader: what reads it, such as ``Tensor.numpy``.
        """
        if id(tensor) in self._parameters and not tensor.stop_gradient:
            raise CannotFollow(
                f"{self._where} reads the values of parameter {self._parameters[id(tensor)]!r} "
                f"({reader}); training would change them"
            )
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
            result = function(*map_leaves(plain, args), **map_leaves(plain, kwargs))
            changed = [t for t, version in zip(given, versions) if t.inplace_version != version]
            made = any(isinstance(leaf, Tensor) for leaf in leaves(result))
            if not made and not changed:
                self._ask_what_is_told(node, result, (args, kwargs))
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
        if node.name in _ONE_A_ROW and isinstance(node.output, list):
            self._ask_number_of(node)
        return result

    def _ask_what_is_told(self, node: Node, result: Any, given: Any) -> None:
        """Note the sizes that a call may have made plain numbers of, like ``broadcast_shape``."""
        told = any(isinstance(leaf, (int, float)) for leaf in leaves(result))
        if not told or node.name in _TELL_NO_SIZE:
            return
        for leaf in leaves(given):
            sizes = self.shape_of(leaf, leaf.shape) if isinstance(leaf, Tensor) else [leaf]
            for size in sizes:
                if isinstance(size, Size):
                    size.known()

    def _ask_number_of(self, node: Node) -> None:
        """Note how many tensors a call has made, one for each row of its input."""
        value = node.inputs[0]
        axis = plain(node.kwargs.get("axis", node.args[1] if len(node.args) > 1 else 0))
        self.asked("==", ("size", value, axis % len(value.shape)), len(node.output), True)

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


def _own(leaf: Any) -> Any:
    return leaf.clone() if isinstance(leaf, Tensor) else leaf


def _forget_sizes(attributes: dict[str, Any]) -> None:
    """Put plain numbers in place of the sizes that a forward keeps in a layer's attributes."""
    for name, held in list(attributes.items()):
        if any(isinstance(leaf, Size) for leaf in leaves(held)):
            attributes[name] = map_leaves(plain, held)
