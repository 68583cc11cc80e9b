"""Octave networks, one file a family, and the registry that knows them by name."""

from .oct_mobilenet_v1 import OctMobileNetV1, oct_mobilenet, oct_mobilenet_v1
from .oct_resnet import (
    Bottleneck,
    OctResNet,
    oct_resnet50,
    oct_resnet101,
    oct_resnet152,
    oct_resnet200,
)
from .registry import create_model, list_models, model_options, register_model

__all__ = [
    "Bottleneck",
    "OctMobileNetV1",
    "OctResNet",
    "create_model",
    "list_models",
    "model_options",
    "oct_mobilenet",
    "oct_mobilenet_v1",
    "oct_resnet50",
    "oct_resnet101",
    "oct_resnet152",
    "oct_resnet200",
    "register_model",
]
