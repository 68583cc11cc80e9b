"""Watching a network run: which operators, in which layer, on which feature maps.

Every eager operator that Python calls is a function of ``paddle._C_ops`` or an operator of the
Tensor type. While :class:`Tracer` is active they report to it, so that functional calls in
somebody's ``forward`` are seen like layers are. What autograd keeps for the backward pass is not
modelled: ``paddle.autograd.saved_tensors_hooks`` is told of every Tensor.
"""

from __future__ import annotations

import bisect
import inspect
import sys
import threading
import weakref
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any, Callable, Iterator, Sequence

import paddle
from paddle import Tensor, nn

from .operators import MACS, by_position, check_kernel_fits

_TENSOR_OPERATORS = (
    *("__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__"),
    *("__truediv__", "__rtruediv__", "__matmul__"),
)


@dataclass
class Storage:
    """A piece of memory that one Tensor or several share."""

    start: int
    size: int
    tensors: int = 0
    fixed: bool = False  # a parameter or a buffer
    kept: bool = False


class Memory:
    """Which feature maps are alive."""

    def __init__(self, fixed: Sequence[Tensor]) -> None:
        self._starts: list[int] = []
        self._storages: dict[int, Storage] = {}
        self._references: dict[int, weakref.ref] = {}
        self.live = 0
        self.peak = 0
        for tensor in fixed:
            storage = self.see(tensor)
            if storage is not None and not storage.fixed:
                storage.fixed = True
                self.live -= storage.size

    def see(self, tensor: Tensor) -> Storage | None:
        """Take note of a Tensor and return its storage, None for an empty one."""
        size = prod(tensor.shape) * tensor.element_size()
        if not size or not tensor._is_initialized():
            return None
        start = tensor.data_ptr()
        storage = self._holding(start)
        if storage is None:
            storage = self._storages[start] = Storage(start, 0)
            bisect.insort(self._starts, start)
        if start + size > storage.start + storage.size:
            grown = start + size - storage.start - storage.size
            storage.size += grown
            self.live += 0 if storage.fixed else grown
        identity = id(tensor)
        if identity not in self._references:
            storage.tensors += 1
            self._references[identity] = weakref.ref(tensor, self._forget(identity, storage))
        return storage

    def _holding(self, address: int) -> Storage | None:
        index = bisect.bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        storage = self._storages[self._starts[index]]
        return storage if address < storage.start + storage.size else None

    def _forget(self, identity: int, storage: Storage) -> Callable[[Any], None]:
        def forget(_: Any) -> None:
            del self._references[identity]
            storage.tensors -= 1
            if not storage.tensors:
                del self._storages[storage.start]
                del self._starts[bisect.bisect_left(self._starts, storage.start)]
                self.live -= 0 if storage.fixed else storage.size

        return forget

    def sample(self) -> None:
        """Compare what is alive now with the peak so far."""
        self.peak = max(self.peak, self.live)


@dataclass
class Row:
    """What one layer did."""

    name: str
    layer: nn.Layer
    macs: int = 0
    calls: int = 0
    output_shapes: list[list[int]] = field(default_factory=list)
    output_bytes: int = 0
    kept_bytes: int = 0


@dataclass
class _Frame:
    """A layer that is running."""

    name: str
    layer: nn.Layer
    row: str  # the name of the layer that its cost counts for
    closed: bool  # whether its sub-layers' cost counts for it
    shapes: list[list[int]]


@dataclass
class Backward:
    """What one operator means for the backward pass."""

    kept: int  # bytes that are free after it
    gradients: int  # bytes of parameter gradients that it adds
    maps: int  # bytes of the gradients of its output and inputs


