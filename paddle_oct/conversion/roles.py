"""What each recorded call is to an octave feature.

Every call gets one of these roles:

=========  =====================================================================================
conv       a convolution layer; may open the octave, keep it, or close it
norm       a layer with one value per channel in each of its parameters; one such layer per band
band       the same for every pixel and channel, so for either band: activations, dropout
pool       max or average pooling
join       the mean or maximum of every channel; its result is one tensor
pairwise   an addition, product or the like of two maps of one shape, band by band
scale      a map by one number per channel
concat     maps one after the other along the channels
opaque     everything else; it is given the merged tensor
=========  =====================================================================================
"""

from __future__ import annotations

import inspect
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from paddle import Tensor, nn

from paddle_oct.nn import OctaveAvgPool2D, OctaveConv, OctaveMaxPool2D
from paddle_oct.nn.arguments import padding_sides, size2

from .follow.graph import Constant, Graph, Node, Parameter, Value, leaves

Kind = Literal["conv", "norm", "band", "pool", "join", "pairwise", "scale", "concat", "opaque"]

_BAND_LAYERS = (
    nn.CELU,
    nn.ELU,
    nn.GELU,
    nn.Hardshrink,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Hardtanh,
    nn.LeakyReLU,
    nn.LogSigmoid,
    nn.Mish,
    nn.ReLU,
    nn.ReLU6,
    nn.RReLU,
    nn.SELU,
    nn.Sigmoid,
    nn.Silu,
    nn.Softplus,
    nn.Softshrink,
    nn.Softsign,
    nn.Swish,
    nn.Tanh,
    nn.Tanhshrink,
    nn.ThresholdedReLU,
    nn.Dropout,
    nn.Dropout2D,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
    nn.Identity,
)
_NORM_LAYERS = (
    nn.BatchNorm,
    nn.BatchNorm2D,
    nn.SyncBatchNorm,
    nn.InstanceNorm2D,
    nn.PReLU,
)
# Names of functions and methods, without underscores around them.
_BINARY = """
    add div divide floordiv fmax fmin maximum minimum mul multiply pow sub subtract truediv
"""
_UNARY = """
    abs alpha_dropout assign astype cast ceil celu clip clone contiguous cos detach dropout
    dropout2d elu exp expm1 feature_alpha_dropout floor gelu hardshrink hardsigmoid hardswish
    hardtanh leaky_relu log log1p log_sigmoid mish neg pos reciprocal relu relu6 round rrelu rsqrt
    scale selu sigmoid sign silu sin softplus softshrink softsign sqrt square swish tanh tanhshrink
    thresholded_relu
"""
_BINARY_NAMES = frozenset(_BINARY.split())
_ELEMENTWISE_NAMES = _BINARY_NAMES | frozenset(_UNARY.split())


@dataclass
class Role:
    """What a call is.

    Attributes:
        kind: see above.
        maps: the maps among its arguments that may be pairs.
        factor: for ``scale``, what it scales by: a Value, Parameter or Constant ``[., C, 1, 1]``.
        pool: for ``pool``, the layer that pools both bands.
        obstacle: for ``conv`` and ``norm``, why it cannot work on pairs; "" if it can.
    """

    kind: Kind
    maps: list[Value] = field(default_factory=list)
    factor: Any = None
    pool: nn.Layer | None = None
    obstacle: str = ""


_OPAQUE = Role("opaque")


