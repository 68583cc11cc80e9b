"""Octave networks, one file a family, and the registry that knows them by name.

A family's file has everything about its networks: the layers, the options, other people's names for
the weights, and which trained weights are published.
"""

from .images import preprocessing
from .importing import import_weights
from .network import OctNetwork, StageInfo
from .oct_densenet import OctDenseNet, oct_densenet121
from .oct_mobilenet_v1 import OctMobileNetV1, oct_mobilenet, oct_mobilenet_v1
from .oct_mobilenet_v2 import OctMobileNetV2, oct_mobilenet_v2
from .oct_resnet import (
    BasicBlock,
    Bottleneck,
    Bottleneck32x4d,
    OctResNet,
    SEBottleneck,
    oct_resnet18,
    oct_resnet26,
    oct_resnet34,
    oct_resnet50,
    oct_resnet101,
    oct_resnet152,
    oct_resnet200,
    oct_resnext50_32x4d,
    oct_resnext101_32x4d,
    oct_se_resnet50,
    oct_se_resnet101,
    oct_se_resnet152,
)
from .oct_resnet_v1e import OctResNetV1e, OctResNetV1f, oct_resnet152_v1f, oct_se_resnet152_v1e
from .options import Alpha, NetworkOptions, TrunkOptions
from .pretrained import Pretrained, PublishedWeights, published_weights
from .registry import create_model, list_models, model_options, register_model

__all__ = [
    "Alpha",
    "BasicBlock",
    "Bottleneck",
    "Bottleneck32x4d",
    "NetworkOptions",
    "OctDenseNet",
    "OctMobileNetV1",
    "OctMobileNetV2",
    "OctNetwork",
    "OctResNet",
    "OctResNetV1e",
    "OctResNetV1f",
    "Pretrained",
    "PublishedWeights",
    "SEBottleneck",
    "StageInfo",
    "TrunkOptions",
    "create_model",
    "import_weights",
    "list_models",
    "model_options",
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
    "preprocessing",
    "published_weights",
    "register_model",
]
