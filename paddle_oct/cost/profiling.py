"""What one network costs: parameters, multiply-accumulates, memory, and, on request, time."""

from __future__ import annotations

import dataclasses
from math import prod
from typing import Mapping

from paddle import nn

from paddle_oct.nn import OctaveConv, fast_kernels

from .inputs import InputSize, check_sizes, make_inputs
from .latency import measure_latency
from .memory import bytes_of
from .operators import Count, Operator, table_with
from .results import LayerCost, MemoryCost, Profile
from .trace import Row, Tracer


def profile(
    model: nn.Layer,
    input_size: InputSize,
    *,
    name: str | None = None,
    dtype: str = "float32",
    training: bool = True,
    repeats: int = 0,
    whole: tuple[type, ...] = (OctaveConv,),
    operators: Mapping[Operator, Count] | None = None,
) -> Profile:
    """Find out what a network costs.

    The network is run once in evaluation mode and, for the memory of training, once forward in
    training mode. It is left unchanged: modes, running statistics, random numbers.

    Multiply-accumulates are those of convolutions (grouped, depthwise, transposed and deformable
    ones too), linear layers, other matrix products and recurrent layers, whether a layer computes
    them or ``forward`` calls a function. Biases, norms, activations, pooling and additions are not
    counted. A padded convolution counts the zeros of its padding, and a transposed one the products
    that its padding cuts off. ``Profile.uncounted`` names the other operators that ran and may
    multiply, such as Fourier transforms, fused attention, and custom operators in C++; give their
    formulas by ``operators`` or :func:`register_operator`.

    Args:
        model: any network.
        input_size: the shape of its input, such as ``(1, 3, 224, 224)``, or a list of shapes, one
            per argument of ``forward``. A layer that takes an octave feature gets a pair of bands
            that together have this shape.
        name: what to call it; by default its class.
        dtype: of the input.
        training: whether to find out the memory of training.
        repeats: how often to measure the time of a forward pass; 0: not at all.
        whole: classes of layers that make one row with everything in them.
        operators: formulas for operators and classes of layers, for this profile alone, as in
            :func:`register_operator`.

    Returns:
        The costs, for the whole batch.

    Raises:
        TypeError, ValueError: a size is no positive integer, ``operators`` holds something else
            than formulas, or the network fails on the input; the message names the layer that
            fails and the shape that this layer was given.

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
    table = table_with(operators or {})
    whole = (*whole, *(kind for kind in table if isinstance(kind, type)))
    tracer = Tracer(model, whole, table)
    with fast_kernels(False):  # which multiply more, to save time
        tracer.run(inputs, training=False)
    rows = tracer.rows
    kept: dict[str, int] = {}
    kept_total = step = None
    if training:
        in_training = Tracer(model, whole, table)
        in_training.run(inputs, training=True)
        kept = {row.name: row.kept_bytes for row in in_training.rows.values()}
        kept_total = sum(kept.values())
        step = in_training.backward.peak()
        for row_name, row in in_training.rows.items():  # with layers that only training uses
            rows.setdefault(row_name, dataclasses.replace(row, macs=0, output_bytes=0))
        del in_training
    layers = tuple(_layer_cost(row, kept.get(row.name, 0), whole) for row in rows.values())
    parameters = model.parameters()
    trainable = [p for p in parameters if not p.stop_gradient]
    memory = MemoryCost(
        weights=bytes_of([*parameters, *model.buffers()]),
        gradients=bytes_of(trainable),
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
        uncounted=tracer.uncounted,
    )


def count_macs(
    model: nn.Layer,
    input_size: InputSize,
    *,
    operators: Mapping[Operator, Count] | None = None,
) -> int:
    """Return ``profile(...).macs``, without the memory of training."""
    return profile(model, input_size, training=False, operators=operators).macs


def _layer_cost(row: Row, kept_bytes: int, whole: tuple[type, ...]) -> LayerCost:
    parameters = row.layer.parameters(include_sublayers=isinstance(row.layer, whole))
    return LayerCost(
        name=row.name,
        kind=type(row.layer).__name__,
        output_shapes=row.output_shapes,
        calls=max(row.calls, 1),
        parameters=sum(prod(p.shape) for p in parameters),
        macs=row.macs,
        output_bytes=row.output_bytes,
        kept_bytes=kept_bytes,
    )
