"""Which tensors of a network become pairs.

First every tensor that can be a pair is made one, from the input to the output. Then, from the
output back, those are dropped that no call would use as a pair, so that none is made only to be
merged again. The result depends on the network and on the convolutions that stay untouched alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import AbstractSet, Container, Iterable, Mapping

from .follow import Node, Value
from .network import Network


@dataclass(eq=False)
class Bundle:
    """Pairs that must have the same layout, because they are added, for example.

    Attributes:
        channels: how many each pair has, in both bands together.
        makers: the dense convolutions that make them, each with its channels in any order.
        grouped: grouped convolutions that make or take them: every group needs its share of both
            bands.
        concat: the concatenation that makes one of them, and so decides their layout.
    """

    channels: int
    makers: list[Node] = field(default_factory=list)
    grouped: list[Node] = field(default_factory=list)
    concat: Node | None = None


@dataclass(frozen=True)
class Pairs:
    """Which tensors are pairs.

    Attributes:
        bundles: the tensors that become pairs, in the order of computation, with their bundles.
        possible: the tensors that can be pairs, including those that no call would use as a pair.
    """

    bundles: Mapping[Value, Bundle]
    possible: AbstractSet[Value]


def find_pairs(network: Network, untouched: Container[Node]) -> Pairs:
    """Find the tensors that become pairs.

    Args:
        network: the network.
        untouched: the convolutions that neither take nor make a pair.
    """
    possible = _possible_pairs(network, untouched)
    useful = _useful_pairs(network, untouched, possible)
    bundles = {value: bundle for value, bundle in possible.items() if value in useful}
    return Pairs(bundles, frozenset(possible))


def uses_pair(
    network: Network,
    untouched: Container[Node],
    pairs: Container[Value],
    value: Value,
    node: Node | None,
) -> bool:
    """Whether a call, or the network's output (None), uses a pair without merging it."""
    if node is None or value not in network.roles[node].maps:
        return False
    if network.roles[node].kind == "join":
        return True
    if node in network.convs and not network.convs[node].is_depthwise:
        return node not in untouched
    return node.output in pairs


# -- what can be a pair ---------------------------------------------------------------------------


def _possible_pairs(network: Network, untouched: Container[Node]) -> dict[Value, Bundle]:
    """Return every tensor that can be a pair, with its bundle."""
    bundles: dict[Value, Bundle] = {}
    for node in network.graph.nodes:
        given = [bundles[value] for value in network.roles[node].maps if value in bundles]
        if _is_grouped(network, node) and node not in untouched:
            for bundle in given:
                bundle.grouped.append(node)
        if not _can_make_pair(network, untouched, node, given):
            continue
        made = _bundle_of_output(network, node, given)
        bundles[node.output] = made
        if network.roles[node].kind == "pairwise":
            bundles.update((value, made) for value, old in bundles.items() if old in given)
    return bundles


def _is_grouped(network: Network, node: Node) -> bool:
    conv = network.convs.get(node)
    return conv is not None and conv.groups > 1 and not conv.is_depthwise


def _can_make_pair(
    network: Network, untouched: Container[Node], node: Node, given: list[Bundle]
) -> bool:
    """Whether a call can make a pair.

    Args:
        network: the network.
        untouched: the convolutions that neither take nor make a pair.
        node: the call.
        given: the bundles of the pairs that it can be given.
    """
    role = network.roles[node]
    if node in network.convs:
        opens = not network.convs[node].is_depthwise
        return node not in untouched and node not in network.closing and (opens or bool(given))
    if not given or not node.output.is_map or role.kind in ("opaque", "join"):
        return False
    in_last_stage = network.stages.is_last(node) and network.selection.include is None
    if in_last_stage and not _only_convs_follow(network, untouched, node):
        return False
    if role.kind == "norm":
        return not role.obstacle
    if role.kind == "pairwise":
        concats = {bundle.concat for bundle in given if bundle.concat is not None}
        return len(given) == 2 and len(concats) < 2  # two concatenations give two layouts
    return True


def _only_convs_follow(network: Network, untouched: Container[Node], node: Node) -> bool:
    """Whether all that uses a call's output, behind activations and the like, are convolutions
    that can take a pair and make one tensor of it.
    """
    if network.roles[node].kind not in ("band", "norm", "pool"):
        return False
    for user in network.consumers[node.output]:
        if user is None:
            return False
        if user in network.convs:
            if user in untouched or network.convs[user].is_depthwise:
                return False
        elif not _only_convs_follow(network, untouched, user):
            return False
    return True


def _bundle_of_output(network: Network, node: Node, given: list[Bundle]) -> Bundle:
    """Return the bundle of the pair that a call makes."""
    if node in network.convs and not network.convs[node].is_depthwise:
        conv = network.convs[node]
        return Bundle(conv.out_channels, [node], [node] if conv.groups > 1 else [])
    role = network.roles[node]
    if role.kind == "concat" and len(role.maps) > 1:
        return Bundle(node.output.shape[1], concat=node)
    if len(given) == 2 and given[0] is not given[1]:
        a, b = given
        return Bundle(a.channels, a.makers + b.makers, a.grouped + b.grouped, a.concat or b.concat)
    return given[0]


# -- what is of use as a pair ---------------------------------------------------------------------


def _useful_pairs(
    network: Network, untouched: Container[Node], possible: Iterable[Value]
) -> set[Value]:
    """Return the possible pairs without those that every call would merge."""
    pairs = set(possible)
    for value in reversed(network.graph.values):
        users = network.consumers[value]
        if value in pairs and not any(
            uses_pair(network, untouched, pairs, value, user) for user in users
        ):
            pairs.remove(value)
    return pairs
