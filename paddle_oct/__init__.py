"""Octave convolution for PaddlePaddle: layers, networks, and their training.

The public names below are imported when they are first used, so that the command line can quieten
Paddle before it is imported.
"""

# ruff: noqa: F403, F405 (type checkers find the names by the stars below)

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .conversion import *
    from .lightweight import *
    from .models import *
    from .nn import *

# The rooms that the public names are in, in the order in which they are searched.
_ROOMS = ("nn", "lightweight", "models", "conversion")

__all__ = [
    "BasicBlock",
    "Bottleneck",
    "Conv_BN",
    "Conv_BN_ACT",
    "DSCConv",
    "DualConv",
    "HetConv",
    "OctDenseNet",
    "OctMobileNetV1",
    "OctMobileNetV2",
    "OctResNet",
    "OctaveAdd",
    "OctaveAvgPool2D",
    "OctaveConv",
    "OctaveGlobalAvgPool2D",
    "OctaveMaxPool2D",
    "OctaveMerge",
    "OctaveNorm",
    "OctaveSE",
    "OctavizeReport",
    "PerBand",
    "__version__",
    "create_model",
    "list_models",
    "oct_densenet121",
    "oct_mobilenet",
    "oct_mobilenet_v1",
    "oct_mobilenet_v2",
    "oct_resnet18",
    "oct_resnet26",
    "oct_resnet34",
    "oct_resnet50",
    "oct_resnet101",
    "oct_resnet152",
    "oct_resnet152_v1f",
    "oct_resnet200",
    "oct_resnext50_32x4d",
    "oct_resnext101_32x4d",
    "oct_se_resnet50",
    "oct_se_resnet101",
    "oct_se_resnet152",
    "oct_se_resnet152_v1e",
    "octavize",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        for room in map(_import_room, _ROOMS):
            if name in room.__all__:
                return getattr(room, name)
    if not name.startswith("_") and find_spec(f"{__name__}.{name}"):  # paddle_oct.training, ...
        return _import_room(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _import_room(name: str) -> Any:
    return import_module(f".{name}", __name__)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
