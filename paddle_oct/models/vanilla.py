"""From the weights of ``paddle.vision.models`` to ours: kernels cut into four, norms into two."""

from __future__ import annotations

import re
from typing import Callable, NamedTuple

import numpy as np
from paddle import nn

from paddle_oct.nn import Conv_BN, OctaveConv
from paddle_oct.weights.strict import check_fit

from .oct_mobilenet_v1 import OctMobileNetV1
from .oct_resnet import OctResNet
from .oct_resnet_v1e import OctResNetV1e

_OCTAVE_KERNEL = re.compile(r"\.conv_[hl]2[hl]\.")
# Of the blocks of paddle.vision.models.MobileNetV1, by our number.
_MOBILENET_BLOCKS = (
    *("conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv4_1", "conv4_2"),
    *("conv5_1", "conv5_2", "conv5_3", "conv5_4", "conv5_5", "conv5_6", "conv6"),
)


class _Names(NamedTuple):
    """How a vanilla network calls the parts of our ``Conv_BN`` of a name, and the other layers."""

    convolution: Callable[[str], str]
    norm: Callable[[str], str]
    layer: Callable[[str], str]


def takes_vanilla(network: nn.Layer) -> bool:
    """Whether a network can start from the weights of its vanilla self."""
    return _vanilla_names(network) is not None


def has_vanilla_names(names: list[str], network: nn.Layer) -> bool:
    """Whether the names, but not the network, are those of a vanilla network."""
    octave = any(map(_OCTAVE_KERNEL.search, network.state_dict()))
    return octave and not any(map(_OCTAVE_KERNEL.search, names))


def from_vanilla(
    tensors: dict[str, np.ndarray], network: nn.Layer, source: str
) -> dict[str, np.ndarray]:
    """Return the tensors of a vanilla network as those of our state dict.

    The four kernels are the blocks of the vanilla one, high channels first (paper, Fig. 2b), and
    the norms of the bands hold its channels in the same order. Only ``h2l`` and ``l2h`` that are
    switched off lose their blocks.

    Raises:
        ValueError: a tensor is missing, left over or of another shape, or there is no vanilla
            network of this kind.
    """
    names = _vanilla_names(network)
    if names is None:
        raise ValueError(
            f"{source}: holds weights of a vanilla network, which don't fit "
            f"{type(network).__name__}; octave MobileNetV1 and ResNets take them"
        )
    own = network.state_dict()
    shapes: dict[str, list[int]] = {}
    split: dict[str, Callable[[np.ndarray], dict[str, np.ndarray]]] = {}
    done = set()
    for path, layer in network.named_sublayers():
        if not isinstance(layer, Conv_BN):
            continue
        conv = layer.conv
        name = f"{names.convolution(path)}.weight"
        shapes[name] = [conv.out_channels, conv.in_channels // conv.groups, *conv.kernel_size]
        split[name] = _kernel_splitter(conv, f"{path}.conv")
        for parameter in ("weight", "bias", "_mean", "_variance"):
            name = f"{names.norm(path)}.{parameter}"
            shapes[name] = [conv.out_channels]
            split[name] = _norm_splitter(conv, path, parameter)
        done.update(key for key in own if key.startswith(f"{path}."))
    for key in own:
        if key not in done:
            layer_name, _, parameter = key.rpartition(".")
            name = f"{names.layer(layer_name)}.{parameter}"
            shapes[name] = list(own[key].shape)
            split[name] = lambda array, key=key: {key: array}
    check_fit(tensors, shapes, network, source)
    return {key: part for name, cut in split.items() for key, part in cut(tensors[name]).items()}


def _kernel_splitter(conv: OctaveConv, path: str) -> Callable:
    def cut(kernel: np.ndarray) -> dict[str, np.ndarray]:
        return {f"{path}.{name}.weight": part for name, part in conv.split_kernel(kernel).items()}

    return cut


def _norm_splitter(conv: OctaveConv, path: str, parameter: str) -> Callable:
    high, low = conv.out_bands

    def cut(array: np.ndarray) -> dict[str, np.ndarray]:
        bands = {"bn_h": array[:high]} if high else {}
        if low:
            bands["bn_l"] = array[high:]
        return {f"{path}.{norm}.{parameter}": part for norm, part in bands.items()}

    return cut


def _vanilla_names(network: nn.Layer) -> _Names | None:
    if isinstance(network, OctMobileNetV1):
        return _Names(
            lambda path: f"{_mobilenet_name(path)}.0",
            lambda path: f"{_mobilenet_name(path)}.1",
            lambda layer: layer.replace("features.0.", "conv1."),
        )
    if isinstance(network, OctResNet) and not isinstance(network, OctResNetV1e):
        return _Names(lambda path: path, _resnet_norm, lambda layer: layer)
    return None


def _resnet_norm(path: str) -> str:
    """``layer1.0.conv2`` -> ``layer1.0.bn2``; ``layer1.0.downsample.0`` -> ``...downsample.1``."""
    block, _, part = path.rpartition(".")
    return f"{block}.{part.replace('conv', 'bn')}" if part.startswith("conv") else f"{block}.1"


def _mobilenet_name(path: str) -> str:
    """``features.1.0`` -> ``conv2_1._depthwise_conv``."""
    _, number, part = path.split(".")
    kind = ("_depthwise_conv", "_pointwise_conv")[int(part)]
    return f"{_MOBILENET_BLOCKS[int(number) - 1]}.{kind}"
