"""Writing a network's forward down with pairs in it."""

from __future__ import annotations

from typing import Any, Sequence

from paddle import nn

from paddle_oct.nn import merge, up2

from .follow.graph import Graph, Node, Value, map_leaves
from .follow.source import Code, Writer
from .layout import runs
from .plan import Plan
from .roles import Role

# As slices up to here, and by an index beyond.
_MANY_RUNS = 16


class OctaveWriter(Writer):
    """Writes a graph down with two variables, ``t1h`` and ``t1l``, for every pair.

    Args:
        graph: what was recorded.
        argument: how to call the input.
        plan: what becomes a pair.
        pooling: the pooling layers that are replaced by octave ones, by name.
    """

    def __init__(
        self, graph: Graph, argument: str, plan: Plan, pooling: dict[str, nn.Layer]
    ) -> None:
        super().__init__(graph, argument)
        self.names.update(merge=merge, up2=up2)
        self.plan = plan
        self.pooling = pooling
        self.bands: dict[Value, tuple[str | None, str | None]] = {}

    # -- one tensor of a pair -------------------------------------------------------------------

    def tensor(self, value: Value) -> str:
        if value not in self.variables:
            layout = self.plan.layouts[value]
            high, low = self.bands[value]
            name = self.new_variable(value)
            merged = f"up2({low})" if high is None else f"merge(({high}, {low}))"
            self.lines.append(f"{name} = {merged}")
            self._restore_order(name, layout.places())
        return self.variables[value]

    def size(self, value: Value, axis: int) -> str:
        if value not in self.bands:
            return super().size(value, axis)
        high, low = self.bands[value]
        if axis % 4 == 1:
            return str(value.shape[1])
        if high is not None:
            return f"{high}.shape[{axis}]"
        return f"{low}.shape[{axis}]" if axis % 4 == 0 else f"(2 * {low}.shape[{axis}])"

    def release(self, value: Value) -> None:
        super().release(value)
        for name in self.bands.get(value, ()):
            if name is not None:
                self.give_name_back(name[:-1], "pair")
                break

    # -- calls ----------------------------------------------------------------------------------

    def write_node(self, node: Node) -> None:
        role = self.plan.roles[node]
        if node in self.plan.convs or node in self.plan.norms:
            self._write_pair_call(node, self._pair_or_tensor(role.maps[0]))
        elif isinstance(node.output, Value) and node.output in self.plan.layouts:
            self._write_bands(node, role)
        elif role.kind == "join" and role.maps[0] in self.bands:
            self._write_join(node, role)
        elif node.kind == "layer" and node.target in self.pooling:
            code = f"{self.layer(node.target)}(({self.tensor(role.maps[0])}, None))[0]"
            self.lines.append(f"{self.new_variable(node.output)} = {code}")
        else:
            super().write_node(node)

    def _pair_or_tensor(self, value: Value) -> str:
        if value not in self.bands:
            return self.tensor(value)
        return f"({', '.join(str(band) for band in self.bands[value])})"

    def _write_pair_call(self, node: Node, argument: str, layer: str = "") -> None:
        call = f"{layer or self.layer(node.target)}({argument})"
        if node.output not in self.plan.layouts:
            self.lines.append(f"{self.new_variable(node.output)} = {call}[0]")
            return
        bands = self._new_bands(node.output)
        self.lines.append(f"{', '.join(band or '_' for band in bands)} = {call}")

    def _write_bands(self, node: Node, role: Role) -> None:
        """Write a call once for each band."""
        if role.kind == "pool":
            swapped = node.kind == "layer" and node.target in self.pooling
            layer = "" if swapped else self.constant(role.pool)
            self._write_pair_call(node, self._pair_or_tensor(role.maps[0]), layer)
            return
        if role.kind == "concat":
            self._write_concat(node, role)
            return
        layout = self.plan.layouts[node.output]
        calls = []
        for band, channels in enumerate((layout.high, layout.low)):
            if channels:
                calls.append((band, self.call(self._on_band(node, role, band, channels))))
        names = self._new_bands(node.output)
        for band, call in calls:
            self.lines.append(f"{names[band]} = {call}")

    def _on_band(self, node: Node, role: Role, band: int, channels: Sequence[int]) -> Node:
        """Return a call with one band in place of every pair."""

        def substitute(leaf: Any) -> Any:
            if leaf is role.factor and leaf is not None:
                return Code(self._select(self.code(leaf), channels, role.maps[0].shape[1]))
            if isinstance(leaf, Value) and leaf in role.maps and leaf in self.bands:
                return Code(self.bands[leaf][band])
            return leaf

        return Node(
            node.kind,
            node.target,
            map_leaves(substitute, node.args),
            map_leaves(substitute, node.kwargs),
        )

    def _write_concat(self, node: Node, role: Role) -> None:
        pairs = [self.bands.get(value) or (self.tensor(value), None) for value in role.maps]
        parts = [[pair[band] for pair in pairs if pair[band] is not None] for band in (0, 1)]
        names = self._new_bands(node.output)
        for name, given in zip(names, parts):
            if name is not None:
                whole = given[0] if len(given) == 1 else _concat(given)
                self.lines.append(f"{name} = {whole}")

    def _write_join(self, node: Node, role: Role) -> None:
        layout = self.plan.layouts[role.maps[0]]
        calls = [
            self.call(self._on_band(node, role, band, channels))
            for band, channels in enumerate((layout.high, layout.low))
            if channels
        ]
        name = self.new_variable(node.output)
        self.lines.append(f"{name} = {calls[0] if len(calls) == 1 else _concat(calls)}")
        self._restore_order(name, layout.places())

    # -- channels -------------------------------------------------------------------------------

    def _restore_order(self, name: str, places: list[int]) -> None:
        if places != list(range(len(places))):
            self.lines.append(f"{name} = {self._select(name, places, len(places))}")

    def _select(self, code: str, channels: Sequence[int], count: int) -> str:
        """Return the code that takes some channels of a tensor, in this order."""
        ranges = runs(channels)
        if ranges == [(0, count)]:
            return code
        if len(ranges) > _MANY_RUNS:
            index = self.constant(list(channels))
            return f"paddle.index_select({code}, paddle.to_tensor({index}), axis=1)"
        parts = [f"{code}[:, {start}:{stop}]" for start, stop in ranges]
        return parts[0] if len(parts) == 1 else _concat(parts)

    def _new_bands(self, value: Value) -> tuple[str | None, str | None]:
        layout = self.plan.layouts[value]
        name = self.take_name("pair")
        self.bands[value] = (
            f"{name}h" if layout.high else None,
            f"{name}l" if layout.low else None,
        )
        return self.bands[value]


def _concat(parts: Sequence[str]) -> str:
    return f"paddle.concat([{', '.join(parts)}], axis=1)"
