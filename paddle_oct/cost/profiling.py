"""What one network costs: parameters, multiply-accumulates, memory, and, on request, time."""

from __future__ import annotations

import dataclasses
import statistics
import time
from dataclasses import dataclass
from math import prod
from numbers import Integral
from typing import Any, Sequence, Union

import paddle
from paddle import Tensor, nn

from paddle_oct.base.tables import human_bytes, human_count, render
from paddle_oct.nn import Conv_BN, OctaveConv, split

from .trace import Backward, Tracer

InputSize = Union[Sequence[int], Sequence[Sequence[int]]]


@dataclass(frozen=True)
class LayerCost:
    """What one layer costs.

    Args:
        name: its name in the network, as in ``named_sublayers``.
        kind: its class.
        output_shapes: the different shapes of the Tensors that it returned.
        calls: how often it ran.
        parameters: numbers in it. A layer with sub-layers has its own only, unless it counts whole.
        macs: multiply-accumulates of all its calls.
        output_bytes: memory of the feature maps that it made.
        kept_bytes: memory of the feature maps that training keeps because of it and that no layer
            before it keeps already.
    """

    name: str
    kind: str
    output_shapes: list[list[int]]
    calls: int
    parameters: int
    macs: int
    output_bytes: int
    kept_bytes: int


@dataclass(frozen=True)
class MemoryCost:
    """Memory in bytes.

    Args:
        weights: parameters and buffers, running means and variances among them.
        gradients: of the trainable parameters.
        features: the feature maps that all layers make, added up; the paper's Table 1 compares
            this for one layer.
        inference: the feature maps alive at the same time, input included, at the peak of a run
            in evaluation mode without gradients.
        training: the feature maps that autograd keeps from the forward pass for the backward pass,
            input included. None if it was not asked for.
        step: the peak of a training step beside weights, gradients and optimiser: ``training`` and
            the gradients that are on their way in the backward pass. None if not asked for.
    """

    weights: int
    gradients: int
    features: int
    inference: int
    training: int | None = None
    step: int | None = None

    def optimizer(self, slots: int) -> int:
        """Return the state of an optimiser: ``slots`` numbers a parameter.

        None for SGD, 1 for Momentum, 2 for Adam.
        """
        return slots * self.gradients

    def training_total(self, slots: int = 1) -> int:
        """Return all that training holds at its peak, with an optimiser of ``slots``.

        Raises:
            ValueError: the profile was made without the training memory.
        """
        if self.step is None:
            raise ValueError("the profile was made with training=False")
        return self.weights + self.gradients + self.optimizer(slots) + self.step


@dataclass(frozen=True)
class Latency:
    """Measured time of a forward pass in Paddle's eager mode.

    Args:
        milliseconds: the median.
        spread: half the distance of the quartiles, in milliseconds.
        images_per_second: batch size over median.
        repeats: how many runs it is the median of.
    """

    milliseconds: float
    spread: float
    images_per_second: float
    repeats: int