class Roles:
    """Finds the role of every call of a network."""

    def __init__(self, model: nn.Layer, graph: Graph) -> None:
        self.layers = dict(model.named_sublayers(include_self=True))
        self.calls = Counter(node.target for node in graph.nodes if node.kind == "layer")
        self.parameters = dict([*model.named_parameters(), *model.named_buffers()])
        owners = Counter(
            id(parameter)
            for layer in self.layers.values()
            for parameter in layer._parameters.values()
            if parameter is not None
        )
        loose = Counter(
            id(self.parameters[leaf.name])
            for node in graph.nodes
            for leaf in leaves((node.args, node.kwargs))
            if isinstance(leaf, Parameter)
        )
        self.uses = owners + loose

    def of(self, node: Node) -> Role:
        """Return the role of a call."""
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
        if type(layer).forward is nn.Conv2D.forward:
            return Role("conv", maps, obstacle=self._why_not(node, layer) or _misfit(layer))
        if layer._forward_pre_hooks or layer._forward_post_hooks:
            return _OPAQUE
        attributes = vars(layer)
        layout = attributes.get("data_format", attributes.get("_data_format", "NCHW"))
        if layout != "NCHW" or attributes.get("_data_layout", "NCHW") != "NCHW":
            return _OPAQUE
        if _has_forward_of(layer, _NORM_LAYERS):
            return self._of_norm(node, layer)
        if _has_forward_of(layer, _BAND_LAYERS):
            return Role("band", maps) if attributes.get("axis") is None else _OPAQUE
        if _has_forward_of(layer, (nn.MaxPool2D, nn.AvgPool2D)):
            return _pool_role(
                maps, layer.ksize, layer.stride, layer.padding, layer.ceil_mode, attributes
            )
        adaptive = (nn.AdaptiveAvgPool2D, nn.AdaptiveMaxPool2D)
        if _has_forward_of(layer, adaptive) and not attributes.get("_return_mask"):
            return Role("join", maps) if _is_one(layer._output_size) else _OPAQUE
        return _OPAQUE

    def _of_norm(self, node: Node, layer: nn.Layer) -> Role:
        channels = node.inputs[0].shape[1]
        sizes = {p.size for p in [*layer.parameters(), *layer.buffers()]}
        if isinstance(layer, nn.PReLU) and sizes == {1}:
            return Role("band", node.inputs)
        if sizes - {channels}:
            return _OPAQUE
        return Role("norm", node.inputs, obstacle=self._why_not(node, layer))

    def _why_not(self, node: Node, layer: nn.Layer) -> str:
        """Say why a layer cannot be replaced, whatever it computes."""
        if self.calls[node.target] > 1:
            return f"it runs {self.calls[node.target]} times"
        if layer._forward_pre_hooks or layer._forward_post_hooks:
            return "it has hooks on its forward (weight_norm, for example)"
        if any(self.uses[id(p)] > 1 for p in layer.parameters()):
            return "it shares its parameters"
        return ""

    # -- functions and methods ------------------------------------------------------------------

    def _of_function(self, node: Node) -> Role:
        name = node.name.strip("_")
        arguments = _arguments(node)
        if arguments.get("data_format", "NCHW") != "NCHW":
            return _OPAQUE
        inputs = node.inputs
        if not inputs or not any(value.is_map for value in inputs):
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
            return _pool_role(
                inputs,
                arguments.get("kernel_size"),
                arguments.get("stride"),
                arguments.get("padding", 0),
                arguments.get("ceil_mode", False),
                {**arguments, "maximum": name == "max_pool2d"},
            )
        if name in _BINARY_NAMES or (name[:1] == "r" and name[1:] in _BINARY_NAMES):
            return self._of_binary(node)
        if name in _ELEMENTWISE_NAMES and len(inputs) == 1 and arguments.get("axis") is None:
            others = [leaf for leaf in leaves((node.args, node.kwargs)) if self._is_tensor(leaf)]
            return Role("band", inputs) if len(others) == 1 else _OPAQUE
        return _OPAQUE

    def _of_binary(self, node: Node) -> Role:
        operands = [leaf for leaf in leaves((node.args, node.kwargs)) if self._is_tensor(leaf)]
        maps = [x for x in operands if isinstance(x, Value) and x.is_map]
        if len(operands) == 1:
            return Role("band", maps)
        if len(operands) != 2 or not maps:
            return _OPAQUE
        if len(maps) == 2 and maps[0].shape == maps[1].shape:
            return Role("pairwise", maps)
        first, second = (self._shape(x) for x in operands)
        for this, shape, factor in ((operands[0], first, second), (operands[1], second, first)):
            if not isinstance(this, Value) or not this.is_map:
                continue
            other = operands[1] if this is operands[0] else operands[0]
            if math.prod(factor) == 1 and not isinstance(other, Value):
                return Role("band", [this])
            if len(factor) == 4 and factor[0] in (1, shape[0]) and factor[1:] == (shape[1], 1, 1):
                return Role("scale", [this], factor=other)
        return _OPAQUE

    def _is_tensor(self, leaf: Any) -> bool:
        constant = isinstance(leaf, Constant) and isinstance(leaf.value, Tensor)
        return constant or isinstance(leaf, (Value, Parameter))

    def _shape(self, leaf: Any) -> tuple[int, ...]:
        if isinstance(leaf, Value):
            return leaf.shape
        tensor = leaf.value if isinstance(leaf, Constant) else self.parameters[leaf.name]
        return tuple(tensor.shape)


