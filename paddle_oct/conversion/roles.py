"""What each recorded call is to an octave feature.

Every call has one of these roles:

=========  =====================================================================================
conv       a convolution layer; it may open the octave, keep it, or close it
norm       a layer with one value per channel in each parameter; it becomes one layer per band
band       the same for every pixel and channel, so for either band: activations, dropout
pool       max or average pooling
join       global pooling: the mean, maximum or minimum of every channel; gives one tensor
pairwise   an addition, product or the like of two maps of one shape, band by band
scale      a product, sum or the like of a map and one number per channel
concat     a concatenation of maps along the channels
opaque     everything else; it is given the merged tensor
=========  =====================================================================================
"""

from __future__ import annotations

import inspect
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from paddle import nn

from paddle_oct.base.private import (
    adaptive_pool_settings,
    conv_settings,
    data_format,
    is_hooked,
)

from .alignment import octave_pool, why_not_aligned
from .follow import Constant, Graph, Node, Parameter, Value, leaves
from .known_calls import BAND_LAYERS, BINARY_FUNCTIONS, ELEMENTWISE_FUNCTIONS, NORM_LAYERS

Kind = Literal["conv", "norm", "band", "pool", "join", "pairwise", "scale", "concat", "opaque"]


@dataclass(frozen=True)
class Role:
    """What a call is.

    Attributes:
        kind: see above.
        maps: the maps among its arguments that may be pairs.
        factor: for ``scale``, the numbers: a Value, Parameter or Constant ``[1 or N, C, 1, 1]``.
        pool: for ``pool``, the layer that pools both bands.
        obstacle: for ``conv`` and ``norm``, why it cannot work on pairs; "" if it can.
    """

    kind: Kind
    maps: list[Value] = field(default_factory=list)
    factor: Any = None
    pool: nn.Layer | None = None
    obstacle: str = ""


_OPAQUE = Role("opaque")


def find_roles(model: nn.Layer, graph: Graph) -> dict[Node, Role]:
    """Return the role of every recorded call of a network."""
    finder = _RoleFinder(model, graph)
    return {node: finder.role(node) for node in graph.nodes}


class _RoleFinder:
    def __init__(self, model: nn.Layer, graph: Graph) -> None:
        self.layers = dict(model.named_sublayers(include_self=True))
        self.parameters = dict([*model.named_parameters(), *model.named_buffers()])
        self.calls = Counter(node.target for node in graph.nodes if node.kind == "layer")
        # How many layers hold a parameter and how many calls are given it, by its identity.
        self.uses = Counter(
            id(parameter)
            for layer in self.layers.values()
            for parameter in layer.parameters(include_sublayers=False)
        )
        self.uses.update(
            id(self.parameters[leaf.name])
            for node in graph.nodes
            for leaf in leaves((node.args, node.kwargs))
            if isinstance(leaf, Parameter)
        )

    def role(self, node: Node) -> Role:
        if not isinstance(node.output, Value):
            return _OPAQUE
        if node.kind == "layer":
            return self._of_layer(node, self.layers[node.target])
        return self._of_function(node)

    # -- layers ---------------------------------------------------------------------------------

    def _of_layer(self, node: Node, layer: nn.Layer) -> Role:
        maps = node.inputs
        if len(maps) != 1 or not maps[0].is_map or len(node.args) != 1:
            return _OPAQUE
        if _computes_like(layer, (nn.Conv2D,)):
            obstacle = self._why_irreplaceable(node, layer)
            return Role("conv", maps, obstacle=obstacle or why_not_aligned(conv_settings(layer)))
        if is_hooked(layer) or data_format(layer) != "NCHW":
            return _OPAQUE
        if _computes_like(layer, NORM_LAYERS):
            return self._of_norm(node, layer)
        if _computes_like(layer, BAND_LAYERS):
            return Role("band", maps) if vars(layer).get("axis") is None else _OPAQUE
        if _computes_like(layer, (nn.MaxPool2D, nn.AvgPool2D)):
            return _of_pool(maps, vars(layer), "ksize", isinstance(layer, nn.MaxPool2D))
        if _computes_like(layer, (nn.AdaptiveAvgPool2D, nn.AdaptiveMaxPool2D)):
            size, has_positions = adaptive_pool_settings(layer)
            return Role("join", maps) if _is_one(size) and not has_positions else _OPAQUE
        return _OPAQUE

    def _of_norm(self, node: Node, layer: nn.Layer) -> Role:
        channels = node.inputs[0].shape[1]
        sizes = {p.size for p in [*layer.parameters(), *layer.buffers()]}
        if isinstance(layer, nn.PReLU) and sizes == {1}:
            return Role("band", node.inputs)
        if sizes - {channels}:
            return _OPAQUE
        return Role("norm", node.inputs, obstacle=self._why_irreplaceable(node, layer))

    def _why_irreplaceable(self, node: Node, layer: nn.Layer) -> str:
        """Return why no other layer can replace this one; "" if one can."""
        if self.calls[node.target] > 1:
            return f"it runs {self.calls[node.target]} times"
        if is_hooked(layer):
            return "it has hooks on its forward (weight_norm, for example)"
        if any(self.uses[id(p)] > 1 for p in layer.parameters()):
            return "it shares its parameters"
        return ""

    # -- functions and methods ------------------------------------------------------------------

    def _of_function(self, node: Node) -> Role:
        name = node.name.strip("_")
        arguments = _arguments(node)
        inputs = node.inputs
        if arguments.get("data_format", "NCHW") != "NCHW" or not any(v.is_map for v in inputs):
            return _OPAQUE
        if name == "concat":
            return _of_concat(arguments)
        if name in ("mean", "amax", "amin", "max", "min"):
            axes = arguments.get("axis")
            flat = axes if isinstance(axes, (list, tuple)) else [axes]
            if inputs[0].is_map and sorted(a % 4 for a in flat if isinstance(a, int)) == [2, 3]:
                return Role("join", inputs[:1])
        if name in ("adaptive_avg_pool2d", "adaptive_max_pool2d"):
            whole = _is_one(arguments.get("output_size")) and not arguments.get("return_mask")
            return Role("join", inputs) if whole else _OPAQUE
        if name in ("max_pool2d", "avg_pool2d"):
            return _of_pool(inputs, arguments, "kernel_size", name == "max_pool2d")
        if name in BINARY_FUNCTIONS or (name[:1] == "r" and name[1:] in BINARY_FUNCTIONS):
            return self._of_binary(node)
        if (
            name in ELEMENTWISE_FUNCTIONS
            and len(inputs) == 1
            and arguments.get("axis") is None
            and len(_tensors(node)) == 1
        ):
            return Role("band", inputs)
        return _OPAQUE

    def _of_binary(self, node: Node) -> Role:
        operands = _tensors(node)
        maps = [x for x in operands if isinstance(x, Value) and x.is_map]
        if len(operands) == 1:
            return Role("band", maps)
        if len(operands) != 2 or not maps:
            return _OPAQUE
        if len(maps) == 2 and maps[0].shape == maps[1].shape:
            return Role("pairwise", maps)
        for x, factor in (operands, operands[::-1]):
            if not isinstance(x, Value) or not x.is_map:
                continue
            shape = self._shape(factor)
            if math.prod(shape) == 1 and not isinstance(factor, Value):
                return Role("band", [x])
            if shape[1:] == (x.shape[1], 1, 1) and shape[0] in (1, x.shape[0]):
                return Role("scale", [x], factor=factor)
        return _OPAQUE

    def _shape(self, operand: Value | Parameter | Constant) -> tuple[int, ...]:
        if isinstance(operand, Value):
            return operand.shape
        if isinstance(operand, Constant):
            return tuple(operand.value.shape)
        return tuple(self.parameters[operand.name].shape)


