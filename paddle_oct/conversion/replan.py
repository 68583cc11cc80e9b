"""What becomes of the calls of another recording, in a network that is converted already.

The layers, and with them the channels of every band, are what the first plan has made of them. So
a pair is what these layers make, and what is computed from pairs band by band. Where such a layer
is given one tensor, or a pair in another layout, the tensor is split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from .follow import CannotFollow, Graph, Node, Value
from .layout import Layout, concat_layouts, one_band
from .plan import Plan
from .roles import Role


@dataclass(frozen=True)
class Replaced:
    """The layers of a converted network that were replaced, by name.

    Attributes:
        convs: the convolutions, with the layouts of their input and output.
        norms: the norms, with their layout.
        pooling: the pooling layers.
    """

    convs: Mapping[str, tuple[Layout, Layout]]
    norms: Mapping[str, Layout]
    pooling: frozenset[str]

    def __contains__(self, name: object) -> bool:
        return name in self.convs or name in self.norms or name in self.pooling


def replan(graph: Graph, roles: Mapping[Node, Role], replaced: Replaced) -> Plan:
    """Decide about every call and tensor of another recording of a converted network.

    Args:
        graph: the recording, of the network as it was before.
        roles: what every call is.
        replaced: the layers that were replaced.

    Raises:
        CannotFollow: a replaced layer is called otherwise than with one map ``[N, C, H, W]``.
    """
    convs: dict[Node, tuple[Layout, Layout]] = {}
    norms: dict[Node, Layout] = {}
    layouts: dict[Value, Layout] = {}
    for node in graph.nodes:
        role = roles[node]
        is_replaced = node.kind == "layer" and node.target in replaced
        if is_replaced and role.kind not in ("conv", "norm", "pool"):
            raise CannotFollow(f"layer {node.target!r} is called in another way than before")
        if is_replaced and role.kind == "conv":
            convs[node] = replaced.convs[node.target]
            layout = convs[node][1] if convs[node][1].low else None
        elif is_replaced and role.kind == "norm":
            norms[node] = layout = replaced.norms[node.target]
        else:
            layout = _carried(role, layouts)
        if layout is not None:
            layouts[node.output] = layout
    made = {node.output for node in [*convs, *norms]}
    consumers = graph.consumers()
    for value in reversed(graph.values):
        if value in layouts and value not in made:
            users = consumers[value]
            if not any(_uses_pair(user, value, roles, layouts, convs, norms) for user in users):
                del layouts[value]
    return Plan(layouts, convs, norms, {}, [])


def _carried(role: Role, layouts: Mapping[Value, Layout]) -> Layout | None:
    """Return the layout of what a call makes of pairs band by band; None if it needs tensors."""
    given = [layouts[value] for value in role.maps if value in layouts]
    if not given:
        return None
    if role.kind in ("band", "pool", "scale"):
        return given[0]
    if role.kind == "pairwise":
        return given[0] if len(given) == 2 and given[0] == given[1] else None
    if role.kind == "concat":
        return concat_layouts([layouts.get(v, one_band(v.shape[1])) for v in role.maps])
    return None


def _uses_pair(
    node: Node | None,
    value: Value,
    roles: Mapping[Node, Role],
    layouts: Mapping[Value, Layout],
    convs: Mapping[Node, tuple[Layout, Layout]],
    norms: Mapping[Node, Layout],
) -> bool:
    """Whether a call, or the output (None), uses a pair without merging it."""
    if node is None or value not in roles[node].maps:
        return False
    if node in convs:
        return convs[node][0] == layouts.get(value)
    if node in norms:
        return norms[node] == layouts.get(value)
    return roles[node].kind == "join" or node.output in layouts
