"""The ways through the methods of a converted network, and how another one is found.

A forward that was recorded is right for the call that it was recorded for, and for every other call
where it would ask the same questions about sizes and get the same answers. For any other call it is
recorded anew: on the network as it was before the conversion, for that very call.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Mapping, Sequence

import paddle
from paddle import Tensor, nn

from paddle_oct.base.patching import PATCHING, unobserved
from paddle_oct.base.private import leave_sot, outside_of_tracing, set_eval_frame

from .check import check_same, evaluating, tensors_of
from .follow import (
    CannotFollow,
    ForwardWriter,
    Graph,
    Question,
    Source,
    kept_random_state,
    leaves,
    map_leaves,
    record,
)
from .octave_forward import OctaveForwardWriter
from .replan import Replaced, replan
from .roles import find_roles
from .skeleton import filled

# So many calls of different shapes are remembered, the last ones. A call that is not is recorded
# once more, which takes some runs of the network.
_REMEMBERED = 256


class Call:
    """A call of a method.

    Attributes:
        method: the method's name.
        args, kwargs: its arguments.
        tensors: the Tensors among them.
        shapes: their shapes; -1 stands for a size that is not known while a program is built.
        key: what two calls have in common that differ in the values and shapes of Tensors alone.
        others: the arguments that are no Tensors; the key holds identities of some of them.
    """

    def __init__(self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.method = method
        self.args = tuple(args)
        self.kwargs = dict(kwargs)
        self.tensors = [leaf for leaf in leaves((self.args, self.kwargs)) if _is_tensor(leaf)]
        self.others = [leaf for leaf in leaves((self.args, self.kwargs)) if not _is_tensor(leaf)]
        self.shapes = tuple(tuple(int(n) for n in tensor.shape) for tensor in self.tensors)
        self.key = (method, _key(self.args), _key(self.kwargs))

    def fix_sizes(self, shapes: Sequence[Sequence[int]]) -> None:
        """Take sizes that are not known from some other shapes."""
        self.shapes = tuple(
            tuple(other if size == -1 else size for size, other in zip(shape, example))
            for shape, example in zip(self.shapes, shapes)
        )


@dataclass(frozen=True, eq=False)
class Path:
    """A way through a method.

    Attributes:
        key, shapes: those of the call for which it was recorded.
        questions: what was asked about sizes; None if it is right for one call alone.
        source: the function, which is given the network and the Tensors of the call; None if the
            method itself is called.
        function: the same, compiled.
        others: the call's other arguments, which keep the identities in the key alive.
    """

    key: tuple
    shapes: Sequence[Sequence[int]]
    questions: Sequence[Question] | None
    source: Source | None
    function: Callable | None
    others: Sequence[Any] = ()

    def fits(self, call: Call) -> bool:
        """Whether the shapes of a call with the same key tell that it is right for it."""
        if self.questions is None:
            return False
        return self.shapes == call.shapes or all(q.holds(call.shapes) for q in self.questions)

    def asks_the_same(self, graph: Graph) -> bool:
        """Whether a recording has the same questions and answers, and so is the same code."""
        if self.questions is None or len(self.questions) != len(graph.questions):
            return False
        return all(map(Question.same_as, self.questions, graph.questions))

    def __reduce__(self) -> tuple:
        return _compiled, (self.key, self.shapes, self.questions, self.source)


def written_path(call: Call, graph: Graph, source: Source) -> Path:
    """Return the path of a recorded call."""
    questions = [question.numbered() for question in graph.questions]
    return Path(call.key, call.shapes, questions, source, source.compile(), call.others)


def _compiled(key: Any, shapes: Any, questions: Any, source: Source) -> Path:
    return Path(key, shapes, questions, source, source.compile())


class Paths:
    """What is known of the methods of a converted network.

    Args:
        kind: its class before the conversion.
        skeleton: the network before the conversion; None if it can't be copied.
        replaced: the layers that were replaced.
        first: the path that was recorded first; None if the network was left as it was.
        followed: the names of the methods that are dispatched here.

    Attributes:
        made: the class that was made of it; None if there is none yet.
    """

    def __init__(
        self,
        kind: type[nn.Layer],
        skeleton: nn.Layer | None,
        replaced: Replaced,
        first: Path | None,
        followed: Sequence[str],
    ) -> None:
        self.kind = kind
        self.skeleton = skeleton
        self.replaced = replaced
        self.first = first
        self.followed = followed
        self.made: Any = None
        self._recent: OrderedDict[tuple, Path] = OrderedDict()
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: dict) -> Paths:
        return self

    def __reduce__(self) -> tuple:
        return Paths, (self.kind, self.skeleton, self.replaced, self.first, self.followed)

    @paddle.jit.not_to_static
    def choose(
        self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Callable, Sequence[Any], Mapping[str, Any]]:
        """Return the function to call, with the network before them, and its arguments.

        Raises:
            ValueError: the method can't be followed for these arguments; or it is not known while a
                program is built which way it goes.
        """
        leave_sot()
        tracer = set_eval_frame(None)
        try:
            return self._choose(Call(method, args, kwargs))
        finally:
            set_eval_frame(tracer)

    def _choose(self, call: Call) -> tuple[Callable, Sequence[Any], Mapping[str, Any]]:
        if call.tensors:
            path = self._path(call)
            if path.function is not None:
                return path.function, call.tensors, {}
        return getattr(self.kind, call.method), call.args, call.kwargs

    def _path(self, call: Call) -> Path:
        if any(-1 in shape for shape in call.shapes):
            known = self._known(call)
            if not known:
                raise ValueError(
                    f"{self.kind.__name__}.{call.method}: call it once with such arguments before "
                    f"a program of sizes {list(call.shapes)} is built, where -1 is not known"
                )
            # The source checks that it is right for every size that is not known.
            call.fix_sizes(known[0].shapes)
        path = self._find(call)
        if path is None:
            with PATCHING:  # before the other lock, since a recording is made under it
                path = self._find(call) or self._another(call, self._known(call))
                self._remember(call, path)
        return path

    def _find(self, call: Call) -> Path | None:
        """Return the path of a call if it is known."""
        with self._lock:
            path = self._recent.get((call.key, call.shapes))
        path = path or next((path for path in self._known(call) if path.fits(call)), None)
        if path is not None:
            self._remember(call, path)
        return path

    def _remember(self, call: Call, path: Path) -> None:
        with self._lock:
            self._recent[call.key, call.shapes] = path
            self._recent.move_to_end((call.key, call.shapes))
            if len(self._recent) > _REMEMBERED:
                self._recent.popitem(last=False)

    def _known(self, call: Call) -> list[Path]:
        """Return the paths of calls that have the key of a call."""
        with self._lock:
            known = [path for path in (self.first, *self._recent.values()) if path is not None]
        return [path for path in dict.fromkeys(known) if path.key == call.key]

    # -- another recording ----------------------------------------------------------------------

    def _another(self, call: Call, known: Sequence[Path]) -> Path:
        """Record a call, and return its path: one of those known if it is the same."""
        if self.skeleton is None:
            raise ValueError(
                f"{self.kind.__name__}.{call.method}: these arguments and sizes "
                f"{list(call.shapes)} need another recording, and the network can't be copied"
            )
        shapes = iter(call.shapes)
        with outside_of_tracing(), unobserved(), kept_random_state(), paddle.amp.auto_cast(False):
            args, kwargs = map_leaves(lambda leaf: _example(leaf, shapes), (call.args, call.kwargs))
            is_own = call.method != "forward" and not self._reaches_replaced(
                filled(self.skeleton), call.method, args, kwargs
            )
            if is_own:
                return Path(call.key, call.shapes, None, None, None, call.others)
            try:
                return self._recorded(filled(self.skeleton), call, args, kwargs, known)
            except CannotFollow as error:
                raise ValueError(
                    f"{self.kind.__name__}.{call.method}, of a converted network, for sizes "
                    f"{list(call.shapes)}: {error}"
                ) from None

    def _recorded(
        self, network: nn.Layer, call: Call, args: tuple, kwargs: dict, known: Sequence[Path]
    ) -> Path:
        inputs = [leaf for leaf in leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        with evaluating(network):
            own_args, own_kwargs = map_leaves(_clone, (args, kwargs))
            with kept_random_state():  # what the network itself raises here is for the caller
                expected = tensors_of(getattr(network, call.method)(*own_args, **own_kwargs))
            graph = record(network, *args, method=call.method, options=kwargs)
            check_same(network, ForwardWriter(graph).write().compile(), inputs, expected)
        for path in known:
            if path.asks_the_same(graph):
                return path
        roles = find_roles(network, graph)
        plan = replan(graph, roles, self.replaced)
        source = OctaveForwardWriter(graph, (), roles, plan, self.replaced.pooling).write()
        return written_path(call, graph, source)

    def _reaches_replaced(self, network: nn.Layer, method: str, args: tuple, kwargs: dict) -> bool:
        """Whether a method calls a replaced layer by itself, and not through other methods."""
        inside: list[str] = []

        def enter(layer: nn.Layer, given: Any) -> Any:
            if not inside:
                raise _Reached

        for name, layer in network.named_sublayers():
            if name in self.replaced:
                layer.register_forward_pre_hook(enter)
        for name in self.followed:
            if name != method:
                setattr(network, name, _noting(inside, getattr(network, name)))
        try:
            own_args, own_kwargs = map_leaves(_clone, (args, kwargs))
            with evaluating(network):
                getattr(network, method)(*own_args, **own_kwargs)
        except _Reached:
            return True
        except Exception:
            return False  # it raises the same when the network itself calls it
        return False


class _Reached(Exception):
    """A replaced layer was called."""


def _noting(inside: list[str], method: Callable) -> Callable:
    """Return a method that says while it runs that it does."""

    def noting(*args: Any, **kwargs: Any) -> Any:
        inside.append("")
        try:
            return method(*args, **kwargs)
        finally:
            inside.pop()

    return noting


def _is_tensor(leaf: Any) -> bool:
    # An eager Tensor, or the symbolic one that stands for it while a program is built.
    return isinstance(leaf, Tensor) or (hasattr(leaf, "stop_gradient") and hasattr(leaf, "shape"))


def _key(tree: Any) -> Any:
    if isinstance(tree, (list, tuple)):
        return (type(tree), *(_key(item) for item in tree))
    if isinstance(tree, dict):
        return (dict, *((name, _key(item)) for name, item in tree.items()))
    if _is_tensor(tree):
        return (Tensor, len(tree.shape))
    if tree is None or isinstance(tree, (bool, int, float, str)):
        return (type(tree), tree)
    return (type(tree), id(tree))


def _clone(leaf: Any) -> Any:
    return leaf.clone() if isinstance(leaf, Tensor) else leaf


def _example(leaf: Any, shapes: Iterator[Sequence[int]]) -> Any:
    """Return a Tensor to record with in place of an argument.

    Args:
        leaf: the argument.
        shapes: the shapes of the Tensors among the arguments, this one's next.
    """
    if not _is_tensor(leaf):
        return leaf
    shape = next(shapes)
    own = leaf.detach() if isinstance(leaf, Tensor) else paddle.ones(list(shape), leaf.dtype)
    return own.cast(paddle.get_default_dtype()) if "float" in str(leaf.dtype) else own
