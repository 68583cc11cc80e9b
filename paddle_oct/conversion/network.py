"""What is known about a network before it is decided which tensors become pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from paddle import nn

from paddle_oct.base.private import ConvSettings, conv_settings
from paddle_oct.nn import split_channels

from .follow import Graph, Node, Value
from .roles import Role, find_roles
from .selection import Selection
from .stages import Resolution, Stages, find_stages


@dataclass(frozen=True)
class Network:
    """A recorded network, with what its structure and the user say about each convolution.

    Attributes:
        graph: its forward.
        consumers: for every tensor the calls that use it; None stands for the network's output.
        roles: what every call is to an octave feature.
        stages: where its stages begin.
        selection: what the user asked for.
        conv_layers: the settings of all its convolution layers, by name.
        convs: the calls of those that are given a map ``[N, C, H, W]``, with their settings.
        untouched: the convolutions that neither take nor make a pair, with the reason.
        closing: those of the others that may take a pair but make none, with the reason.
        too_narrow: those of ``closing`` whose alpha leaves no channel to the low band.
        alphas: the alphas of the convolutions that may make a pair.
    """

    graph: Graph
    consumers: Mapping[Value, list[Node | None]]
    roles: Mapping[Node, Role]
    stages: Stages
    selection: Selection
    conv_layers: Mapping[str, ConvSettings]
    convs: Mapping[Node, ConvSettings]
    untouched: Mapping[Node, str]
    closing: Mapping[Node, str]
    too_narrow: Mapping[Node, str]
    alphas: Mapping[Node, float]


def examine(model: nn.Layer, graph: Graph, selection: Selection) -> Network:
    """Find out what is known about a network before pairs are chosen.

    Args:
        model: the network.
        graph: its forward.
        selection: what the user asked for.

    Raises:
        ValueError: there are not as many alphas as stages, or an alpha leaves a convolution that
            the user named without low-frequency channels.
    """
    conv_layers = {
        name: conv_settings(layer)
        for name, layer in model.named_sublayers()
        if isinstance(layer, nn.Conv2D)
    }
    roles = find_roles(model, graph)
    stages = find_stages(graph, roles)
    convs = {node: conv_layers[node.target] for node in graph.nodes if roles[node].kind == "conv"}
    untouched: dict[Node, str] = {}
    last_stage: dict[Node, str] = {}
    open_convs: list[Node] = []
    for node in convs:
        reason = _why_untouched(node, roles[node], stages, selection)
        if reason:
            untouched[node] = reason
        elif stages.last and stages.is_last(node) and not selection.is_asked_for(node.target):
            height, width = stages.last
            last_stage[node] = f"last stage ({height}x{width})"
        else:
            open_convs.append(node)
    alphas = _alphas(open_convs, stages.resolution, selection)
    vanilla: dict[Node, str] = {}
    too_narrow: dict[Node, str] = {}
    for node, alpha in alphas.items():
        channels = convs[node].out_channels
        if convs[node].is_depthwise:
            continue  # its output is split like its input
        if alpha == 0:
            vanilla[node] = "alpha is 0 here"
        elif not split_channels(channels, alpha)[1]:
            reason = f"alpha={alpha:g} leaves none of its {channels} channels to the low band"
            if selection.is_named(node.target):
                raise no_low_channels(node, reason)
            too_narrow[node] = reason
    return Network(
        graph,
        graph.consumers(),
        roles,
        stages,
        selection,
        conv_layers,
        convs,
        untouched,
        {**last_stage, **vanilla, **too_narrow},
        too_narrow,
        alphas,
    )


def no_low_channels(node: Node, reason: str) -> ValueError:
    """Return the error for a convolution whose alpha leaves no channel to the low band."""
    return ValueError(f"octavize: {node.target}: {reason}; choose a larger alpha")


def _why_untouched(node: Node, role: Role, stages: Stages, selection: Selection) -> str:
    """Return why a convolution neither takes nor makes a pair; "" if it may."""
    if node.inputs[0] in stages.pooled:
        return "it works on globally pooled values"
    if node in stages.stem and not selection.is_asked_for(node.target):
        return "stem: it reads the network's input"
    return selection.why_left_out(node.target) or role.obstacle


def _alphas(
    convs: list[Node], resolution: Mapping[Node, Resolution], selection: Selection
) -> dict[Node, float]:
    """Return the alphas of convolutions.

    Raises:
        ValueError: there are not as many alphas as resolutions.
    """
    stage: dict[Resolution, int] = {}
    for node in convs:
        stage.setdefault(resolution[node], len(stage))
    given = selection.per_stage
    if given is not None and len(given) != len(stage):
        raise ValueError(
            f"octavize: alpha must be a number or {len(stage)} of them, one per stage "
            f"({', '.join(f'{h}x{w}' for h, w in stage)}), got {len(given)}"
        )
    return {node: selection.alpha_of(node.target, stage[resolution[node]]) for node in convs}