@dataclass(frozen=True)
class Profile:
    """What a network costs, as :func:`profile` found.

    Args:
        name: what to call the network.
        input_size: the shape of its input, or the shapes.
        parameters: numbers in its parameters, running means and variances included, as
            ``paddle.summary`` counts.
        trainable: those that training changes.
        macs: multiply-accumulates of convolutions and matrix products, of the whole batch.
        memory: what it needs.
        latency: the measured time, if asked for.
        layers: a row per layer that did something, in the order of the run.
    """

    name: str
    input_size: list[Any]
    parameters: int
    trainable: int
    macs: int
    memory: MemoryCost
    latency: Latency | None
    layers: tuple[LayerCost, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as nested dicts and lists of plain numbers, as for JSON."""
        plain = dataclasses.asdict(self)
        plain["layers"] = list(plain["layers"])
        return plain

    def table(self, form: str = "table") -> str:
        """Return the layers as a table.

        Args:
            form: ``"table"``, ``"markdown"``, ``"csv"`` or ``"json"``.
        """
        headers = ("layer", "kind", "output", "parameters", "MACs", "output", "kept")
        if form in ("csv", "json"):
            return render([dataclasses.asdict(layer) for layer in self.layers], form)
        rows = [
            (
                layer.name or "(the network itself)",
                layer.kind + (f", {layer.calls} times" if layer.calls > 1 else ""),
                " + ".join("x".join(map(str, shape)) for shape in layer.output_shapes),
                f"{layer.parameters:,}",
                f"{layer.macs:,}",
                human_bytes(layer.output_bytes),
                human_bytes(layer.kept_bytes),
            )
            for layer in self.layers
        ]
        return render(rows, form, headers)

    def __repr__(self) -> str:
        m = self.memory
        rows = [
            ("parameters", f"{self.parameters:,} ({self.trainable:,} trainable)"),
            ("MACs", f"{self.macs:,} ({human_count(self.macs)})"),
            ("weights", human_bytes(m.weights)),
            ("feature maps, inference", f"{human_bytes(m.inference)} at the peak"),
        ]
        if m.training is not None:
            rows += [
                ("feature maps, training", f"{human_bytes(m.training)} kept for the backward pass"),
                ("training step", f"{human_bytes(m.training_total())} at the peak, with momentum"),
            ]
        if self.latency is not None:
            t = self.latency
            speed = f"{t.images_per_second:.1f} images/s"
            rows.append(("forward, eager", f"{t.milliseconds:.1f} ± {t.spread:.1f} ms, {speed}"))
        width = max(len(name) for name, _ in rows)
        lines = [f"{self.name} on {self.input_size}, {len(self.layers)} layers"]
        return "\n".join(lines + [f"  {name:<{width}}  {text}" for name, text in rows])


def profile(
    model: nn.Layer,
    input_size: InputSize,
    *,
    name: str | None = None,
    dtype: str = "float32",
    training: bool = True,
    repeats: int = 0,
    whole: tuple[type, ...] = (OctaveConv,),
) -> Profile:
    """Say what a network costs.

    The network is run once in evaluation mode and, for the memory of training, once forward in
    training mode. It is left as it was: modes, running statistics, random numbers.

    Multiply-accumulates are those of convolutions (grouped, depthwise, transposed and deformable
    ones too), linear layers, other matrix products and recurrent layers, whether a layer computes
    them or ``forward`` calls a function. Biases, norms, activations, pooling and additions are not
    counted. A padded convolution counts the zeros of its padding, and a transposed one the products
    that its padding cuts off.

    Args:
        model: any network.
        input_size: the shape of its input, such as ``(1, 3, 224, 224)``, or a list of shapes, one
            per argument of ``forward``. Layers that take an octave feature are given a pair of the
            bands of this one shape.
        name: what to call it; by default its class.
        dtype: of the input.
        training: whether to find out the memory of training.
        repeats: how often to measure the time of a forward pass; 0: not at all.
        whole: layers that make one row with everything in them.

    Returns:
        The costs, for the whole batch.

    Raises:
        TypeError, ValueError: a size is no positive integer, or the network fails on the input; the
            message names the layer in which it does and the shape that this was given.

    Examples:
        >>> from paddle_oct import OctaveConv
        >>> from paddle_oct.cost import profile
        >>> layer = OctaveConv(64, 64, 3, alpha_in=0.5, alpha_out=0.5, padding=1)
        >>> profile(layer, (1, 64, 56, 56)).macs
        50577408
    """
    if not isinstance(model, nn.Layer):
        raise TypeError(f"profile: expected a paddle.nn.Layer, got {type(model).__name__}")
    if not isinstance(repeats, int) or repeats < 0:
        raise ValueError(f"profile: repeats must be 0 or more, got {repeats!r}")
    sizes = check_sizes(input_size)
    inputs = make_inputs(model, sizes, dtype)
    tracer = Tracer(model, whole)
    tracer.run(inputs, training=False)
    kept: dict[str, int] = {}
    kept_total = step = None
    if training:
        again = Tracer(model, whole)
        again.run(inputs, training=True)
        kept = {row.name: row.kept_bytes for row in again.rows.values()}
        kept_total = sum(kept.values())
        step = _peak_of_backward(again.backward)
        for row_name, row in again.rows.items():  # a layer that only training uses
            tracer.rows.setdefault(row_name, dataclasses.replace(row, macs=0, output_bytes=0))
        del again
    layers = tuple(
        LayerCost(
            name=row.name,
            kind=type(row.layer).__name__,
            output_shapes=row.output_shapes,
            calls=max(row.calls, 1),
            parameters=_own_parameters(row.layer, whole),
            macs=row.macs,
            output_bytes=row.output_bytes,
            kept_bytes=kept.get(row.name, 0),
        )
        for row in tracer.rows.values()
    )
    parameters = model.parameters()
    trainable = [p for p in parameters if not p.stop_gradient]
    memory = MemoryCost(
        weights=_bytes([*parameters, *model.buffers()]),
        gradients=_bytes(trainable),
        features=sum(layer.output_bytes for layer in layers),
        inference=tracer.memory.peak,
        training=kept_total,
        step=step,
    )
    latency = None
    if repeats:
        (latency,) = measure_latency([(model, inputs)], repeats)
    return Profile(
        name=name or type(model).__name__,
        input_size=sizes[0] if len(sizes) == 1 else sizes,
        parameters=sum(prod(p.shape) for p in parameters),
        trainable=sum(prod(p.shape) for p in trainable),
        macs=sum(layer.macs for layer in layers),
        memory=memory,
        latency=latency,
        layers=layers,
    )


def count_macs(model: nn.Layer, input_size: InputSize) -> int:
    """Return ``profile(model, input_size).macs``, without the memory of training."""
    return profile(model, input_size, training=False).macs


def check_sizes(input_size: InputSize) -> list[list[int]]:
    """Return a shape or a list of shapes as a list of shapes.

    Raises:
        TypeError, ValueError: there is something else in it than positive integers.
    """
    if not isinstance(input_size, (tuple, list)) or not input_size:
        raise TypeError(f"input_size must be a shape such as (1, 3, 224, 224), got {input_size!r}")
    nested = any(isinstance(item, (tuple, list)) for item in input_size)
    shapes = list(input_size) if nested else [input_size]
    for shape in shapes:
        if not isinstance(shape, (tuple, list)) or any(
            isinstance(n, bool) or not isinstance(n, Integral) for n in shape
        ):
            raise TypeError(f"input_size must hold integers, got {input_size!r}")
        if any(n < 1 for n in shape):
            raise ValueError(f"input_size must hold positive integers, got {input_size!r}")
    return [[int(n) for n in shape] for shape in shapes]


def make_inputs(model: nn.Layer, sizes: list[list[int]], dtype: str) -> list[Any]:
    """Return zeros of these shapes, as a pair of bands for a layer that takes one."""
    inputs: list[Any] = [paddle.zeros(size, dtype) for size in sizes]
    bands = _bands(model)
    if bands is not None and len(inputs) == 1:
        (x,) = inputs
        if len(x.shape) != 4 or x.shape[1] != sum(bands):
            raise ValueError(
                f"{type(model).__name__}({model.extra_repr()}) takes [N, {sum(bands)}, H, W], "
                f"got {sizes[0]}"
            )
        pair = split(x, bands[1] / sum(bands))
        inputs = [tuple(None if band is None else band.clone() for band in pair)]
    return inputs


def _bands(model: nn.Layer) -> tuple[int, int] | None:
    layer = model.conv if isinstance(model, Conv_BN) else model
    return getattr(layer, "in_bands", getattr(layer, "bands", None))


def _own_parameters(layer: nn.Layer, whole: tuple[type, ...]) -> int:
    everything = isinstance(layer, whole)
    return sum(prod(p.shape) for p in layer.parameters(include_sublayers=everything))


def _bytes(tensors: Sequence[Tensor]) -> int:
    unique = {id(t): t for t in tensors}
    return sum(prod(t.shape) * t.element_size() for t in unique.values())


def _peak_of_backward(operators: list[Backward]) -> int:
    """Go back through the operators: each frees what was kept for it."""
    live = peak = sum(operator.kept for operator in operators)
    for operator in reversed(operators):
        peak = max(peak, live + operator.gradients + operator.maps)
        live -= operator.kept
    return peak


def measure_latency(
    contenders: Sequence[tuple[nn.Layer, Sequence[Any]]], repeats: int
) -> list[Latency]:
    """Measure the forward pass of networks in eager mode, in turns.

    What else the machine does then falls on all of them alike.

    Args:
        contenders: networks and their inputs.
        repeats: how often each runs, after two runs that do not count.
    """
    seconds: list[list[float]] = [[] for _ in contenders]
    modes = [
        (layer, layer.training)
        for model, _ in contenders
        for layer in model.sublayers(include_self=True)
    ]
    try:
        with paddle.no_grad():
            for turn in range(repeats + 2):
                for (model, inputs), taken in zip(contenders, seconds):
                    model.eval()
                    start = time.perf_counter()
                    model(*inputs)
                    if paddle.device.is_compiled_with_cuda():
                        paddle.device.synchronize()
                    if turn >= 2:
                        taken.append(time.perf_counter() - start)
    finally:
        for layer, mode in modes:
            layer.training = mode
    result = []
    for (_, inputs), taken in zip(contenders, seconds):
        median = statistics.median(taken)
        low, _, high = statistics.quantiles(taken, n=4) if len(taken) > 1 else (median,) * 3
        batch = _first(inputs).shape[0]
        result.append(Latency(1000 * median, 500 * (high - low), batch / median, repeats))
    return result


def _first(inputs: Any) -> Tensor:
    while not isinstance(inputs, Tensor):
        inputs = next(item for item in inputs if item is not None)
    return inputs
