"""Where a network's stages begin: its stem, its resolutions, its last stage.

The trunk of a network is what its deepest convolution is computed from. A *neck* is a place in the
trunk that everything passes through, such as the end of a residual block. What lies between two
necks belongs to the resolution of the second one: so the 1x1 convolution in front of the strided
3x3 of a bottleneck belongs to the stage that the block begins, as in the paper's networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from .follow.graph import Graph, Node, Value
from .roles import Role

Resolution = tuple


@dataclass
class Stages:
    """What was found.

    Attributes:
        stem: the convolutions that read the network's input.
        pooled: the values that have lost their place in the image, by global pooling.
        resolution: ``(height, width)`` of every call's stage.
        last: the resolution of the last stage, None if the network has no such.
    """

    stem: set[Node]
    pooled: set[Value]
    resolution: dict[Node, Resolution]
    last: Resolution | None

    def is_last(self, node: Node) -> bool:
        """Whether a call is in the last stage, or at a still smaller resolution beside it."""
        own = self.resolution.get(node)
        return (
            self.last is not None
            and own is not None
            and own[0] * own[1] <= (self.last[0] * self.last[1])
        )


def find_stages(graph: Graph, roles: Mapping[Node, Role]) -> Stages:
    """Find the stages of a network."""
    depth: dict[Value, int] = {graph.input: 0}
    pooled: set[Value] = set()
    stem = set()
    for node in graph.nodes:
        before = max((depth[value] for value in node.inputs), default=0)
        is_conv = roles[node].kind == "conv"
        if is_conv and before == 0:
            stem.add(node)
        lost = roles[node].kind == "join" or (
            bool(node.inputs) and all(value in pooled for value in node.inputs)
        )
        for value in node.outputs:
            depth[value] = before + is_conv
            if lost:
                pooled.add(value)

    resolution = {
        node: node.output.shape[2:]
        for node in graph.nodes
        if isinstance(node.output, Value) and node.output.is_map and node.output not in pooled
    }
    end = _trunk_end(resolution, depth)
    if end is None:
        return Stages(stem, pooled, resolution, None)
    trunk = _ancestors(graph, end)
    begun = False
    seen = []  # resolutions of the trunk, from the stem on
    for segment, size in _segments(graph, trunk):
        for node in segment:
            if node in resolution:
                resolution[node] = size
        begun = begun or any(node in stem for node in segment)
        if begun and size not in seen:
            seen.append(size)
    smallest = min(seen, key=_area, default=None)
    closes = len(seen) > 1 and resolution[end] == smallest
    return Stages(stem, pooled, resolution, smallest if closes else None)


def _area(size: Resolution) -> int:
    return size[0] * size[1]


def _trunk_end(resolution: Mapping[Node, Resolution], depth: Mapping[Value, int]) -> Node | None:
    """Return the last call, at its resolution, behind as many convolutions as there are."""
    deepest = max((depth[node.output] for node in resolution), default=0)
    ends = [node for node in resolution if depth[node.output] == deepest > 0]
    return [n for n in ends if resolution[n] == resolution[ends[0]]][-1] if ends else None


def _ancestors(graph: Graph, end: Node) -> list[Node]:
    wanted = {end}
    for node in reversed(graph.nodes):
        if node in wanted:
            wanted.update(value.node for value in node.inputs if value.node is not None)
    return [node for node in graph.nodes if node in wanted]


def _segments(graph: Graph, trunk: list[Node]) -> list[tuple[list[Node], Resolution]]:
    """Cut the trunk behind its necks; return every part with the resolution of its neck."""
    last_use: dict[Value, int] = {}
    for position, node in enumerate(trunk):
        for value in node.inputs:
            last_use[value] = position
    parts = []
    part: list[Node] = []
    alive = last_use.get(graph.input, -1)
    for position, node in enumerate(trunk):
        part.append(node)
        is_map = isinstance(node.output, Value) and node.output.is_map
        if is_map and alive <= position:
            parts.append((part, node.output.shape[2:]))
            part = []
        alive = max([alive, *(last_use.get(value, -1) for value in node.outputs)])
    return parts