class Tracer:
    """Run a network once and note what happens.

    Args:
        model: the network.
        whole: layers that count as one with everything in them.

    Attributes:
        rows: what each layer did, in the order in which they first did something.
        memory: the feature maps that were alive.
        backward: what every operator leaves for the backward pass, in forward order.
    """

    def __init__(self, model: nn.Layer, whole: tuple[type, ...]) -> None:
        self.model = model
        self.whole = whole
        self.rows: dict[str, Row] = {}
        self.backward: list[Backward] = []
        self._names = {
            id(layer): name for name, layer in reversed(_named_layers(model))
        }  # a layer with two names goes by its first
        fixed = [*model.parameters(), *model.buffers()]
        self._parameters = {id(p): p for p in fixed}
        self.memory = Memory(fixed)
        self._stack: list[_Frame] = []
        self._thread = threading.get_ident()
        self._kept_now = 0
        self._gradients: set[int] = set()

    def run(self, inputs: Sequence[Any], training: bool) -> None:
        """Run the network in evaluation mode without gradients, or in training mode with them.

        Raises:
            ValueError: the network fails on these inputs; the message names the layer.
        """
        with ExitStack() as stack:
            stack.enter_context(_as_it_was(self.model, training))
            stack.enter_context(self._hooks())
            stack.enter_context(self._operators())
            if training:
                hooks = paddle.autograd.saved_tensors_hooks(self._keep, lambda kept: kept)
                stack.enter_context(hooks)
            else:
                stack.enter_context(paddle.no_grad())
            for tensor in tensors_in(inputs):
                self.memory.see(tensor)
            try:
                self.model(*inputs)
            except Exception as error:  # whatever somebody's forward raises
                raise ValueError(self._explain(error, inputs)) from error

    # -- layers -----------------------------------------------------------------------------------

    @contextmanager
    def _hooks(self) -> Iterator[None]:
        hooks = []
        try:
            for _, layer in _named_layers(self.model):
                hooks.append(layer.register_forward_pre_hook(self._enter))
                hooks.append(layer.register_forward_post_hook(self._leave))
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _enter(self, layer: nn.Layer, inputs: Any) -> None:
        name = self._names[id(layer)]
        parent = self._stack[-1] if self._stack else None
        inside = parent is not None and parent.closed
        self._stack.append(
            _Frame(
                name,
                layer,
                row=parent.row if inside else name,
                closed=inside or isinstance(layer, self.whole) or not layer._sub_layers,
                shapes=[list(t.shape) for t in tensors_in(inputs)],
            )
        )

    def _leave(self, layer: nn.Layer, inputs: Any, output: Any) -> None:
        while self._stack[-1].layer is not layer:  # left by an exception that somebody caught
            self._stack.pop()
        frame = self._stack.pop()
        outputs = tensors_in(output)
        given = {id(self.memory.see(t)) for t in tensors_in(inputs)}
        made = {id(s): s for s in map(self.memory.see, outputs) if s and id(s) not in given}
        self.memory.sample()
        if frame.row != frame.name or (not frame.closed and frame.name not in self.rows):
            return
        row = self._row(frame)
        row.calls += 1
        shapes = [list(t.shape) for t in outputs]
        row.output_shapes += [shape for shape in shapes if shape not in row.output_shapes]
        if frame.closed:
            row.output_bytes += sum(storage.size for storage in made.values())

    def _row(self, frame: _Frame) -> Row:
        if frame.row not in self.rows:
            layer = next(f.layer for f in [*self._stack, frame] if f.name == frame.row)
            self.rows[frame.row] = Row(frame.row, layer)
        return self.rows[frame.row]

    # -- operators --------------------------------------------------------------------------------

    @contextmanager
    def _operators(self) -> Iterator[None]:
        """Let every operator report, and put things back."""
        before = _find_operators()
        try:
            for place, name, operator in before:
                setattr(place, name, self._reporting(name, operator))
            yield
        finally:
            for place, name, operator in before:
                setattr(place, name, operator)

    def _reporting(self, name: str, operator: Callable) -> Callable:
        count = MACS.get(name)

        def report(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != self._thread:
                return operator(*args, **kwargs)
            check_kernel_fits(name, args)
            inputs = tensors_in([args, kwargs])
            for tensor in inputs:
                self.memory.see(tensor)
            self._kept_now = 0
            output = operator(*args, **kwargs)
            outputs = tensors_in(output)
            for tensor in outputs:
                self.memory.see(tensor)
            self.memory.sample()
            if count is not None and outputs and self._stack:
                self._row(self._stack[-1]).macs += count(
                    by_position(name, args, kwargs), outputs[0]
                )
            self._note_backward(inputs, outputs)
            return output

        return report

    def _note_backward(self, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        gradients = maps = 0
        for tensor in inputs:
            size = prod(tensor.shape) * tensor.element_size()
            if id(tensor) in self._parameters:
                if not tensor.stop_gradient and id(tensor) not in self._gradients:
                    self._gradients.add(id(tensor))
                    gradients += size
            elif not tensor.stop_gradient:
                maps += size
        maps += sum(prod(t.shape) * t.element_size() for t in outputs[:1] if not t.stop_gradient)
        self.backward.append(Backward(self._kept_now, gradients, maps))
        self._kept_now = 0

    def _keep(self, tensor: Tensor) -> Tensor:
        """Autograd keeps a Tensor."""
        storage = self.memory.see(tensor)
        if storage is not None and not storage.fixed and not storage.kept:
            storage.kept = True
            self._kept_now += storage.size
            if self._stack:
                self._row(self._stack[-1]).kept_bytes += storage.size
        # Not the Tensor itself: a node that keeps its own output would never be freed.
        copy = tensor.detach()
        self.memory.see(copy)
        return copy

    # -- failures ---------------------------------------------------------------------------------

    def _explain(self, error: Exception, inputs: Sequence[Any]) -> str:
        kind = type(self.model).__name__
        given = " and ".join(str(list(t.shape)) for t in tensors_in(inputs))
        if not self._stack or not self._stack[-1].name:
            return f"{kind} fails on an input of {given}: {_reason(error)}"
        frame = self._stack[-1]
        what = f"{type(frame.layer).__name__}({frame.layer.extra_repr()})"
        shapes = " and ".join(map(str, frame.shapes)) or "nothing"
        return (
            f"{kind} fails on an input of {given}, in layer {frame.name!r}, {what}, which was "
            f"given {shapes}: {_reason(error)}"
        )


def _find_operators() -> list[tuple[Any, str, Callable]]:
    """Return where Python finds operators: the place, the name there, and the operator.

    Some modules of Paddle import operators by name, ``paddle.tensor.linalg.matmul`` for one.
    """
    operators = {id(f): f for f in vars(paddle._C_ops).values() if inspect.isbuiltin(f)}
    found = [
        (module, name, value)
        for path, module in list(sys.modules.items())
        if path.startswith("paddle.") and "libpaddle" not in path and inspect.ismodule(module)
        for name, value in list(vars(module).items())
        if id(value) in operators
    ]
    for name in _TENSOR_OPERATORS:
        if name in vars(Tensor):
            found.append((Tensor, name, vars(Tensor)[name]))
    return found


def _named_layers(model: nn.Layer) -> list[tuple[str, nn.Layer]]:
    return list(model.named_sublayers(include_self=True))


def _reason(error: Exception) -> str:
    """Return what Paddle says of an error, in one line."""
    text = str(error).split("Error Message Summary:")[-1]
    lines = [line.strip() for line in text.splitlines() if line.strip(" -\t")]
    reason = lines[0] if lines else type(error).__name__
    return reason.replace("(InvalidArgument) ", "").rstrip(".")


def tensors_in(value: Any) -> list[Tensor]:
    """Return the Tensors in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (tuple, list)):
        return []
    return [tensor for item in value for tensor in tensors_in(item)]


@contextmanager
def _as_it_was(model: nn.Layer, training: bool) -> Iterator[None]:
    """Put a network into a mode, and afterwards leave it and the random numbers as they were."""
    layers = model.sublayers(include_self=True)
    modes = [(layer, layer.training) for layer in layers]
    state = [t for t in (*model.parameters(), *model.buffers()) if t.stop_gradient]
    values = [tensor.clone() for tensor in state] if training else []
    random = paddle.get_rng_state()
    try:
        model.train() if training else model.eval()
        yield
    finally:
        for layer, mode in modes:
            layer.training = mode
        with paddle.no_grad():
            for tensor, value in zip(state, values):
                tensor.set_value(value)
        paddle.set_rng_state(random)
