"""Tidying what paddle2onnx writes: the same function in the operators that engines run fastest.

Each function is one step and changes a graph in place; :func:`tidy_graph` takes all steps. Engines
tidy graphs too, but each in its own way. With these steps ONNX Runtime keeps the whole network in
its blocked layout, and every engine adds the second path of an octave convolution, the shortcut
and the activation while it computes the first path.
"""

from __future__ import annotations

from typing import Any, Mapping

import numpy as np

from .engines.opened import Shape


class Graph:
    """The nodes and constants of an ONNX graph, to be changed and written back.

    Attributes:
        nodes (list): ``onnx.NodeProto``, each after those whose outputs it reads.
        constants (dict): NumPy arrays by name.
        results (list): the names of the outputs.
    """

    def __init__(self, proto: Any) -> None:
        from onnx import numpy_helper

        self.proto = proto
        self.nodes = list(proto.node)
        self.constants = {t.name: numpy_helper.to_array(t) for t in proto.initializer}
        self.results = [value.name for value in proto.output]

    def write_back(self) -> None:
        """Write nodes and constants into the ``onnx.GraphProto`` that this graph was made from."""
        from onnx import NodeProto, numpy_helper

        nodes = []
        for node in self.nodes:
            nodes.append(NodeProto())
            nodes[-1].CopyFrom(node)
        del self.proto.node[:], self.proto.initializer[:]
        del self.proto.value_info[:]  # paddle2onnx writes wrong ranks where sizes are dynamic
        self.proto.node.extend(nodes)
        self.proto.initializer.extend(
            numpy_helper.from_array(np.ascontiguousarray(value), name)
            for name, value in self.constants.items()
        )

    def makers(self) -> dict[str, Any]:
        """Return the node that makes a tensor, by the tensor's name."""
        return {name: node for node in self.nodes for name in node.output}

    def uses(self) -> dict[str, int]:
        """Return how often each tensor is read; being an output of the graph counts once."""
        uses = dict.fromkeys(self.results, 1)
        for node in self.nodes:
            for name in node.input:
                uses[name] = uses.get(name, 0) + 1
        return uses

    def constant(self, name: str, value: Any, dtype: Any = np.int64) -> str:
        """Make a constant and return its name."""
        self.constants[f"oct.{name}"] = np.array(value, dtype)
        return f"oct.{name}"

    def remove(self, removed: list[Any]) -> None:
        """Remove nodes."""
        gone = {id(node) for node in removed}
        self.nodes = [node for node in self.nodes if id(node) not in gone]


def tidy_graph(model: Any, shapes: Mapping[str, Shape] | None = None) -> None:
    """Tidy an ``onnx.ModelProto`` in place.

    Args:
        model: as paddle2onnx writes it, without its own optimisation.
        shapes: the shapes of what each ``Resize`` reads and writes, with None for a batch of any
            length; None if height and width may be of any length too.
    """
    graph = Graph(model.graph)
    drop_identities(graph)
    gather_constants(graph)
    biases_into_convolutions(graph)
    simplify_resizes(graph, shapes or {})
    merge_equal_nodes(graph)
    convolutions_last_in_sums(graph)
    drop_unused(graph)
    graph.write_back()


def gather_constants(graph: Graph) -> None:
    """Replace ``Constant`` nodes, and ``Reshape`` nodes of constants (biases), by constants."""
    from onnx import numpy_helper

    removed = []
    for node in graph.nodes:
        if node.op_type == "Constant":
            value = numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type == "Reshape" and all(name in graph.constants for name in node.input):
            data, shape = (graph.constants[name] for name in node.input)
            value = data.reshape(shape)
        else:
            continue
        graph.constants[node.output[0]] = value
        removed.append(node)
    graph.remove(removed)


def drop_identities(graph: Graph) -> None:
    """Remove ``Identity`` nodes, and join the two tensors that each of them connected."""
    origins: dict[str, str] = {}
    removed = []
    for node in graph.nodes:
        node.input[:] = [origins.get(name, name) for name in node.input]
        if node.op_type == "Identity" and node.output[0] not in graph.results:
            origins[node.output[0]] = node.input[0]
            removed.append(node)
    graph.remove(removed)

    makers, uses = graph.makers(), graph.uses()
    removed = []
    for node in graph.nodes:
        maker = makers.get(node.input[0]) if node.op_type == "Identity" else None
        if maker is not None and uses[node.input[0]] == 1:
            maker.output[:] = [
                node.output[0] if name == node.input[0] else name for name in maker.output
            ]
            removed.append(node)
    graph.remove(removed)


def biases_into_convolutions(graph: Graph) -> None:
    """Make ``Add(Conv(x), bias)`` a ``Conv`` with a bias."""
    makers, uses = graph.makers(), graph.uses()
    removed = []
    for add in graph.nodes:
        conv = makers.get(add.input[0]) if add.op_type == "Add" else None
        if conv is None or conv.op_type != "Conv" or len(conv.input) != 2:
            continue
        bias, weight = (graph.constants.get(name) for name in (add.input[1], conv.input[1]))
        if bias is None or weight is None or uses[conv.output[0]] != 1:
            continue
        if bias.shape != (1, weight.shape[0], 1, 1):
            continue
        conv.input.append(graph.constant(add.input[1], bias.reshape(-1), bias.dtype))
        conv.output[0] = add.output[0]
        makers[add.output[0]] = conv
        removed.append(add)
    graph.remove(removed)


