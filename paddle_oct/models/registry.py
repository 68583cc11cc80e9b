"""Networks by name: the octave ones of this package and the vanilla ones of ``paddle.vision``."""

from __future__ import annotations

import fnmatch
import inspect
from typing import Any, Callable

import paddle
from paddle import nn

from paddle_oct.base.names import look_up, unknown_name

from .pretrained import Pretrained, find_pretrained

_REGISTRY: dict[str, Callable[..., nn.Layer]] = {}
_ALIASES = {"oct_mobilenet": "oct_mobilenet_v1"}

# Arguments with a default that the function which builds a vanilla network decides nevertheless, by
# how its name starts. (Those without a default it must decide, and so they are no options.)
_DECIDED = {
    "densenet": ("layers",),
    "resne": ("depth",),
    "resnext": ("width", "groups"),
    "shufflenet": ("scale", "act"),
    "wide_resnet": ("depth", "width"),
}


def register_model(build: Callable[..., nn.Layer]) -> Callable[..., nn.Layer]:
    """Make a function that builds a network known by its name.

    The function's return annotation is the network's class, whose arguments are its options.
    """
    _REGISTRY[build.__name__] = build
    return build


def vanilla_models() -> dict[str, Callable[..., nn.Layer]]:
    """Return the functions of ``paddle.vision.models`` that build a network, by name."""
    module = paddle.vision.models
    return {name: getattr(module, name) for name in module.__all__ if name.islower()}


def list_models(pattern: str = "*", vanilla: bool = False) -> list[str]:
    """Return the sorted names that ``create_model`` knows.

    Args:
        pattern: a shell pattern, such as ``"oct_resnet*"``.
        vanilla: whether to list the networks of ``paddle.vision.models`` in place of ours.
    """
    return sorted(fnmatch.filter(vanilla_models() if vanilla else _REGISTRY, pattern))


def model_options(name: str) -> dict[str, Any]:
    """Return the options of a network and their defaults.

    Raises:
        ValueError: no network has this name.
    """
    build = _builder(name)
    network = build.__globals__[build.__annotations__["return"]]
    decided = [a for start, names in _DECIDED.items() if name.startswith(start) for a in names]
    return {
        parameter.name: parameter.default
        for parameter in _parameters(network)
        if parameter.default is not parameter.empty and parameter.name not in decided
    }


def _parameters(network: type) -> list[inspect.Parameter]:
    """Return the parameters of a class; for ``**options``, what the base class takes besides."""
    found: dict[str, inspect.Parameter] = {}
    for base in inspect.getmro(network):
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters
        found = {**parameters, **found}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            break
    return [p for p in found.values() if p.kind is not p.VAR_KEYWORD]


def create_model(name: str, pretrained: Pretrained = False, **overrides: Any) -> nn.Layer:
    """Build a network.

    Args:
        name: a name from :func:`list_models`, ours or, for comparison, one of
            ``paddle.vision.models``.
        pretrained: the weights to start from; by default fresh ones.

            - ``True``: those that the authors published for these options
              (:func:`~paddle_oct.models.published_weights`), or Paddle's own of a vanilla network.
            - ``"vanilla"``: Paddle's own of the vanilla network, each kernel cut into the four of
              the octave convolution; for MobileNetV1, ResNet-18 to 152 and ResNeXt.
            - a file that :func:`paddle_oct.models.load_weights` reads.

            The first two are downloaded once, into ``paddle.utils.download.WEIGHTS_HOME``. They
            classify ImageNet's 1000 classes; with another ``num_classes`` everything but the
            classifier is loaded, and the classifier is fresh. Images are to be prepared as
            :func:`~paddle_oct.models.preprocessing` says.
        **overrides: options of the network, such as ``alpha``, ``num_classes`` or ``scale``.

    Raises:
        ValueError: no network has this name, or the network has no such option; the message
            suggests the nearest one. Or an option's value is out of range; or the weights don't
            exist, can't be downloaded or read, or belong to another network.

    Examples:
        >>> from paddle_oct import create_model
        >>> model = create_model("oct_resnet50", alpha=0.25, num_classes=10)
        >>> model = create_model("oct_mobilenet_v1", pretrained=True)  # doctest: +SKIP
    """
    options = model_options(name)
    for option in overrides:
        if option not in options:
            raise unknown_name(option, options, f"option of {name}")
    if pretrained is False or pretrained is None:
        return _builder(name)(**overrides)
    name = _ALIASES.get(name, name)
    vanilla = vanilla_models().get(name[len("oct_") :] if name in _REGISTRY else name)
    load = find_pretrained(name, {**options, **overrides}, pretrained, vanilla)
    network = _builder(name)(**overrides)
    load(network)
    return network


def _builder(name: str) -> Callable[..., nn.Layer]:
    known = {**vanilla_models(), **_REGISTRY, **{a: _REGISTRY[n] for a, n in _ALIASES.items()}}
    return look_up(name, known, "model")
