"""Writing the forward of an octave network as source, with two variables for each pair."""

from __future__ import annotations

from typing import Any, Callable, Container, Mapping, Optional, Sequence

from .follow import Code, ForwardWriter, Graph, Node, Value, layer_code, map_leaves
from .layout import Layout, runs
from .plan import Plan
from .roles import Role

# Up to this many ranges of channels are taken as slices; more are taken by an index.
_MOST_SLICES = 16

BandNames = tuple[Optional[str], Optional[str]]  # of the high and of the low band


class OctaveForwardWriter(ForwardWriter):
    """Writes a graph as source, with two variables, ``t1h`` and ``t1l``, for every pair.

    Args:
        graph: the recorded forward.
        arguments: the names of its inputs; if there are none, ``x0``, ``x1``, ...
        roles: what every call is to an octave feature.
        plan: what becomes a pair.
        pooling: the names of the pooling layers that octave ones replace.
    """

    def __init__(
        self,
        graph: Graph,
        arguments: Sequence[str],
        roles: Mapping[Node, Role],
        plan: Plan,
        pooling: Container[str],
    ) -> None:
        super().__init__(graph, *arguments)
        self.roles = roles
        self.plan = plan
        self.pooling = pooling
        self.bands: dict[Value, BandNames] = {}

    # -- values that are pairs ------------------------------------------------------------------

    def tensor(self, value: Value) -> str:
        """Return the variable of a value as one tensor; a pair is merged the first time."""
        if value not in self.variables:
            layout = self.plan.layouts[value]
            high, low = self.bands[value]
            name = self.new_variable(value)
            merged = f"up2({low})" if high is None else f"merge(({high}, {low}))"
            self.lines.append(f"{name} = {merged}")
            self._restore_order(name, layout.places())
        return self.variables[value]

    def size(self, value: Value, axis: int) -> str:
        """Return the code of a value's size along an axis; a pair is not merged for that."""
        if value not in self.bands:
            return super().size(value, axis)
        high, low = self.bands[value]
        if axis % 4 == 1:
            return str(value.shape[1])
        if high is not None:
            return f"{high}.shape[{axis}]"
        return f"{low}.shape[{axis}]" if axis % 4 == 0 else f"(2 * {low}.shape[{axis}])"

    def release(self, value: Value) -> None:
        """Free the variable names of a value that no later call uses."""
        super().release(value)
        band = next(filter(None, self.bands.get(value, ())), None)
        if band is not None:
            self.free_names.give_back(band[:-1], "pair")

    def _new_bands(self, value: Value) -> BandNames:
        """Return the names of new variables for the bands of a value."""
        layout = self.plan.layouts[value]
        name = self.free_names.take("pair")
        high, low = f"{name}h" if layout.high else None, f"{name}l" if layout.low else None
        self.bands[value] = (high, low)
        return self.bands[value]

    # -- calls ----------------------------------------------------------------------------------

    def write_node(self, node: Node) -> None:
        """Write one call; on a pair, it becomes one call of a layer for pairs, or one per band."""
        role = self.roles[node]
        makes_pair = isinstance(node.output, Value) and node.output in self.plan.layouts
        if node in self.plan.convs:
            given = self._in_layout(role.maps[0], self.plan.convs[node][0])
            self._write_pair_call(node, layer_code(node.target), given)
        elif node in self.plan.norms:
            given = self._in_layout(role.maps[0], self.plan.norms[node])
            self._write_pair_call(node, layer_code(node.target), given)
        elif role.kind == "pool" and (makes_pair or self._is_octave_pooling(node)):
            self._write_pool(node, role)
        elif makes_pair and role.kind == "concat":
            self._write_concat(node, role)
        elif makes_pair:
            calls = self._calls_per_band(node, role)
            for name, call in zip(filter(None, self._new_bands(node.output)), calls):
                self.lines.append(f"{name} = {call}")
        elif role.kind == "join" and role.maps[0] in self.bands:
            name = self._write_joined(node.output, self._calls_per_band(node, role))
            self._restore_order(name, self.plan.layouts[role.maps[0]].places())
        else:
            super().write_node(node)

    def _pair(self, value: Value) -> str:
        return f"({', '.join(str(band) for band in self.bands[value])})"

    def _in_layout(self, value: Value, layout: Layout) -> str:
        """Return the code of a value as a layer takes it: in a layout, or as one tensor."""
        if self.plan.layouts.get(value) == layout:
            return self._pair(value)
        tensor = self.tensor(value)
        if not layout.low:
            return tensor
        name = self.free_names.take("pair")
        high, low = f"{name}h" if layout.high else None, f"{name}l"
        if high is not None:
            self.lines.append(f"{high} = {self._select(tensor, layout.high, layout.channels)}")
        self.lines.append(f"{low} = down2({self._select(tensor, layout.low, layout.channels)})")
        self.free_names.give_back(name, "pair")
        return f"({high}, {low})"

    def _write_pair_call(self, node: Node, layer: str, given: str) -> None:
        """Write the call of a layer that returns a pair."""
        call = f"{layer}({given})"
        if node.output in self.plan.layouts:
            bands = self._new_bands(node.output)
            self.lines.append(f"{', '.join(band or '_' for band in bands)} = {call}")
        else:
            self.lines.append(f"{self.new_variable(node.output)} = {call}[0]")

    def _is_octave_pooling(self, node: Node) -> bool:
        return node.kind == "layer" and node.target in self.pooling

    def _write_pool(self, node: Node, role: Role) -> None:
        """Write a pooling as the call of a layer that takes and returns pairs."""
        is_layer = self._is_octave_pooling(node)
        layer = layer_code(node.target) if is_layer else self.constant(role.pool)
        value = role.maps[0]
        is_pair = node.output in self.plan.layouts
        given = self._pair(value) if is_pair else f"({self.tensor(value)}, None)"
        self._write_pair_call(node, layer, given)

    def _calls_per_band(self, node: Node, role: Role) -> list[str]:
        """Return the code of one call for each band that is present."""
        layout = self.plan.layouts[role.maps[0]]
        calls: list[str] = []
        for band, channels in enumerate((layout.high, layout.low)):
            if channels:
                substitute = self._for_band(role, band, channels)
                args = map_leaves(substitute, node.args)
                kwargs = map_leaves(substitute, node.kwargs)
                calls.append(self.call(Node(node.kind, node.target, args, kwargs)))
        return calls

    def _for_band(self, role: Role, band: int, channels: Sequence[int]) -> Callable[[Any], Any]:
        """Return a function that puts one band in place of a pair among the arguments."""

        def substitute(leaf: Any) -> Any:
            if leaf is role.factor and leaf is not None:
                factor = self.code(leaf)
                return Code(self._select(factor, channels, role.maps[0].shape[1]))
            if isinstance(leaf, Value) and leaf in role.maps and leaf in self.bands:
                return Code(str(self.bands[leaf][band]))
            return leaf

        return substitute

    def _write_concat(self, node: Node, role: Role) -> None:
        pairs = [self.bands.get(value) or (self.tensor(value), None) for value in role.maps]
        for band, name in enumerate(self._new_bands(node.output)):
            parts = [part for part in (pair[band] for pair in pairs) if part is not None]
            if name is not None:
                self.lines.append(f"{name} = {_concat(parts)}")

    def _write_joined(self, value: Value, parts: Sequence[str]) -> str:
        name = self.new_variable(value)
        self.lines.append(f"{name} = {_concat(parts)}")
        return name

    # -- channels -------------------------------------------------------------------------------

    def _restore_order(self, name: str, places: list[int]) -> None:
        if places != list(range(len(places))):
            self.lines.append(f"{name} = {self._select(name, places, len(places))}")

    def _select(self, code: str, channels: Sequence[int], count: int) -> str:
        """Return the code that takes channels, in this order, from a tensor of ``count``."""
        ranges = runs(channels)
        if ranges == [(0, count)]:
            return code
        if len(ranges) > _MOST_SLICES:
            index = self.constant(list(channels))
            return f"paddle.index_select({code}, paddle.to_tensor({index}), axis=1)"
        return _concat([f"{code}[:, {start}:{stop}]" for start, stop in ranges])


def _concat(parts: Sequence[str]) -> str:
    """Return the code that concatenates tensors along the channels."""
    return parts[0] if len(parts) == 1 else f"paddle.concat([{', '.join(parts)}], axis=1)"