def simplify_resizes(graph: Graph, shapes: Mapping[str, Shape]) -> None:
    """Give each ``Resize`` its size in the simplest way.

    If its shapes are known, that is constant ``scales`` of two where it doubles height and width,
    and otherwise ``sizes``, constant but for the batch. If they are not known, it is the height and
    width of the map whose size it takes, in place of a dozen nodes that take that shape apart.
    """
    makers = graph.makers()
    nodes = []
    for node in graph.nodes:
        if node.op_type == "Resize" and len(node.input) == 4:
            data, result = node.input[0], node.output[0]
            others = _measured(makers, node.input[3]) - {data}
            if data in shapes and result in shapes:
                before, after = shapes[data], shapes[result]
                if after == (*before[:2], *(2 * n for n in before[2:] if n is not None)):
                    size = ["", graph.constant("twice", [1, 1, 2, 2], np.float32)]
                elif None not in after:
                    size = ["", "", graph.constant(f"{result}.sizes", after)]
                else:
                    own = _lengths(graph, nodes, f"{result}.own", data, 0)
                    like = graph.constant(f"{result}.like", after[2:])
                    size = ["", "", _joined(nodes, f"{result}.sizes", [own, like])]
                node.input[:] = [data, *size]
            elif len(others) == 1:
                own = _lengths(graph, nodes, f"{result}.own", data, 0)
                like = _lengths(graph, nodes, f"{result}.like", others.pop(), 2)
                node.input[:] = [data, "", "", _joined(nodes, f"{result}.sizes", [own, like])]
        nodes.append(node)
    graph.nodes = nodes


def _lengths(graph: Graph, nodes: list[Any], name: str, tensor: str, start: int) -> str:
    """Append nodes that read the lengths of the axes ``start`` and ``start + 1`` of a tensor.

    Returns:
        The name of their result.
    """
    from onnx import helper

    shape = f"{name}.shape"
    ends = [graph.constant(f"at_{at}", [at]) for at in (start, start + 2)]
    nodes.append(helper.make_node("Shape", [tensor], [shape], name=shape))
    nodes.append(helper.make_node("Slice", [shape, *ends], [name], name=name))
    return name


def _joined(nodes: list[Any], name: str, parts: list[str]) -> str:
    from onnx import helper

    nodes.append(helper.make_node("Concat", parts, [name], name=name, axis=0))
    return name


def _measured(makers: Mapping[str, Any], name: str) -> set[str]:
    """Return the tensors whose shapes a vector is computed from."""
    node = makers.get(name)
    if node is None:
        return set()
    if node.op_type == "Shape":
        return {node.input[0]}
    return set().union(*(_measured(makers, read) for read in node.input))


def merge_equal_nodes(graph: Graph) -> None:
    """Keep one of several nodes that compute the same, such as a pooled map that two paths read."""
    origins: dict[str, str] = {}
    seen: dict[Any, Any] = {}
    removed = []
    for node in graph.nodes:
        node.input[:] = [origins.get(name, name) for name in node.input]
        attributes = sorted(attribute.SerializeToString() for attribute in node.attribute)
        key = (node.op_type, tuple(node.input), tuple(attributes))
        if key in seen and not any(name in graph.results for name in node.output):
            origins.update(zip(node.output, seen[key].output))
            removed.append(node)
        else:
            seen.setdefault(key, node)
    graph.remove(removed)


def convolutions_last_in_sums(graph: Graph) -> None:
    """Make ``(conv + y) + z`` into ``conv + (y + z)``.

    An engine can add a convolution to a map while it computes it; what is added afterwards costs
    another pass over the map.
    """
    makers, uses = graph.makers(), graph.uses()

    def is_lone_conv(name: str) -> bool:
        node = makers.get(name)
        return node is not None and node.op_type == "Conv" and uses[name] == 1

    nodes: list[Any] = []
    for outer in graph.nodes:
        pairs = (tuple(outer.input), tuple(outer.input)[::-1]) if outer.op_type == "Add" else ()
        for inner_name, z in pairs:
            inner = makers.get(inner_name)
            if inner is None or inner.op_type != "Add" or uses[inner_name] != 1:
                continue
            conv, y = sorted(inner.input, key=is_lone_conv, reverse=True)
            if not is_lone_conv(conv) or is_lone_conv(z):
                continue
            inner.input[:] = [y, z]
            outer.input[:] = [conv, inner_name]
            nodes = [node for node in nodes if node is not inner] + [inner]
            break
        nodes.append(outer)
    graph.nodes = nodes


def drop_unused(graph: Graph) -> None:
    """Remove nodes and constants that nothing reads."""
    needed = set(graph.results)
    removed = []
    for node in reversed(graph.nodes):
        if needed.isdisjoint(node.output):
            removed.append(node)
        else:
            needed.update(node.input)
    graph.remove(removed)
    graph.constants = {name: value for name, value in graph.constants.items() if name in needed}
