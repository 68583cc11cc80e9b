"""Octave convolution for PaddlePaddle: layers, networks, and their training.

The public names below are imported when they are first used, so that the command line can quieten
Paddle before it is imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .conversion import *  # noqa: F403
    from .models import *  # noqa: F403
    from .nn import *  # noqa: F403

_PUBLIC = {
    "nn": (
        "Conv_BN",
        "Conv_BN_ACT",
        "OctaveAdd",
        "OctaveAvgPool2D",
        "OctaveConv",
        "OctaveGlobalAvgPool2D",
        "OctaveMaxPool2D",
        "OctaveMerge",
        "OctaveNorm",
        "OctaveSE",
        "PerBand",
    ),
    "lightweight": ("DSCConv", "DualConv", "HetConv"),
    "models": (
        "BasicBlock",
        "Bottleneck",
        "OctDenseNet",
        "OctMobileNetV1",
        "OctMobileNetV2",
        "OctResNet",
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
    ),
    "conversion": (
        "OctavizeReport",
        "octavize",
    ),
}
_ROOMS = (
    "bench",
    "conversion",
    "cost",
    "deploy",
    "lightweight",
    "models",
    "nn",
    "training",
    "views",
    "weights",
)
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
