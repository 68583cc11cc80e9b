"""The networks of ``paddle.vision.models``: how they are built, and their trained weights."""

from __future__ import annotations

import fnmatch
from typing import Any, Callable

import paddle
from paddle import nn

_HEAD = {"num_classes": 1000, "with_pool": True}
# The options of the functions that build a family's networks, with their defaults.
_OPTIONS: dict[str, dict[str, Any]] = {
    "alexnet": {"num_classes": 1000},
    "densenet*": {"bn_size": 4, "dropout": 0.0, **_HEAD},
    "googlenet": _HEAD,
    "inception_v3": _HEAD,
    "mobilenet_v*": {"scale": 1.0, **_HEAD},
    "resnet*": {"width": 64, **_HEAD, "groups": 1},
    "resnext*": _HEAD,
    "shufflenet_v2_*": _HEAD,
    "squeezenet*": _HEAD,
    "vgg*": _HEAD,
    "wide_resnet*": {**_HEAD, "groups": 1},
}


def _hapi(file: str, md5: str) -> tuple[str, str]:
    return f"https://paddle-hapi.bj.bcebos.com/models/{file}.pdparams", md5


def _dygraph(file: str, md5: str) -> tuple[str, str]:
    folder = "https://paddle-imagenet-models-name.bj.bcebos.com/dygraph"
    return f"{folder}/{file}_pretrained.pdparams", md5


#: Address and MD5 sum of Paddle's own weights, trained on ImageNet with the default options.
VANILLA_WEIGHTS = {
    "alexnet": _dygraph("AlexNet", "7f0f9f737132e02732d75a1459d98a43"),
    "densenet121": _dygraph("DenseNet121", "db1b239ed80a905290fd8b01d3af08e4"),
    "densenet161": _dygraph("DenseNet161", "62158869cb315098bd25ddbfd308a853"),
    "densenet169": _dygraph("DenseNet169", "82cc7c635c3f19098c748850efb2d796"),
    "densenet201": _dygraph("DenseNet201", "16ca29565a7712329cf9e36e02caaf58"),
    "densenet264": _dygraph("DenseNet264", "3270ce516b85370bba88cfdd9f60bff4"),
    "googlenet": _dygraph("GoogLeNet", "80c06f038e905c53ab32c40eca6e26ae"),
    "inception_v3": _hapi("inception_v3", "649a4547c3243e8b59c656f41fe330b8"),
    "mobilenet_v1": _hapi("mobilenetv1_1.0", "3033ab1975b1670bef51545feb65fc45"),
    "mobilenet_v2": _hapi("mobilenet_v2_x1.0", "0340af0a901346c8d46f4529882fb63d"),
    "mobilenet_v3_large": _hapi("mobilenet_v3_large_x1.0", "118db5792b4e183b925d8e8e334db3df"),
    "mobilenet_v3_small": _hapi("mobilenet_v3_small_x1.0", "34fe0e7c1f8b00b2b056ad6788d0590c"),
    "resnet101": _hapi("resnet101", "02f35f034ca3858e1e54d4036443c92d"),
    "resnet152": _hapi("resnet152", "7ad16a2f1e7333859ff986138630fd7a"),
    "resnet18": _hapi("resnet18", "cf548f46534aa3560945be4b95cd11c4"),
    "resnet34": _hapi("resnet34", "8d2275cf8706028345f78ac0e1d31969"),
    "resnet50": _hapi("resnet50", "ca6f485ee1ab0492d38f323885b0ad80"),
    "resnext101_32x4d": _hapi("resnext101_32x4d", "967b090039f9de2c8d06fe994fb9095f"),
    "resnext101_64x4d": _hapi("resnext101_64x4d", "98e04e7ca616a066699230d769d03008"),
    "resnext152_32x4d": _hapi("resnext152_32x4d", "18ff0beee21f2efc99c4b31786107121"),
    "resnext152_64x4d": _hapi("resnext152_64x4d", "77c4af00ca42c405fa7f841841959379"),
    "resnext50_32x4d": _hapi("resnext50_32x4d", "dc47483169be7d6f018fcbb7baf8775d"),
    "resnext50_64x4d": _hapi("resnext50_64x4d", "063d4b483e12b06388529450ad7576db"),
    "shufflenet_v2_swish": _hapi("shufflenet_v2_swish", "adde0aa3b023e5b0c94a68be1c394b84"),
    "shufflenet_v2_x0_25": _hapi("shufflenet_v2_x0_25", "1e509b4c140eeb096bb16e214796d03b"),
    "shufflenet_v2_x0_33": _hapi("shufflenet_v2_x0_33", "3d7b3ab0eaa5c0927ff1026d31b729bd"),
    "shufflenet_v2_x0_5": _hapi("shufflenet_v2_x0_5", "5e5cee182a7793c4e4c73949b1a71bd4"),
    "shufflenet_v2_x1_0": _hapi("shufflenet_v2_x1_0", "122d42478b9e81eb49f8a9ede327b1a4"),
    "shufflenet_v2_x1_5": _hapi("shufflenet_v2_x1_5", "faced5827380d73531d0ee027c67826d"),
    "shufflenet_v2_x2_0": _hapi("shufflenet_v2_x2_0", "cd3dddcd8305e7bcd8ad14d1c69a5784"),
    "squeezenet1_0": _dygraph("SqueezeNet1_0", "30b95af60a2178f03cf9b66cd77e1db1"),
    "squeezenet1_1": _dygraph("SqueezeNet1_1", "a11250d3a1f91d7131fd095ebbf09eee"),
    "vgg16": _hapi("vgg16", "89bbffc0f87d260be9b8cdc169c991c4"),
    "vgg19": _hapi("vgg19", "23b18bb13d8894f60f54e642be79a0dd"),
    "wide_resnet101_2": _hapi("wide_resnet101_2", "d4360a2d23657f059216f5d5a1a9ac93"),
    "wide_resnet50_2": _hapi("wide_resnet50_2", "0282f804d73debdab289bd9fea3fa6dc"),
}


def vanilla_models() -> dict[str, Callable[..., nn.Layer]]:
    """Return the functions of ``paddle.vision.models`` that build a network, by name."""
    module = paddle.vision.models
    names = [name for pattern in _OPTIONS for name in fnmatch.filter(module.__all__, pattern)]
    return {name: getattr(module, name) for name in names}


def vanilla_options(name: str) -> dict[str, Any]:
    """Return the options of one of :func:`vanilla_models` and their defaults."""
    return next(dict(o) for pattern, o in _OPTIONS.items() if fnmatch.fnmatch(name, pattern))


def vanilla_weights(name: str, options: dict[str, Any]) -> tuple[str, str]:
    """Return address and MD5 sum of Paddle's weights for a vanilla network or its octave version.

    Args:
        name: such as ``"resnet50"`` or ``"oct_resnet50"``.
        options: those of the network.

    Raises:
        ValueError: there are no such weights.
    """
    vanilla = name[len("oct_") :] if name.startswith("oct_") else name
    scale = options.get("scale", 1.0)
    if vanilla not in VANILLA_WEIGHTS or scale != 1.0:
        which = f"{name} with scale={scale!r}" if vanilla in VANILLA_WEIGHTS else name
        raise ValueError(f"Paddle publishes no ImageNet weights for {which}")
    return VANILLA_WEIGHTS[vanilla]
