"""From the names of the authors' Gluon networks to ours; each network's file has the table."""

from __future__ import annotations

import re
from typing import Callable

import numpy as np
from paddle import nn

from .oct_mobilenet_v1 import OctMobileNetV1
from .oct_mobilenet_v2 import OctMobileNetV2
from .oct_resnet import OctResNet
from .oct_resnet_v1e import OctResNetV1e

_PARAMETERS = {
    "weight": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "running_mean": "_mean",
    "running_var": "_variance",
}
_BLOCK = re.compile(r"L(\d)_B(\d+)\.(.+)")
_PART = re.compile(r"(conv|bn)(\d)(?:\.(.+))?")  # the K-th convolution of a block, or its norm
_FREE_NORM = re.compile(r"bn([14])a\.bn_([hl])")  # without scale or shift, before conv1 or conv4
_BANDS = {"h": "high", "l": "low"}


def has_authors_names(names: list[str]) -> bool:
    """Whether a file's names are those of the authors' networks."""
    return "classifer.weight" in names or any(_BLOCK.match(name) for name in names)


def from_authors(
    tensors: dict[str, np.ndarray], network: nn.Layer, source: str
) -> dict[str, np.ndarray]:
    """Return the tensors under the names of our state dict; unknown names stay as they are.

    Raises:
        ValueError: the authors have no network of this kind.
    """
    translate = _translator(network, list(tensors), source)
    state = {}
    for name, array in tensors.items():
        layer, _, parameter = name.rpartition(".")
        ours = translate(layer) if parameter in _PARAMETERS else None
        if ours is None:
            state[name] = array
            continue
        if ours == "fc" and array.ndim == 4:  # a 1x1 convolution there
            array = array.reshape(array.shape[:2]).T
        state[f"{ours}.{_PARAMETERS[parameter]}"] = array
    _absorb_free_norms(state)
    return state


def _absorb_free_norms(state: dict[str, np.ndarray]) -> None:
    """Take the scale and shift of norms that have none out of the state, the output unchanged.

    MXNet stores both, but takes the scale as 1 whatever is stored. The shift, which stays at 0 in
    training, is moved into the mean.
    """
    for key in [key for key in state if re.search(r"\.norm[14]\.(high|low)\.weight$", key)]:
        layer = key.rpartition(".")[0]
        parts = [state.get(f"{layer}.{name}") for name in ("bias", "_mean", "_variance")]
        if any(part is None or part.shape != state[key].shape for part in parts):
            continue  # missing or of another shape, which the check of the names will say
        bias, mean, variance = parts
        if bias.any():
            state[f"{layer}._mean"] = mean - bias * np.sqrt(variance + np.float32(1e-5))
        del state[f"{layer}.weight"], state[f"{layer}.bias"]


def _translator(network: nn.Layer, names: list[str], source: str) -> Callable[[str], str | None]:
    """Return the function from a layer's name there to that here, ``None`` for an unknown one."""
    blocks = sorted({(int(m[1]), int(m[2])) for m in map(_BLOCK.match, names) if m})
    if isinstance(network, OctMobileNetV1):
        fixed = {"conv1.0": "features.0.0", "conv1.1": "features.0.1", "classifer": "fc"}
        return _mobilenet_translator(blocks, fixed, {"1": "0", "2": "1"})
    if isinstance(network, OctMobileNetV2):
        fixed = {"conv1.0": "features.0.0", "conv1.1": "features.0.1", "classifer": "fc"}
        fixed.update({"tail.0": "last.0", "tail.1": "last.1"})
        return _mobilenet_translator(
            blocks, fixed, {"1": "expand", "2": "depthwise", "3": "project"}
        )
    if isinstance(network, OctResNet):
        return _resnet_translator(blocks, deep_stem=isinstance(network, OctResNetV1e))
    raise ValueError(
        f"{source}: holds weights of the authors' MobileNets and ResNets, which don't fit "
        f"{type(network).__name__}"
    )


def _mobilenet_translator(
    blocks: list[tuple[int, int]], fixed: dict[str, str], parts: dict[str, str]
) -> Callable[[str], str | None]:
    def translate(layer: str) -> str | None:
        block = _BLOCK.fullmatch(layer)
        part = block and _PART.fullmatch(block[3])
        if not part:
            return fixed.get(layer)
        kind, number, rest = part.groups()
        if number not in parts or rest is None:
            return None
        index = blocks.index((int(block[1]), int(block[2]))) + 1
        return f"features.{index}.{parts[number]}.{_within(kind, rest)}"

    return translate


def _resnet_translator(
    blocks: list[tuple[int, int]], deep_stem: bool
) -> Callable[[str], str | None]:
    first = dict(reversed(blocks))  # some networks count from 0, some from 1

    def translate(layer: str) -> str | None:
        if layer == "classifer":
            return "fc"
        if layer.startswith("conv1."):  # a sequence of convolutions and norms
            return layer if deep_stem else {"conv1.0": "conv1", "conv1.1": "bn1"}.get(layer)
        block = _BLOCK.fullmatch(layer)
        if block:
            path, name = f"layer{block[1]}.{int(block[2]) - first[int(block[1])]}", block[3]
        elif layer.startswith("conv2."):  # the block in place of the max-pool
            path, name = "conv2", layer[len("conv2.") :]
        else:
            return None
        if free := _FREE_NORM.fullmatch(name):
            return f"{path}.norm{free[1]}.{_BANDS[free[2]]}"
        squeeze = {"conv1": "squeeze", "conv2_h": "excite_h", "conv2_l": "excite_l"}
        if name.startswith("se_block."):
            inner = squeeze.get(name[len("se_block.") :])
            return inner and f"{path}.se.{inner}"
        part = _PART.fullmatch(name)
        if not part:
            return None
        kind, number, rest = part.groups()
        ours = "downsample.0" if number == "4" else f"conv{number}"
        return f"{path}.{ours}.{_within(kind, rest)}"

    return translate


def _within(kind: str, rest: str | None) -> str:
    """Return the name within a ``Conv_BN``; a vanilla layer there is one high band here."""
    if kind == "conv":
        return f"conv.{rest or 'conv_h2h'}"
    return rest or "bn_h"