def _has_forward_of(layer: nn.Layer, kinds: tuple[type, ...]) -> bool:
    """Whether a layer is one of some classes, and computes as they do."""
    return any(isinstance(layer, k) and type(layer).forward is k.forward for k in kinds)


def _is_one(size: Any) -> bool:
    return size == 1 or (isinstance(size, (list, tuple)) and all(s == 1 for s in size))


def _arguments(node: Node) -> dict[str, Any]:
    """Return the arguments of a call by the names that its function gives them."""
    try:
        return dict(inspect.signature(node.function).bind(*node.args, **node.kwargs).arguments)
    except (TypeError, ValueError):
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


# -- what lines up at every size ------------------------------------------------------------------


def _misfit(conv: nn.Conv2D) -> str:
    """Say why the bands of a convolution would not line up; "" if they do."""
    if conv._data_format != "NCHW":
        return f"its data format is {conv._data_format}"
    if conv._groups == conv._in_channels > 1 and conv._in_channels != conv._out_channels:
        return "it is depthwise with more outputs than inputs"
    try:
        OctaveConv(
            2,
            2,
            conv._kernel_size,
            stride=conv._stride,
            padding=conv._padding,
            dilation=conv._dilation,
            padding_mode=conv._padding_mode,
        )
    except ValueError as error:
        return str(error).partition("): ")[2] or str(error)
    return ""


def _pool_role(
    maps: list[Value],
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    options: dict[str, Any],
) -> Role:
    if options.get("return_mask") or options.get("divisor") or options.get("divisor_override"):
        return _OPAQUE
    stride = kernel_size if stride is None else stride
    try:
        kernel, step = size2(kernel_size, "kernel_size"), size2(stride, "stride")
        sides = padding_sides(padding, "padding")
    except (TypeError, ValueError):
        return _OPAQUE
    if sides is None or sides[0] != sides[1] or sides[2] != sides[3]:
        return _OPAQUE
    if not all(map(_lines_up, kernel, step, sides[::2], [ceil_mode] * 2)):
        return _OPAQUE
    exclusive = options.get("exclusive")
    if options.get("maximum", exclusive is None):
        pool = OctaveMaxPool2D(kernel, step, sides[::2], ceil_mode)
    elif exclusive is False and (step != [1, 1] or ceil_mode):
        return _OPAQUE  # cells outside the map would count where ceil mode adds a window
    else:
        pool = OctaveAvgPool2D(kernel, step, sides[::2], ceil_mode, exclusive is not False)
    return Role("pool", maps, pool=pool)


def _lines_up(kernel: int, stride: int, padding: int, ceil_mode: bool) -> bool:
    """Whether the pooled low band covers the pooled high band, from pixels, at every size."""

    def windows(size: int, up: bool) -> int:
        room = size + 2 * padding - kernel
        return (-(-room // stride) if up else room // stride) + 1

    for size in range(1, 8 * (kernel + stride)):
        wanted = windows(size, ceil_mode)
        if size + 2 * padding < kernel or wanted < 1:
            continue
        low = (size + 1) // 2
        half = (wanted + 1) // 2
        if windows(low, up=True) < half or (half - 1) * stride - padding >= low:
            return False
    return True
