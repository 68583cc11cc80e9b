"""Deciding what becomes of every call and tensor of a network.

The plan is made in rounds. Each round finds the tensors that become pairs while a set of
convolutions stays untouched. If the groups of a convolution do not fit these pairs, it joins the
set and the next round starts, so that there is at most one round more than grouped convolutions.
The pairs of the last round decide about every convolution: it opens the octave, keeps it, closes
it, or stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from .arrange import arrange, find_conflict
from .follow import Node, Value
from .layout import Layout, one_band
from .network import Network, no_low_channels
from .pairs import Pairs, find_pairs, uses_pair


@dataclass(frozen=True)
class Plan:
    """What becomes of a network.

    Attributes:
        layouts: the layout of every tensor that becomes a pair.
        convs: the convolutions to replace, with the layouts of their input and output.
        norms: the norms to replace, with the layout of their input.
        kept: why each other convolution stays, by its name.
        merges: the pairs that a call merges, with that call; None is the network's output.
    """

    layouts: Mapping[Value, Layout]
    convs: Mapping[Node, tuple[Layout, Layout]]
    norms: Mapping[Node, Layout]
    kept: Mapping[str, str]
    merges: list[tuple[Value, Node | None]]


def make_plan(network: Network, pool_last: bool) -> Plan:
    """Decide about every call and tensor of a network.

    Args:
        network: the network.
        pool_last: whether the strided convolutions of the last stage are replaced too, by ones
            with a single band that pool.

    Raises:
        ValueError: different alphas meet in an addition, or nothing is replaced because an alpha
            leaves no channel to the low band.
    """
    untouched, pairs = _settle(network)
    layouts = arrange(network, pairs)
    convs = _replaced_convs(network, untouched, layouts)
    if not convs:
        for node, reason in network.too_narrow.items():
            if node not in untouched:
                raise no_low_channels(node, reason)
    elif pool_last:
        for node in _strided_at_the_end(network, untouched):
            bands = one_band(node.inputs[0].shape[1]), one_band(node.output.shape[1])
            convs.setdefault(node, bands)
    norms = {
        node: layouts[node.inputs[0]]
        for node, role in network.roles.items()
        if role.kind == "norm" and node.output in layouts
    }
    kept = {
        node.target: untouched.get(node) or _why_left(network, pairs, node)
        for node in network.convs
        if node not in convs
    }
    merges = [
        (value, user)
        for value in layouts
        for user in network.consumers[value]
        if not uses_pair(network, untouched, layouts, value, user)
    ]
    return Plan(layouts, convs, norms, kept, merges)


def _settle(network: Network) -> tuple[dict[Node, str], Pairs]:
    """Return the convolutions that stay untouched, with the reasons, and the pairs."""
    untouched = dict(network.untouched)
    while True:
        pairs = find_pairs(network, untouched)
        conflict = find_conflict(network, pairs)
        if conflict is None:
            return untouched, pairs
        untouched[conflict.conv] = conflict.reason


def _replaced_convs(
    network: Network, untouched: Mapping[Node, str], layouts: Mapping[Value, Layout]
) -> dict[Node, tuple[Layout, Layout]]:
    """Return the convolutions that take or make a pair, with the layouts of input and output."""
    replaced: dict[Node, tuple[Layout, Layout]] = {}
    for node in network.convs:
        given, made = node.inputs[0], node.output
        takes = given in layouts and uses_pair(network, untouched, layouts, given, node)
        if takes or made in layouts:
            replaced[node] = (
                layouts[given] if takes else one_band(given.shape[1]),
                layouts[made] if made in layouts else one_band(made.shape[1]),
            )
    return replaced


def _strided_at_the_end(network: Network, untouched: Mapping[Node, str]) -> list[Node]:
    """Return the strided convolutions of the last stage, which could pool instead."""
    return [
        node
        for node, conv in network.convs.items()
        if conv.stride == [2, 2] and network.stages.is_last(node) and node not in untouched
    ]


# -- why a convolution was left -------------------------------------------------------------------


def _why_left(network: Network, pairs: Pairs, node: Node) -> str:
    """Return why a convolution that could be replaced is not."""
    if node in network.closing:
        return network.closing[node]
    if network.convs[node].is_depthwise and node.inputs[0] not in pairs.possible:
        return "its input is no pair"
    return f"what follows needs one tensor ({_what_follows(network, node)})"


def _what_follows(network: Network, node: Node) -> str:
    """Return the name of what uses a convolution's output, after activations, norms and pooling."""
    users = network.consumers[node.output]
    while len(users) == 1 and users[0] is not None:
        if network.roles[users[0]].kind not in ("band", "norm", "pool"):
            return users[0].name
        users = network.consumers[users[0].output]
    return "several layers" if users and users[0] is not None else "the output"
