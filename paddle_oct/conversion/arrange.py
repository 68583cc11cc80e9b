"""The layout of each pair: which of its channels are in which band."""

from __future__ import annotations

import math
from typing import NamedTuple

from .follow import Node, Value
from .layout import Layout, concat_layouts, one_band, split_layout
from .network import Network
from .pairs import Bundle, Pairs


class Conflict(NamedTuple):
    """A grouped convolution whose groups cannot each have their share of both bands.

    Attributes:
        conv: the convolution.
        reason: why they cannot.
    """

    conv: Node
    reason: str


def find_conflict(network: Network, pairs: Pairs) -> Conflict | None:
    """Return the first convolution whose groups do not fit the pairs, None if all fit.

    Raises:
        ValueError: different alphas meet in an addition.
    """
    for bundle in dict.fromkeys(pairs.bundles.values()):
        reason = _why_groups_do_not_fit(network, pairs, bundle)
        if reason:
            return Conflict(bundle.grouped[0], reason)
    return None


def arrange(network: Network, pairs: Pairs) -> dict[Value, Layout]:
    """Return the layout of every pair; there must be no conflict.

    Raises:
        ValueError: different alphas meet in an addition.
    """
    known: dict[Bundle, Layout] = {}
    return {value: _layout(network, pairs, value, known) for value in pairs.bundles}


def _why_groups_do_not_fit(network: Network, pairs: Pairs, bundle: Bundle) -> str:
    """Return why the groups of a bundle's grouped convolutions do not fit it; "" if they do."""
    if not bundle.grouped:
        return ""
    if _is_concatenated(pairs, bundle):
        return "its groups and a concatenation want different orders"
    alpha = _alpha(network, pairs, bundle)
    try:
        split_layout(bundle.channels, alpha, _groups(network, bundle))
    except ValueError as error:
        return str(error)
    return ""


def _layout(network: Network, pairs: Pairs, value: Value, known: dict[Bundle, Layout]) -> Layout:
    """Return a tensor's layout.

    Args:
        network: the network.
        pairs: its pairs.
        value: a pair, or a plain map that is concatenated with pairs.
        known: layouts found so far; the new ones are added.
    """
    if value not in pairs.bundles:
        return one_band(value.shape[1])
    bundle = pairs.bundles[value]
    if bundle not in known:
        if bundle.concat is not None and _is_concatenated(pairs, bundle):
            maps = network.roles[bundle.concat].maps
            known[bundle] = concat_layouts([_layout(network, pairs, m, known) for m in maps])
        else:
            alpha = _alpha(network, pairs, bundle)
            known[bundle] = split_layout(bundle.channels, alpha, _groups(network, bundle))
    return known[bundle]


def _is_concatenated(pairs: Pairs, bundle: Bundle) -> bool:
    """Whether a concatenation decides the layout of a bundle."""
    return bundle.concat is not None and bundle.concat.output in pairs.bundles


def _groups(network: Network, bundle: Bundle) -> int:
    """Return into how many groups a bundle's channels fall, each with a share of both bands."""
    return math.lcm(1, *(network.convs[node].groups for node in bundle.grouped))


def _alpha(network: Network, pairs: Pairs, bundle: Bundle) -> float:
    """Return the alpha of a bundle whose layout no concatenation decides.

    Raises:
        ValueError: its convolutions have different alphas.
    """
    alphas = {node: network.alphas[node] for node in bundle.makers if node.output in pairs.bundles}
    if len(set(alphas.values())) > 1:
        told = ", ".join(f"{node.target} {alpha:g}" for node, alpha in alphas.items())
        raise ValueError(f"octavize: these meet in one sum and need the same alpha: {told}")
    return next(iter(alphas.values()))
