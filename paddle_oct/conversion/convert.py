"""Turning a network that exists into an octave one, with what it has learnt."""

from __future__ import annotations

import copy
import inspect
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Mapping, Sequence

import paddle
from paddle import nn

from paddle_oct.nn import OctaveConv
from paddle_oct.nn.arguments import positive_int
from paddle_oct.nn.octave_conv import Downsample

from .build import octave_conv, octave_norm
from .check import Sample, check_converted, check_followed, evaluating, sample, sample_beside
from .follow.graph import Graph
from .follow.source import render
from .follow.trace import CannotFollow, trace
from .octave_source import OctaveWriter
from .plan import Plan, make_plan
from .report import OctavizeReport, report_conv, report_unused
from .roles import Roles
from .selection import Alpha, Patterns, Selection


def octavize(
    model: nn.Layer,
    alpha: Alpha = 0.5,
    *,
    input_size: Sequence[int] = (1, 3, 224, 224),
    inplace: bool = False,
    include: Patterns = None,
    exclude: Patterns = None,
    downsample: Downsample | None = None,
) -> nn.Layer:
    """Turn a vanilla network into an octave one, with its weights (arXiv:1904.05049).

    The network's forward is run once and recorded. ``paddle.nn.Conv2D`` layers become
    :class:`~paddle_oct.OctaveConv` wherever both bands can pass: their four kernels are the four
    blocks of the old one (Fig. 2b). Norms are split by channel, with their running statistics;
    activations, pooling, dropout, additions and concatenations work on both bands. Whatever needs
    one tensor is given the merged one, with its channels in their old order; a pair that would
    only be merged again is never made. As in the paper, the convolution that reads the image and
    the last stage stay vanilla. Nothing is initialised anew, and ``alpha=0`` changes nothing.

    The result is an instance of the same class, whose ``forward`` is the recorded one with pairs in
    it. State-dict keys read ``layer1.0.conv2.conv_h2h.weight`` and ``layer1.0.bn2.high.weight``.
    ``print(net.octave_report)`` tells what was replaced, what was left and why, and the
    multiply-accumulates; ``print(net.octave_forward)`` shows the forward.

    Args:
        model (Layer): the network, which takes one Tensor ``[N, C, H, W]``.
        alpha (float|list|dict): the share of low-frequency channels of the convolutions' outputs,
            in [0, 1]: one number; or one per stage (a stage is a resolution; the error for a
            wrong count names them); or a dict of patterns, such as
            ``{"layer1": 0.5, "layer[23]": 0.25}``, of which the first that matches counts and
            what none matches stays vanilla.
        input_size (tuple|list): the shape of an input. The network converted takes others too; this
            one finds the stages, and multiply-accumulates are counted for it.
        inplace (bool): whether to convert the network itself; by default a copy. If anything fails
            the network is left as it was.
        include (str|list): convert these layers only, and these also in the stem and the last
            stage. Names as in ``named_sublayers``, which stand for all that is in them too, or
            shell patterns of such names.
        exclude (str|list): leave these layers as they are.
        downsample (str|None): how octave convolutions of stride 2 halve a map, as in
            :class:`~paddle_oct.OctaveConv`; by default average pooling in place of the stride,
            while convolutions that stay vanilla keep theirs. ``"avg_pool"`` by name makes those of
            the last stage pool too, as ``oct_resnet50`` and the authors' networks do.

    Returns:
        The octave network.

    Raises:
        TypeError: ``model`` is no ``Layer``, or an argument is of the wrong type.
        ValueError: an argument is out of range; a pattern matches no convolution (the nearest names
            are suggested); an alpha leaves a layer without channels in a band; the network does
            not take ``input_size``, or its forward cannot be followed, such as one that reads the
            values of a tensor or does something else in training (the message says where).

    Examples:
        >>> import paddle
        >>> from paddle_oct import octavize
        >>> net = paddle.vision.models.resnet18(num_classes=10)
        >>> octave = octavize(net, alpha=0.5, input_size=(1, 3, 64, 64))
        >>> report = octave.octave_report
        >>> print(len(report.replaced), "of", len(report.convs))
        16 of 20
        >>> print(list(octave(paddle.rand([2, 3, 64, 64])).shape))
        [2, 10]
    """
    from paddle_oct.cost import count_macs  # imports training, which imports this room

    if not isinstance(model, nn.Layer):
        hint = "; pass its network" if isinstance(model, paddle.Model) else ""
        raise TypeError(
            f"octavize: model must be a paddle.nn.Layer, got {type(model).__name__}{hint}"
        )
    if any(isinstance(layer, OctaveConv) for layer in model.sublayers(include_self=True)):
        raise ValueError(f"octavize: {type(model).__name__} is an octave network already")
    if downsample not in (None, "avg_pool", "strided_conv"):
        raise ValueError(
            f"octavize: downsample must be 'avg_pool', 'strided_conv' or None, got {downsample!r}"
        )
    size = _check_input_size(input_size)
    selection = Selection(_conv_names(model), alpha, include, exclude)

    with evaluating(model):
        samples = _samples(model, size)
        try:
            graph = trace(model, samples[0].x)
            check_followed(model, render(graph, _argument(model)).compile(), samples)
        except CannotFollow as error:
            raise ValueError(f"octavize: {type(model).__name__}: {error}") from None
    roles = Roles(model, graph)
    plan = make_plan(roles, graph, selection, downsample == "avg_pool")

    name = type(model).__name__
    target = model if inplace else copy.deepcopy(model)
    macs_before = count_macs(model, size)
    layers, source, forward = _convert(target, graph, plan, downsample)
    with _undone_on_failure(target):
        _install(target, layers, forward)
        with evaluating(target):
            check_converted(target, samples)
        type(target).octave_report = _report(
            name, roles, graph, plan, size, macs_before, count_macs(target, size)
        )
        type(target).octave_forward = source
    return target


