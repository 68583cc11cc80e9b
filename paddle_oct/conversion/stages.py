"""Where a network's stages begin: its stem, its resolutions, its last stage.

The *trunk* is all that the network's deepest convolution is computed from. A *neck* is a place in
the trunk that everything passes through, such as the end of a residual block. The calls between two
necks belong to the resolution of the second neck. So the 1x1 convolution in front of the strided
3x3 of a bottleneck belongs to the stage that the block begins, as in the paper's networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from .follow import Graph, Node, Value
from .roles import Role

Resolution = tuple[int, ...]  # (height, width)


@dataclass(frozen=True)
class Stages:
    """What was found.

    Attributes:
        stem: the convolutions that no other convolution comes before.
        pooled: the values without a place in the image: the results of global pooling, and what is
            computed from them alone.
        resolution: ``(height, width)`` of the stage of every call that makes a map.
        last: the resolution of the last stage, None if the network keeps one resolution, or does
            not end at its smallest.
    """

    stem: frozenset[Node]
    pooled: frozenset[Value]
    resolution: Mapping[Node, Resolution]
    last: Resolution | None

    def is_last(self, node: Node) -> bool:
        """Whether a call is in the last stage, or at a still smaller resolution beside it."""
        if self.last is None or node not in self.resolution:
            return False
        return _area(self.resolution[node]) <= _area(self.last)


def find_stages(graph: Graph, roles: Mapping[Node, Role]) -> Stages:
    """Find the stages of a network.

    Args:
        graph: its forward.
        roles: what every call is.
    """
    depth: dict[Value, int] = dict.fromkeys(
        graph.inputs, 0
    )  # the most convolutions in a row before it
    pooled: set[Value] = set()
    stem: set[Node] = set()
    for node in graph.nodes:
        before = max((depth[value] for value in node.inputs), default=0)
        is_conv = roles[node].kind == "conv"
        if is_conv and before == 0:
            stem.add(node)
        depth.update((value, before + is_conv) for value in node.outputs)
        inputs_are_pooled = bool(node.inputs) and pooled.issuperset(node.inputs)
        if roles[node].kind == "join" or inputs_are_pooled:
            pooled.update(node.outputs)

    resolution: dict[Node, Resolution] = {
        node: node.output.shape[2:]
        for node in graph.nodes
        if _makes_map(node) and node.output not in pooled
    }
    end = _end_of_trunk(resolution, depth)
    last = None
    if end is not None:
        trunk_sizes: list[Resolution] = []  # from the stem on
        for part, size in _parts(graph, _trunk(graph, end)):
            resolution.update((node, size) for node in part if node in resolution)
            if trunk_sizes or not stem.isdisjoint(part):
                trunk_sizes.append(size)
        smallest = min(trunk_sizes, key=_area, default=None)
        if len(set(trunk_sizes)) > 1 and resolution[end] == smallest:
            last = smallest
    return Stages(frozenset(stem), frozenset(pooled), resolution, last)


def _area(size: Resolution) -> int:
    return size[0] * size[1]


def _makes_map(node: Node) -> bool:
    return isinstance(node.output, Value) and node.output.is_map


def _end_of_trunk(resolution: Mapping[Node, Resolution], depth: Mapping[Value, int]) -> Node | None:
    """Return the call with the most convolutions in a row before it, itself included.

    Of several such calls, that is the last one that has the resolution of the first.
    """
    deepest = max((depth[node.output] for node in resolution), default=0)
    ends = [node for node in resolution if depth[node.output] == deepest > 0]
    return [n for n in ends if resolution[n] == resolution[ends[0]]][-1] if ends else None


def _trunk(graph: Graph, end: Node) -> list[Node]:
    """Return the calls from which the end is computed, and the end."""
    wanted = {end}
    for node in reversed(graph.nodes):
        if node in wanted:
            wanted.update(value.node for value in node.inputs if value.node is not None)
    return [node for node in graph.nodes if node in wanted]


def _parts(graph: Graph, trunk: list[Node]) -> list[tuple[list[Node], Resolution]]:
    """Cut the trunk after each neck; return every part with the resolution of its neck."""
    last_use = {value: i for i, node in enumerate(trunk) for value in node.inputs}
    parts: list[tuple[list[Node], Resolution]] = []
    part: list[Node] = []
    # The last call that needs an earlier value.
    needed_until = max((last_use.get(value, -1) for value in graph.inputs), default=-1)
    for position, node in enumerate(trunk):
        part.append(node)
        if _makes_map(node) and needed_until <= position:
            parts.append((part, node.output.shape[2:]))
            part = []
        needed_until = max([needed_until, *(last_use.get(value, -1) for value in node.outputs)])
    return parts
