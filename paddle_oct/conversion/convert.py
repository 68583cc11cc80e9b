"""``octavize``: converting an existing network to an octave network with the same weights."""

from __future__ import annotations

import copy
import inspect
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Mapping, Sequence, cast

import paddle
from paddle import nn

from paddle_oct.base.private import sub_layers
from paddle_oct.cost import profile
from paddle_oct.nn import OctaveConv
from paddle_oct.nn.arguments import positive_int
from paddle_oct.nn.plan import Downsample

from .check import check_converted, check_followed, draw_samples, evaluating
from .follow import CannotFollow, ForwardWriter, record
from .network import Network, examine
from .octave_forward import OctaveForwardWriter
from .octave_layers import octave_conv, octave_norm
from .plan import Plan, make_plan
from .report import make_report
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

    The network's forward is run and recorded. ``paddle.nn.Conv2D`` layers become
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
        input_size (tuple|list): the shape ``(N, C, H, W)`` of an input. The converted network takes
            other batches and image sizes too; the stages are found, and multiply-accumulates
            counted, for this one.
        inplace (bool): whether to convert the network itself; by default a copy is converted. If
            anything fails, the network is left as it was.
        include (str|list): convert these layers only, and convert them in the stem and the last
            stage too. Names as in ``named_sublayers``, each of which stands for all layers inside
            it too, or shell patterns of such names.
        exclude (str|list): leave these layers as they are; names or patterns as in ``include``.
        downsample (str|None): how octave convolutions of stride 2 halve a map, as in
            :class:`~paddle_oct.OctaveConv`; by default average pooling in place of the stride,
            while convolutions that stay vanilla keep their stride. ``"avg_pool"`` by name makes
            those of the last stage pool too, as ``oct_resnet50`` and the authors' networks do.

    Returns:
        The octave network.

    Raises:
        TypeError: ``model`` is no ``Layer``, or an argument is of the wrong type.
        ValueError: an argument is out of range; the network is an octave network already; a pattern
            matches no convolution (the nearest names are suggested); an alpha leaves a layer
            without low-frequency channels; convolutions whose outputs are added have different
            alphas; the network does not take ``input_size``; or its forward cannot be followed,
            such as one that reads the values of a tensor or does something else in training (the
            message says where).

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
    _check_model(model)
    if downsample not in (None, "avg_pool", "strided_conv"):
        raise ValueError(
            f"octavize: downsample must be 'avg_pool', 'strided_conv' or None, got {downsample!r}"
        )
    size = _check_input_size(input_size)
    selection = Selection(_conv_names(model), alpha, include, exclude)

    argument = _input_name(model)
    with evaluating(model):
        samples = draw_samples(model, size)
        try:
            graph = record(model, samples[0].x)
            followed = ForwardWriter(graph, argument).write()
            check_followed(model, followed.compile(), samples)
        except CannotFollow as error:
            raise ValueError(f"octavize: {type(model).__name__}: {error}") from None
    network = examine(model, graph, selection)
    plan = make_plan(network, pool_last=downsample == "avg_pool")

    before = profile(model, size, training=False)
    target = model if inplace else copy.deepcopy(model)
    change = _make_change(target, network, plan, argument, downsample)
    with _undone_on_failure(target):
        _install(target, change)
        with evaluating(target):
            check_converted(target, samples)
        after = profile(target, size, training=False)
        octave_class: Any = type(target)
        octave_class.octave_report = make_report(network, plan, before, after)
    return target


# -- arguments ------------------------------------------------------------------------------------


def _check_model(model: nn.Layer) -> None:
    if not isinstance(model, nn.Layer):
        hint = "; pass its network" if isinstance(model, paddle.Model) else ""
        raise TypeError(
            f"octavize: model must be a paddle.nn.Layer, got {type(model).__name__}{hint}"
        )
    if any(isinstance(layer, OctaveConv) for layer in model.sublayers(include_self=True)):
        raise ValueError(f"octavize: {type(model).__name__} is an octave network already")


def _check_input_size(input_size: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(input_size, (tuple, list)) or len(input_size) != 4:
        raise ValueError(f"octavize: input_size must be (N, C, H, W), got {input_size!r}")
    return tuple(positive_int(size, "octavize: every size of input_size") for size in input_size)


def _conv_names(model: nn.Layer) -> list[str]:
    return [name for name, layer in model.named_sublayers() if isinstance(layer, nn.Conv2D)]


def _input_name(model: nn.Layer) -> str:
    """Return the name of the forward's input."""
    for parameter in inspect.signature(model.forward).parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            return parameter.name
    return "x"


# -- the new network ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Change:
    """The layers and the forward that a converted network gets.

    Attributes:
        layers: the layers that replace the network's own, by name.
        source: the source of the new forward; "" if the forward stays.
        forward: the new forward; None if it stays.
    """

    layers: Mapping[str, nn.Layer]
    source: str = ""
    forward: Callable | None = None


def _make_change(
    model: nn.Layer, network: Network, plan: Plan, argument: str, downsample: Downsample | None
) -> _Change:
    """Make the layers and the forward that a plan asks for.

    Args:
        model: the network, or a copy of it, whose layers the new ones are made from.
        network: what :func:`~.network.examine` found out about it.
        plan: what becomes of it.
        argument: the name of the forward's input.
        downsample: as in :func:`octavize`.
    """
    if not plan.convs:
        return _Change({})
    own = dict(model.named_sublayers())
    layers: dict[str, nn.Layer] = {}
    for node, (layout_in, layout_out) in plan.convs.items():
        conv = cast("nn.Conv2D", own[node.target])
        layers[node.target] = octave_conv(conv, layout_in, layout_out, downsample)
    for node, layout in plan.norms.items():
        layers[node.target] = octave_norm(own[node.target], layout)
    pooling: dict[str, nn.Layer] = {}
    for node, role in network.roles.items():
        if node.kind == "layer" and role.pool is not None and node.output in plan.layouts:
            pooling[node.target] = role.pool
    layers.update(pooling)
    writer = OctaveForwardWriter(network.graph, argument, network.roles, plan, pooling)
    written = writer.write()
    return _Change(layers, written.source, written.compile())


def _install(model: nn.Layer, change: _Change) -> None:
    """Put the layers and the forward of a change into a network, and give it a class of its own."""
    new = {
        id(layer): change.layers[name]
        for name, layer in model.named_sublayers()
        if name in change.layers
    }
    for parent in model.sublayers(include_self=True):
        table = sub_layers(parent)
        table.update({name: new[id(own)] for name, own in table.items() if id(own) in new})
    kind = type(model)
    body = {
        "__module__": kind.__module__,
        "__doc__": kind.__doc__,
        "octave_forward": change.source,
    }
    if change.forward is not None:
        body["forward"] = change.forward
    model.__class__ = type(f"Octave{kind.__name__}", (kind,), body)


@contextmanager
def _undone_on_failure(model: nn.Layer) -> Iterator[None]:
    """Put a network's layers and class back if anything is raised."""
    kind = type(model)
    tables = [(layer, dict(sub_layers(layer))) for layer in model.sublayers(include_self=True)]
    try:
        yield
    except BaseException:
        model.__class__ = kind
        for layer, table in tables:
            sub_layers(layer).update(table)
        raise