def _computes_like(layer: nn.Layer, kinds: tuple[type[nn.Layer], ...]) -> bool:
    """Whether a layer is one of some classes, and has the forward of that class."""
    return any(isinstance(layer, k) and type(layer).forward is k.forward for k in kinds)


def _is_one(size: Any) -> bool:
    return size == 1 or (isinstance(size, (list, tuple)) and all(s == 1 for s in size))


def _tensors(node: Node) -> list[Value | Parameter | Constant]:
    """Return all tensors that a call is given, also those that do not depend on the input."""
    return [
        leaf
        for leaf in leaves((node.args, node.kwargs))
        if isinstance(leaf, (Value, Parameter, Constant))
    ]


def _arguments(node: Node) -> dict[str, Any]:
    """Return the arguments of a call by the names that its function gives them."""
    if node.function is not None:
        try:
            return dict(inspect.signature(node.function).bind(*node.args, **node.kwargs).arguments)
        except (TypeError, ValueError):
            pass  # written in C++, without a signature
    return dict(node.kwargs)


def _of_concat(arguments: dict[str, Any]) -> Role:
    maps = arguments.get("x")
    if arguments.get("axis", 0) not in (1, -3) or not isinstance(maps, (list, tuple)):
        return _OPAQUE
    if not all(isinstance(value, Value) and value.is_map for value in maps):
        return _OPAQUE
    if len({value.shape[2:] for value in maps}) != 1:
        return _OPAQUE
    return Role("concat", list(maps))


def _of_pool(maps: list[Value], settings: dict[str, Any], kernel_size: str, maximum: bool) -> Role:
    """Return the role of a pooling.

    Args:
        maps: its input.
        settings: the attributes of a layer, or the arguments of a function.
        kernel_size: the name of the kernel's size among them.
        maximum: whether it is max pooling.
    """
    if any(settings.get(name) for name in ("return_mask", "divisor", "divisor_override")):
        return _OPAQUE
    pool = octave_pool(
        settings.get(kernel_size),
        settings.get("stride"),
        settings.get("padding", 0),
        settings.get("ceil_mode", False),
        maximum=maximum,
        exclusive=settings.get("exclusive") is not False,
    )
    return _OPAQUE if pool is None else Role("pool", maps, pool=pool)
