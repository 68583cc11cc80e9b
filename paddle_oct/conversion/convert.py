"""``octavize``: converting an existing network to an octave network with the same weights."""

from __future__ import annotations

import contextlib
import copy
import inspect
from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Sequence, cast

import paddle
from paddle import nn

from paddle_oct.base.private import sub_layers
from paddle_oct.cost import profile
from paddle_oct.nn import OctaveConv
from paddle_oct.nn.arguments import positive_int
from paddle_oct.nn.plan import Downsample

from .check import Sample, check_converted, check_same, draw_samples, evaluating
from .follow import CannotFollow, ForwardWriter, Graph, Source, record
from .network import Network, examine
from .octave_class import methods_to_follow, octave_class
from .octave_forward import OctaveForwardWriter
from .octave_layers import octave_conv, octave_norm
from .paths import Call, Paths, written_path
from .plan import Plan, make_plan
from .replan import Replaced
from .report import make_report
from .selection import Alpha, Patterns, Selection
from .skeleton import skeleton_of


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

    The result is an instance of a class derived from the network's, whose ``forward`` is the
    recorded one with pairs in it. It takes the same arguments, and the network's other methods
    work, too. What the forward asks about sizes (``if x.shape[2] >= 128:``, ``range(x.shape[0])``)
    is noted: where an answer differs, and for other arguments, the forward is recorded once more,
    for that call, which takes some runs of the network. The attributes that a forward reads are
    those that the network had when it was converted, and layers that hold others are no longer
    called as a whole, so hooks on them do not run. State-dict keys read
    ``layer1.0.conv2.conv_h2h.weight`` and ``layer1.0.bn2.high.weight``.
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
            message says where). The converted network raises it, too, where another recording is
            needed and can't be followed.

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

    # A copy is examined, so that other threads may go on using the network.
    target = model if inplace else copy.deepcopy(model)
    with evaluating(target):
        samples = draw_samples(target, size)
        try:
            graph = _follow(target, samples)
        except CannotFollow as error:
            raise ValueError(f"octavize: {type(model).__name__}: {error}") from None
    network = examine(target, graph, selection)
    plan = make_plan(network, pool_last=downsample == "avg_pool")

    before = profile(target, size, training=False)
    change = _make_change(target, network, plan, downsample)
    call = _first_call(target, samples[0])
    with _undone_on_failure(target):
        made: Any = _install(target, change, call)
        with evaluating(target):
            check_converted(target, samples)
        after = profile(target, size, training=False)
        made.octave_report = make_report(network, plan, before, after)
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


def _follow(model: nn.Layer, samples: Sequence[Sample]) -> Graph:
    """Record a network on the first sample, and check what was recorded on all.

    Where a sample goes another way, because the forward asks about its size, this way is recorded
    and checked.
    """
    first = record(model, samples[0].x)
    for sample in samples:
        fits = all(question.holds([sample.x.shape]) for question in first.questions)
        graph = first if fits or sample is samples[0] else record(model, sample.x)
        check_same(model, ForwardWriter(graph).write().compile(), [sample.x], sample.outputs)
    return first


def _first_call(model: nn.Layer, sample: Sample) -> Call:
    """Return the call that was recorded, with the default values of its other arguments."""
    bound = inspect.signature(model.forward).bind(sample.x)
    bound.apply_defaults()
    return Call("forward", bound.args, bound.kwargs)


# -- the new network ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Change:
    """The layers and the forward that a converted network gets.

    Attributes:
        layers: the layers that replace the network's own, by name.
        replaced: what is known of them.
        graph: the recorded forward.
        forward: the new forward; None if it stays.
    """

    layers: Mapping[str, nn.Layer]
    replaced: Replaced
    graph: Graph
    forward: Source | None


def _make_change(
    model: nn.Layer, network: Network, plan: Plan, downsample: Downsample | None
) -> _Change:
    """Make the layers and the forward that a plan asks for.

    Args:
        model: the network, or a copy of it, whose layers the new ones are made from.
        network: what :func:`~.network.examine` found out about it.
        plan: what becomes of it.
        downsample: as in :func:`octavize`.
    """
    replaced = Replaced(
        {node.target: layouts for node, layouts in plan.convs.items()},
        {node.target: layout for node, layout in plan.norms.items()},
        frozenset(
            node.target
            for node, role in network.roles.items()
            if node.kind == "layer" and role.pool is not None and node.output in plan.layouts
        ),
    )
    if not plan.convs:
        return _Change({}, replaced, network.graph, None)
    own = dict(model.named_sublayers())
    layers: dict[str, nn.Layer] = {}
    for node, (layout_in, layout_out) in plan.convs.items():
        conv = cast("nn.Conv2D", own[node.target])
        layers[node.target] = octave_conv(conv, layout_in, layout_out, downsample)
    for node, layout in plan.norms.items():
        layers[node.target] = octave_norm(own[node.target], layout)
    for node, role in network.roles.items():
        if node.kind == "layer" and role.pool is not None and node.target in replaced.pooling:
            layers[node.target] = role.pool
    arguments = [_input_name(model)]
    writer = OctaveForwardWriter(network.graph, arguments, network.roles, plan, replaced.pooling)
    return _Change(layers, replaced, network.graph, writer.write())


def _install(model: nn.Layer, change: _Change, call: Call) -> Any:
    """Put the layers and the forward of a change into a network, and give it a class of its own.

    Args:
        model: the network.
        change: what it gets.
        call: the call that was recorded.

    Returns:
        The class.
    """
    first = skeleton = None
    if change.forward is not None:
        first = written_path(call, change.graph, change.forward)
        with contextlib.suppress(Exception):  # of classes of others, that may be of any kind
            skeleton = skeleton_of(model)
    new = {
        id(layer): change.layers[name]
        for name, layer in model.named_sublayers()
        if name in change.layers
    }
    for parent in model.sublayers(include_self=True):
        table = sub_layers(parent)
        table.update({name: new[id(own)] for name, own in table.items() if id(own) in new})
    kind = type(model)
    model.__class__ = octave_class(
        Paths(kind, skeleton, change.replaced, first, methods_to_follow(kind))
    )
    return model.__class__


@contextlib.contextmanager
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
