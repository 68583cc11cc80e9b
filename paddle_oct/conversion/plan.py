"""Deciding which tensors of a network become pairs.

First every tensor that can be a pair is made one. Then, from the end, those are taken back that
nothing would use as a pair, so that none is made only to be merged again. What is left decides
about every convolution: it opens the octave, keeps it, closes it, or stays as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from paddle_oct.nn import split_channels

from .follow.graph import Graph, Node, Value
from .layout import Layout, concat_layouts, one_band, split_layout
from .roles import Role, Roles
from .selection import Selection
from .stages import Stages, find_stages


@dataclass
class Plan:
    """What becomes of a network.

    Attributes:
        roles: what every call is.
        layouts: the layout of every tensor that becomes a pair.
        convs: the convolutions to replace, with the layouts of their input and output.
        norms: the norms to replace, with the layout of their input.
        kept: why each other convolution stays, by its name.
        merges: which calls are given a merged pair; None is the network's output.
    """

    roles: dict[Node, Role]
    layouts: dict[Value, Layout]
    convs: dict[Node, tuple[Layout, Layout]] = field(default_factory=dict)
    norms: dict[Node, Layout] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    merges: list[tuple[Value, Node | None]] = field(default_factory=list)


def make_plan(roles: Roles, graph: Graph, selection: Selection, pool_last: bool) -> Plan:
    """Decide about every tensor of a network.

    Args:
        roles: what its calls are.
        graph: the network.
        selection: what the user asked for.
        pool_last: whether the strided convolutions of the last stage are replaced too, by ones
            with a single band that pool.

    Raises:
        ValueError: an alpha leaves a named convolution without low-frequency channels, there are
            not as many alphas as stages, or different alphas meet in an addition.
    """
    found = {node: roles.of(node) for node in graph.nodes}
    stages = find_stages(graph, found)
    blocked: dict[Node, str] = {}
    while True:
        planner = _Planner(roles, graph, found, stages, selection, blocked)
        try:
            plan = planner.plan()
            break
        except _Blocked as error:
            blocked[error.node] = error.reason
    if not plan.convs:
        for name, reason in plan.kept.items():
            if reason.startswith("alpha="):  # nothing else was wrong, at least here
                raise ValueError(f"octavize: {name}: {reason}; choose a larger alpha")
    if pool_last and plan.convs:
        for node in graph.nodes:
            if planner.pools_at_the_end(node) and node not in plan.convs:
                bands = (one_band(node.inputs[0].shape[1]), one_band(node.output.shape[1]))
                plan.convs[node] = bands
                del plan.kept[node.target]
    return plan


class _Blocked(Exception):
    """A convolution turned out to have to stay as it is."""

    def __init__(self, node: Node, reason: str) -> None:
        super().__init__(reason)
        self.node = node
        self.reason = reason


@dataclass
class _Class:
    """Tensors that must have one layout.

    Attributes:
        sources: the convolutions that make them, and may put their channels in any order.
        grouped: grouped convolutions beside them; each group must be split alike.
        concat: the concatenation that makes one of them, and decides.
    """

    channels: int
    sources: list[Node] = field(default_factory=list)
    grouped: list[Node] = field(default_factory=list)
    concat: Node | None = None


class _Planner:
    def __init__(
        self,
        roles: Roles,
        graph: Graph,
        found: dict[Node, Role],
        stages: Stages,
        selection: Selection,
        blocked: dict[Node, str],
    ) -> None:
        self.layers = roles.layers
        self.graph = graph
        self.roles = found
        self.stages = stages
        self.selection = selection
        self.blocked = blocked
        self.consumers = graph.consumers()
        self.pairs: set[Value] = set()
        self.takes: set[Node] = set()  # convolutions and norms that can work on pairs
        self.kept: dict[Node, str] = {}
        self.classes: dict[Value, _Class] = {}
        self.layouts: dict[int, Layout] = {}
        self.stage_of = self._number_stages()

    def plan(self) -> Plan:
        for node in self.graph.nodes:
            if isinstance(node.output, Value) and self._can_be_pair(node):
                self.pairs.add(node.output)
        self._take_back()
        plan = Plan(self.roles, {value: self._layout(value) for value in self.pairs})
        for node in self.graph.nodes:
            self._decide(node, plan)
        for value in sorted(self.pairs, key=lambda v: v.index):
            plan.merges += [(value, n) for n in self.consumers[value] if not self._uses(n, value)]
        return plan

    def pools_at_the_end(self, node: Node) -> bool:
        """Whether a call is a strided convolution of the last stage, which could pool instead."""
        if self.roles[node].kind != "conv" or self._why_not(node):
            return False
        return self.stages.is_last(node) and self.layers[node.target]._stride == [2, 2]

    # -- which convolutions ---------------------------------------------------------------------

    def _why_not(self, node: Node) -> str:
        """Say why a convolution may neither be given nor make a pair; "" if it may."""
        if node in self.blocked:
            return self.blocked[node]
        if node.inputs[0] in self.stages.pooled:
            return "it works on globally pooled values"
        if node in self.stages.stem and not self.selection.is_asked_for(node.target):
            return "stem: it reads the network's input"
        return self.selection.why_left_out(node.target) or self.roles[node].obstacle

    def _why_not_open(self, node: Node) -> str:
        """Say why the output of a convolution, otherwise convertible, must be one tensor."""
        if self.stages.is_last(node) and not self.selection.is_asked_for(node.target):
            height, width = self.stages.last
            return f"last stage ({height}x{width})"
        alpha = self._alpha(node)
        if alpha == 0:
            return "alpha is 0 here"
        channels = node.output.shape[1]
        if not split_channels(channels, alpha)[1]:
            reason = f"alpha={alpha:g} leaves none of its {channels} channels to the low band"
            if self.selection.is_named(node.target):
                raise ValueError(f"octavize: {node.target}: {reason}; choose a larger alpha")
            return reason
        return ""

    def _number_stages(self) -> dict[Node, int]:
        """Number the resolutions of the convolutions that may open, for one alpha per stage."""
        if self.selection.per_stage is None:
            return {}
        numbers: dict[tuple, int] = {}
        stage_of = {}
        for node in self.graph.nodes:
            if self.roles[node].kind != "conv" or self._why_not(node):
                continue
            if self.stages.is_last(node) and not self.selection.is_asked_for(node.target):
                continue
            size = self.stages.resolution[node]
            stage_of[node] = numbers.setdefault(size, len(numbers))
        given = len(self.selection.per_stage)
        if given != len(numbers):
            raise ValueError(
                f"octavize: alpha must be a number or {len(numbers)} of them, one per stage "
                f"({', '.join(f'{h}x{w}' for h, w in numbers)}), got {given}"
            )
        return stage_of

    def _alpha(self, node: Node) -> float:
        return self.selection.alpha_of(node.target, self.stage_of.get(node, 0))

    def _groups(self, node: Node) -> int:
        """Return the groups of a convolution; 1 for a depthwise one, whose channels are alone."""
        conv = self.layers[node.target]
        return 1 if _is_depthwise(conv) else conv._groups

    # -- which tensors --------------------------------------------------------------------------

    def _can_be_pair(self, node: Node) -> bool:
        role = self.roles[node]
        given = [value for value in role.maps if value in self.pairs]
        if role.kind == "conv":
            return self._conv_can(node, bool(given))
        if not given or not node.output.is_map or role.kind in ("opaque", "join"):
            return False
        in_last = self.stages.is_last(node) and self.selection.include is None
        if in_last and not self._closes_at_once(node):
            return False
        if role.kind == "norm":
            if role.obstacle:
                return False
            self.takes.add(node)
        if role.kind == "concat":
            self.classes[node.output] = _Class(node.output.shape[1], concat=node)
            return True
        if role.kind == "pairwise":
            return len(given) == 2 and self._join_classes(node, *given)
        return self._join_classes(node, given[0])

    def _closes_at_once(self, node: Node) -> bool:
        """Whether all that follows a call, but for pooling and the like, are convolutions."""
        if self.roles[node].kind not in ("band", "norm", "pool"):
            return False
        for user in self.consumers[node.output]:
            if user is None:
                return False
            is_conv = self.roles[user].kind == "conv"
            if is_conv and (self._why_not(user) or _is_depthwise(self.layers[user.target])):
                return False
            if not is_conv and not self._closes_at_once(user):
                return False
        return True

    def _conv_can(self, node: Node, is_given_pair: bool) -> bool:
        reason = self._why_not(node)
        if reason:
            self.kept[node] = reason
            return False
        source, groups = node.inputs[0], self._groups(node)
        if _is_depthwise(self.layers[node.target]):
            closed = "its input is no pair" if not is_given_pair else ""
            if not self.selection.is_asked_for(node.target) and self.stages.is_last(node):
                closed = self._why_not_open(node)
            if closed:
                self.kept[node] = closed
                return False
            self.takes.add(node)
            return self._join_classes(node, source)
        if is_given_pair and groups > 1:
            self.classes[source].grouped.append(node)
        self.takes.add(node)
        reason = self._why_not_open(node)
        if reason:
            self.kept[node] = reason
            return False
        self.classes[node.output] = _Class(node.output.shape[1], sources=[node])
        if groups > 1:
            self.classes[node.output].grouped.append(node)
        return True

    def _join_classes(self, node: Node, *values: Value) -> bool:
        """Let the output of a call have the layout of its inputs; False if theirs must differ."""
        classes = list({id(self.classes[v]): self.classes[v] for v in values}.values())
        if len(classes) == 2:
            first, second = classes
            if first.concat and second.concat and first.concat is not second.concat:
                return False
            first.sources += second.sources
            first.grouped += second.grouped
            first.concat = first.concat or second.concat
            self.classes.update({v: first for v, c in self.classes.items() if c is second})
        self.classes[node.output] = classes[0]
        return True

    def _uses(self, node: Node | None, value: Value) -> bool:
        """Whether a call uses a pair as such."""
        if node is None:
            return False
        role = self.roles[node]
        if role.kind == "conv":
            depthwise = _is_depthwise(self.layers[node.target])
            return node in self.takes and (not depthwise or node.output in self.pairs)
        if role.kind == "join":
            return value in role.maps
        return value in role.maps and node.output in self.pairs

    def _take_back(self) -> None:
        for node in reversed(self.graph.nodes):
            value = node.output
            if not isinstance(value, Value) or value not in self.pairs:
                continue
            if not any(self._uses(user, value) for user in self.consumers[value]):
                self.pairs.remove(value)

    # -- which channels -------------------------------------------------------------------------

    def _layout(self, value: Value) -> Layout:
        if value not in self.pairs:
            return one_band(value.shape[1])
        members = self.classes[value]
        if id(members) not in self.layouts:
            self.layouts[id(members)] = self._layout_of_class(members)
        return self.layouts[id(members)]

    def _layout_of_class(self, members: _Class) -> Layout:
        grouped = [node for node in members.grouped if node in self.takes]
        concat = members.concat
        if concat is not None and concat.output in self.pairs:
            if grouped:
                raise _Blocked(grouped[0], "its groups and a concatenation want different orders")
            return concat_layouts([self._layout(value) for value in self.roles[concat].maps])
        sources = [node for node in members.sources if node.output in self.pairs]
        alphas = {node: self._alpha(node) for node in sources}
        if len(set(alphas.values())) > 1:
            told = ", ".join(f"{node.target} {alpha:g}" for node, alpha in alphas.items())
            raise ValueError(f"octavize: these meet in one sum and need the same alpha: {told}")
        alpha = next(iter(alphas.values()))
        groups = math.lcm(*(self._groups(node) for node in grouped)) if grouped else 1
        try:
            return split_layout(members.channels, alpha, groups)
        except ValueError as error:
            raise _Blocked(grouped[0], str(error)) from None

    # -- what becomes of each call --------------------------------------------------------------

    def _decide(self, node: Node, plan: Plan) -> None:
        role = self.roles[node]
        if role.kind == "norm" and node.output in self.pairs:
            plan.norms[node] = plan.layouts[role.maps[0]]
        if role.kind != "conv":
            return
        source = role.maps[0]
        takes = source in self.pairs and self._uses(node, source)
        if takes or node.output in self.pairs:
            layout = plan.layouts[source] if takes else one_band(source.shape[1])
            output = node.output
            plan.convs[node] = (layout, plan.layouts.get(output, one_band(output.shape[1])))
        else:
            plan.kept[node.target] = self.kept.get(node) or self._why_alone(node)

    def _why_alone(self, node: Node) -> str:
        """Say what wants the output of a convolution as one tensor, and its input is no pair."""
        value, reached = node.output, ""
        for _ in self.graph.nodes:
            users = self.consumers[value]
            if len(users) != 1 or users[0] is None:
                reached = "several layers" if users and users[0] is not None else "the output"
                break
            reached = users[0].name
            if self.roles[users[0]].kind not in ("band", "norm", "pool"):
                break
            value = users[0].output
        return f"what follows needs one tensor ({reached})"


def _is_depthwise(conv) -> bool:
    return conv._groups == conv._in_channels > 1
