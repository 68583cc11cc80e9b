"""Networks by name: the octave ones of this package and the vanilla ones of ``paddle.vision``."""

from __future__ import annotations

import fnmatch
import functools
import inspect
from typing import Any, Callable, NamedTuple, TypeVar, cast

from paddle import nn

from paddle_oct.base.names import look_up, unknown_name

from .pretrained import Pretrained, PublishedWeights, find_pretrained, publish
from .vanilla_models import vanilla_models, vanilla_options

Builder = TypeVar("Builder", bound=Callable[..., nn.Layer])


class _Model(NamedTuple):
    """One of our networks: its class, and the function that builds it."""

    network: type[nn.Layer]
    build: Callable[..., nn.Layer]


_REGISTRY: dict[str, _Model] = {}
_ALIASES = {"oct_mobilenet": "oct_mobilenet_v1"}


def register_model(
    network: type[nn.Layer], *published: PublishedWeights
) -> Callable[[Builder], Builder]:
    """Register a function that builds a network, under the function's name.

    The function takes ``pretrained`` first, as those of ``paddle.vision.models`` do, and then
    options by keyword. It builds the network from the options alone; the decorator adds the loading
    of the weights that ``pretrained`` asks for, as in :func:`create_model`.

    Args:
        network: the network's class; those of its arguments that have a default are the options.
        *published: the trained weights that ``pretrained=True`` finds.

    Examples:
        >>> from paddle_oct import OctMobileNetV1
        >>> from paddle_oct.models import register_model
        >>> @register_model(OctMobileNetV1)  # doctest: +SKIP
        ... def oct_mobilenet_quarter(pretrained=False, **options):
        ...     return OctMobileNetV1(**{"scale": 0.25, **options})
    """

    def register(build: Builder) -> Builder:
        name = build.__name__

        @functools.wraps(build)
        def build_pretrained(pretrained: Pretrained = False, **options: Any) -> nn.Layer:
            return _build(name, build, network, pretrained, options)

        _REGISTRY[name] = _Model(network, build_pretrained)
        publish(published)
        return cast(Builder, build_pretrained)

    return register


def _build(
    name: str,
    build: Callable[..., nn.Layer],
    network: type[nn.Layer] | None,
    pretrained: Pretrained,
    options: dict[str, Any],
) -> nn.Layer:
    """Build a network and load the weights; see :func:`find_pretrained` for the arguments."""
    if pretrained is False or pretrained is None:
        return build(**options)
    load = find_pretrained(name, {**model_options(name), **options}, pretrained, network)
    made = build(**options)
    load(made)
    return made


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
    network = network_class(name)
    if network is None:
        return vanilla_options(name)
    parameters = _parameters(network)
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def network_class(name: str) -> type[nn.Layer] | None:
    """Return the class of one of our networks, ``None`` for one of ``paddle.vision.models``.

    Raises:
        ValueError: no network has this name.
    """
    names = [*vanilla_models(), *_REGISTRY, *_ALIASES]
    name = look_up(name, {known: _ALIASES.get(known, known) for known in names}, "model")
    return _REGISTRY[name].network if name in _REGISTRY else None


def _parameters(network: type) -> list[inspect.Parameter]:
    """Return the parameters of a class; for ``**options``, the further ones of its base class."""
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
        pretrained: the weights to start from; by default newly initialised ones.

            - ``True``: those that the authors published for these options
              (:func:`~paddle_oct.models.published_weights`), or for a vanilla network Paddle's own.
            - ``"vanilla"``: Paddle's own of the vanilla network, each kernel cut into the four of
              the octave convolution; for MobileNetV1, ResNet-18 to 152 and ResNeXt.
            - a file that :func:`paddle_oct.weights.load_weights` reads.

            The first two are downloaded once, into ``paddle.utils.download.WEIGHTS_HOME``. They
            classify ImageNet's 1000 classes; with another ``num_classes`` everything but the
            classifier is loaded, and the classifier is newly initialised. Images are to be prepared
            as :func:`~paddle_oct.models.preprocessing` says.
        **overrides: options of the network, such as ``alpha``, ``num_classes`` or ``scale``.

    Raises:
        ValueError: no network has this name, or the network has no such option; the message
            suggests the nearest one. Or an option's value is out of range; or the weights don't
            exist, can't be downloaded or read, or belong to another network.
        TypeError: an option or ``pretrained`` is of another type.

    Examples:
        >>> from paddle_oct import create_model
        >>> model = create_model("oct_resnet50", alpha=0.25, num_classes=10)
        >>> model = create_model("oct_mobilenet_v1", pretrained=True)  # doctest: +SKIP
    """
    options = model_options(name)
    for option in overrides:
        if option not in options:
            raise unknown_name(option, options, f"option of {name}")
    name = _ALIASES.get(name, name)
    if name in _REGISTRY:
        return _REGISTRY[name].build(pretrained, **overrides)
    return _build(name, vanilla_models()[name], None, pretrained, overrides)