# -- arguments ------------------------------------------------------------------------------------


def _check_input_size(input_size: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(input_size, (tuple, list)) or len(input_size) != 4:
        raise ValueError(f"octavize: input_size must be (N, C, H, W), got {input_size!r}")
    return tuple(positive_int(size, "octavize: every size of input_size") for size in input_size)


def _conv_names(model: nn.Layer) -> list[str]:
    return [name for name, layer in model.named_sublayers() if isinstance(layer, nn.Conv2D)]


def _samples(model: nn.Layer, size: tuple[int, ...]) -> list[Sample]:
    try:
        first = sample(model, size)
    except Exception as error:
        raise ValueError(
            f"octavize: {type(model).__name__} does not take an input of {list(size)}, give "
            f"another input_size: {' '.join(str(error).split())[-200:]}"
        ) from error
    return [first, sample_beside(model, size)]


def _argument(model: nn.Layer) -> str:
    """Return what the network's forward calls its input."""
    for parameter in inspect.signature(model.forward).parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            return parameter.name
    return "x"


# -- the new network ------------------------------------------------------------------------------


def _convert(
    model: nn.Layer, graph: Graph, plan: Plan, downsample: Downsample | None
) -> tuple[dict[str, nn.Layer], str, Callable | None]:
    """Make what a network is to be given: layers by name, the source of a forward, and it."""
    if not plan.convs:
        return {}, "", None
    old = dict(model.named_sublayers())
    layers: dict[str, nn.Layer] = {}
    for node, (source, target) in plan.convs.items():
        layers[node.target] = octave_conv(old[node.target], source, target, downsample)
    for node, layout in plan.norms.items():
        layers[node.target] = octave_norm(old[node.target], layout)
    pooling = _pooling(graph, plan)
    layers.update(pooling)
    written = OctaveWriter(graph, _argument(model), plan, pooling).write()
    return layers, written.source, written.compile()


def _pooling(graph: Graph, plan: Plan) -> dict[str, nn.Layer]:
    """Return an octave pooling layer for every one that is given a pair."""
    return {
        node.target: plan.roles[node].pool
        for node in graph.nodes
        if node.kind == "layer" and plan.roles[node].kind == "pool" and node.output in plan.layouts
    }


def _install(model: nn.Layer, layers: Mapping[str, nn.Layer], forward: Callable | None) -> None:
    """Put layers and a forward into a network."""
    replacement = {id(layer): layers[n] for n, layer in model.named_sublayers() if n in layers}
    for parent in model.sublayers(include_self=True):
        for name, layer in parent._sub_layers.items():
            if id(layer) in replacement:
                parent._sub_layers[name] = replacement[id(layer)]
    kind = type(model)
    body = {"__module__": kind.__module__, "__doc__": kind.__doc__}
    if forward is not None:
        body["forward"] = forward
    model.__class__ = type(f"Octave{kind.__name__}", (kind,), body)


@contextmanager
def _undone_on_failure(model: nn.Layer) -> Iterator[None]:
    """Put a network's layers and class back if anything is raised."""
    kind = type(model)
    tables = [(layer, dict(layer._sub_layers)) for layer in model.sublayers(include_self=True)]
    try:
        yield
    except BaseException:
        model.__class__ = kind
        for layer, table in tables:
            layer._sub_layers.update(table)
        raise


def _report(
    network: str,
    roles: Roles,
    graph: Graph,
    plan: Plan,
    size: tuple[int, ...],
    macs_before: int,
    macs_after: int,
) -> OctavizeReport:
    called: dict[str, Any] = {}
    for node in graph.nodes:
        if node.kind == "layer" and isinstance(roles.layers[node.target], nn.Conv2D):
            report = report_conv(node, roles.layers[node.target], plan)
            called.setdefault(node.target, report)
    unused = [
        report_unused(name, layer)
        for name, layer in roles.layers.items()
        if isinstance(layer, nn.Conv2D) and name not in called
    ]
    merged = [
        f"{value.node.name} -> {'the output' if node is None else node.name}"
        for value, node in plan.merges
    ]
    return OctavizeReport(
        network,
        size,
        (*called.values(), *unused),
        tuple(dict.fromkeys(merged)),
        macs_before,
        macs_after,
    )
