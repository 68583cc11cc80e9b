"""Running a network once and noting what each of its layers does."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Mapping, Sequence

import paddle
from paddle import Tensor, nn

from paddle_oct.base.errors import first_line
from paddle_oct.base.modes import kept_modes
from paddle_oct.base.patching import PATCHING, is_observed
from paddle_oct.base.private import is_allocated, sub_layers, without_to_static

from .free import is_free
from .memory import BackwardMemory, FeatureMemory, tensors_in
from .operators import Count, Operator, by_position, check_kernel_fits
from .reporting import reported_operators, reported_saved_tensors


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
    row: str  # the name of the layer whose row its cost is added to
    closed: bool  # whether the cost of its sub-layers is added to the same row
    counted: bool  # whether there is a formula for it, or for a layer that it is in
    shapes: list[list[int]]


class Tracer:
    """Run a network once and note what happens.

    Args:
        model: the network.
        whole: layers that count as one with everything in them.
        table: the formulas of operators and of layers; a layer with a formula counts as one, too.

    Attributes:
        rows: what each layer did, in the order in which they first did something.
        memory: the feature maps that were alive.
        backward: what the backward pass would hold.
        uncounted: how often operators ran that may multiply and have no formula.
    """

    def __init__(
        self, model: nn.Layer, whole: tuple[type, ...], table: Mapping[Operator, Count]
    ) -> None:
        self.model = model
        self.rows: dict[str, Row] = {}
        self.uncounted: dict[str, int] = {}
        self._whole = whole
        self._table = table
        self._watched = self._layers_to_watch()
        fixed = [*model.parameters(), *model.buffers()]
        self.memory = FeatureMemory(fixed)
        self.backward = BackwardMemory(fixed)
        self._stack: list[_Frame] = []
        self._thread = threading.get_ident()

    def run(self, inputs: Sequence[Any], training: bool) -> None:
        """Run the network in evaluation mode without gradients, or in training mode with them.

        Raises:
            ValueError: the network fails on these inputs; the message names the layer.
        """
        with PATCHING, ExitStack() as stack:
            stack.enter_context(_restored(self.model, training))
            stack.enter_context(self._hooks())
            # A static program would not report its operators.
            stack.enter_context(without_to_static())
            stack.enter_context(reported_operators(self._report))
            stack.enter_context(
                reported_saved_tensors(self._keep) if training else paddle.no_grad()
            )
            for tensor in tensors_in(inputs):
                self.memory.see(tensor)
            try:
                self.model(*inputs)
            except Exception as error:  # a forward may raise anything
                raise ValueError(self._explain(error, inputs)) from error

    # -- layers -----------------------------------------------------------------------------------

    @contextmanager
    def _hooks(self) -> Iterator[None]:
        hooks = []
        try:
            for _, layer in self._watched.values():
                hooks.append(layer.register_forward_pre_hook(self._enter))
                hooks.append(layer.register_forward_post_hook(self._leave))
            yield
        finally:
            for hook in hooks:
                hook.remove()

    # The results are Any because Paddle's types allow no hook that returns None.
    def _enter(self, layer: nn.Layer, inputs: Any) -> Any:
        name, _ = self._watched[id(layer)]
        parent = self._stack[-1] if self._stack else None
        inside = parent is not None and parent.closed
        formula = self._formula_of(layer) is not None
        self._stack.append(
            _Frame(
                name,
                layer,
                row=parent.row if parent is not None and inside else name,
                closed=inside or formula or isinstance(layer, self._whole) or not sub_layers(layer),
                counted=formula or (parent is not None and parent.counted),
                shapes=[list(t.shape) for t in tensors_in(inputs)],
            )
        )

    def _leave(self, layer: nn.Layer, inputs: Any, output: Any) -> Any:
        while self._stack[-1].layer is not layer:  # an exception left it, and was caught
            self._stack.pop()
        frame = self._stack.pop()
        outputs = tensors_in(output)
        given = {id(self.memory.see(t)) for t in tensors_in(inputs)}
        made = {id(s): s for s in map(self.memory.see, outputs) if s and id(s) not in given}
        self.memory.sample()
        formula = self._formula_of(layer)
        if formula is not None and not (self._stack and self._stack[-1].counted):
            self._row(frame).macs += formula((layer, *inputs), output)
        if frame.row != frame.name or (not frame.closed and frame.name not in self.rows):
            return
        row = self._row(frame)
        row.calls += 1
        shapes = [list(t.shape) for t in outputs]
        row.output_shapes += [shape for shape in shapes if shape not in row.output_shapes]
        if frame.closed:
            row.output_bytes += sum(storage.size for storage in made.values())

    def _layers_to_watch(self) -> dict[int, tuple[str, nn.Layer]]:
        """Return the layers that get hooks, with their names, by their ``id``: all but the parts of
        a layer that counts as one, as hooks on them may change how it computes.
        """
        named = list(self.model.named_sublayers(include_self=True))
        wholes = [x for _, x in named if isinstance(x, self._whole) or self._formula_of(x)]
        within = {id(part) for whole in wholes for part in whole.sublayers()}
        return {id(layer): (name, layer) for name, layer in named if id(layer) not in within}

    def _formula_of(self, layer: nn.Layer) -> Count | None:
        for kind in type(layer).__mro__:
            if kind in self._table:
                return self._table[kind]
        return None

    def _row(self, frame: _Frame) -> Row:
        if frame.row not in self.rows:
            layer = next(f.layer for f in [*self._stack, frame] if f.name == frame.row)
            self.rows[frame.row] = Row(frame.row, layer)
        return self.rows[frame.row]

    # -- operators --------------------------------------------------------------------------------

    def _report(
        self,
        name: str,
        operator: Callable[..., Any],
        args: Sequence[Any],
        named: Mapping[str, Any],
    ) -> Any:
        if threading.get_ident() != self._thread or not is_observed():
            return operator(*args, **named)
        check_kernel_fits(name, args)
        inputs = tensors_in([args, named])
        for tensor in inputs:
            self.memory.see(tensor)
        self.backward.start()
        output = operator(*args, **named)
        outputs = tensors_in(output)
        for tensor in outputs:
            self.memory.see(tensor)
        self.memory.sample()
        self.backward.end(inputs, outputs)
        if self._stack and not self._stack[-1].counted:
            count = self._table.get(name)
            if count is not None:
                self._row(self._stack[-1]).macs += count(by_position(name, args, named), output)
            elif not is_free(name, [*inputs, *outputs]):
                self.uncounted[name] = self.uncounted.get(name, 0) + 1
        return output

    def _keep(self, tensor: Tensor) -> None:
        if threading.get_ident() != self._thread:
            return
        storage = self.memory.see(tensor)
        if storage is not None and not storage.fixed and not storage.kept:
            storage.kept = True
            self.backward.keep(storage.size)
            if self._stack:
                self._row(self._stack[-1]).kept_bytes += storage.size

    # -- failures ---------------------------------------------------------------------------------

    def _explain(self, error: Exception, inputs: Sequence[Any]) -> str:
        kind = type(self.model).__name__
        given = " and ".join(str(list(t.shape)) for t in tensors_in(inputs))
        if not self._stack or not self._stack[-1].name:
            return f"{kind} fails on an input of {given}: {first_line(error)}"
        frame = self._stack[-1]
        what = f"{type(frame.layer).__name__}({frame.layer.extra_repr()})"
        shapes = " and ".join(map(str, frame.shapes)) or "nothing"
        return (
            f"{kind} fails on an input of {given}, in layer {frame.name!r}, {what}, which was "
            f"given {shapes}: {first_line(error)}"
        )


@contextmanager
def _restored(model: nn.Layer, training: bool) -> Iterator[None]:
    """Set a network's mode within the block; then restore it, its state and the random numbers."""
    everything = [*model.parameters(), *model.buffers()]
    state = [t for t in everything if t.stop_gradient and is_allocated(t)]
    values = [tensor.clone() for tensor in state] if training else []
    random = paddle.get_rng_state()
    try:
        with kept_modes(model, training=training):
            yield
    finally:
        with paddle.no_grad():
            for tensor, value in zip(state, values):
                tensor.set_value(value)
        paddle.set_rng_state(random)
