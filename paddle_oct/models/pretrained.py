"""Trained weights by name: where they are published, and the images that they expect.

Reading and converting them is the business of :mod:`paddle_oct.models.loading`.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Union

from paddle import nn
from paddle.utils import download

Pretrained = Union[bool, str, "os.PathLike[str]"]

#: Where the authors' files lie.
AUTHORS_ADDRESS = "https://dl.fbaipublicfiles.com/octconv/others/"

_CLASSES = 1000  # of ImageNet
# Options that change what the same weights compute, and the authors' choices.
_AUTHORS_CHOICES = {"downsample": (None, "avg_pool"), "h2l": (True,), "l2h": (True,)}


@dataclass(frozen=True)
class PublishedWeights:
    """Weights that the authors of octave convolution trained on ImageNet and published.

    Attributes:
        model: the network's name, as for ``create_model``.
        options: the options that it was trained with.
        file: the file's name at ``AUTHORS_ADDRESS``, in MXNet's format.
        top1, top5: accuracy in percent on ImageNet's validation set, a single centre crop.
    """

    model: str
    options: dict[str, float]
    file: str
    top1: float
    top5: float

    def __str__(self) -> str:
        return f"{self.model} with {_describe(self.options)}"


_PUBLISHED = (
    PublishedWeights(
        "oct_mobilenet_v1",
        {"alpha": 0.375, "scale": 0.75},
        "mobilenet_v1_075_alpha-0.375.params",
        *(70.5, 89.5),
    ),
    PublishedWeights(
        "oct_mobilenet_v1",
        {"alpha": 0.5, "scale": 1.0},
        "mobilenet_v1_100_alpha-0.5.params",
        *(72.5, 90.6),
    ),
    PublishedWeights(
        "oct_mobilenet_v2",
        {"alpha": 0.375, "scale": 1.0},
        "mobilenet_v2_100_alpha-0.375.params",
        *(72.0, 90.7),
    ),
    PublishedWeights(
        "oct_mobilenet_v2",
        {"alpha": 0.5, "scale": 1.125},
        "mobilenet_v2_1125_alpha-0.5.params",
        *(73.0, 91.2),
    ),
    PublishedWeights(
        "oct_resnet152_v1f",
        {"alpha": 0.125},
        "resnet152_v1f_alpha-0.125.params",
        *(81.4, 95.4),
    ),
    PublishedWeights(
        "oct_se_resnet152_v1e",
        {"alpha": 0.125},
        "se-resnet152_v1e_alpha-0.125.params",
        *(81.6, 95.7),
    ),
)


def published_weights(model: str = "*") -> list[PublishedWeights]:
    """Return what ``create_model(..., pretrained=True)`` can load of our networks.

    Args:
        model: a shell pattern for the network's name.

    Examples:
        >>> from paddle_oct.models import published_weights
        >>> print(*published_weights("oct_mobilenet_v1"), sep="; ")
        oct_mobilenet_v1 with alpha=0.375, scale=0.75; oct_mobilenet_v1 with alpha=0.5, scale=1.0
    """
    return [weights for weights in _PUBLISHED if fnmatch.fnmatch(weights.model, model)]


def preprocessing(name: str) -> dict[str, Any]:
    """Return how images become the input of a network with weights trained on ImageNet.

    It is the same for all of them, the authors' and those of ``paddle.vision.models``.

    Args:
        name: the network's name, as for ``create_model``.

    Returns:
        The arguments of :class:`paddle_oct.training.Preprocessing`: RGB scaled to [0, 1], its
        short side to 256 pixels, the centre of 224x224, then ``(x - mean) / std`` per channel.

    Raises:
        ValueError: no network has this name.

    Examples:
        >>> from paddle_oct.models import preprocessing
        >>> preprocessing("oct_mobilenet_v1")["mean"]
        (0.485, 0.456, 0.406)
    """
    from .registry import model_options

    model_options(name)  # complains of an unknown name
    return {
        "size": 224,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "short_side": 256,
    }


def find_pretrained(
    name: str, options: dict[str, Any], pretrained: Pretrained, vanilla: Callable | None
) -> Callable[[nn.Layer], None]:
    """Return the function that loads the weights which ``create_model`` was asked for.

    Args:
        name: the network's name, no alias.
        options: all its options.
        pretrained: ``True``, ``"vanilla"`` or a file; see :func:`~paddle_oct.create_model`.
        vanilla: the function of ``paddle.vision.models`` that builds the network, or its vanilla
            self; ``None`` where there is none.

    Raises:
        TypeError, ValueError: there are no such weights. The function that is returned raises
            ValueError if they can't be downloaded or read, or don't fit.
    """
    if pretrained is True and name.startswith("oct_"):
        weights = _find_published(name, options)
        return lambda network: _load_published(network, weights)
    if pretrained is True or pretrained == "vanilla":
        address, md5 = _find_vanilla(name, options, vanilla)
        return lambda network: _load_vanilla(network, name, address, md5)
    if not isinstance(pretrained, (str, os.PathLike)):
        raise TypeError(
            f"{name}: pretrained must be True, False, 'vanilla' or a file, got {pretrained!r}"
        )
    if not Path(pretrained).is_file():
        raise ValueError(f"{name}: pretrained={str(pretrained)!r}: no such file")
    return lambda network: _load_file(network, pretrained, replace_classifier=False)


def _find_published(name: str, options: dict[str, Any]) -> PublishedWeights:
    candidates = published_weights(name)
    if not candidates:
        raise ValueError(
            f"there are no published weights of {name}, only of {'; '.join(map(str, _PUBLISHED))}; "
            "pretrained='vanilla' starts from Paddle's of the vanilla network"
        )
    unusual = {k: options[k] for k, usual in _AUTHORS_CHOICES.items() if options[k] not in usual}
    for weights in candidates:
        if not unusual and all(_same(options[k], value) for k, value in weights.options.items()):
            return weights
    given = {**{key: options[key] for key in candidates[0].options}, **unusual}
    raise ValueError(
        f"there are no published weights of {name} with {_describe(given)}, only of "
        f"{'; '.join(map(str, candidates))}"
    )


def _same(option: Any, value: float) -> bool:
    """Whether an option, one number or one for each stage, is ``value``."""
    values = option if isinstance(option, (list, tuple)) else [option]
    return all(abs(number - value) < 1e-6 for number in values)


def _describe(options: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in options.items())


def _find_vanilla(name: str, options: dict[str, Any], vanilla: Callable | None) -> tuple[str, str]:
    """Return address and MD5 sum of Paddle's own weights, from the table beside the network."""
    addresses = {} if vanilla is None else vanilla.__globals__.get("model_urls", {})
    own = name if vanilla is None else vanilla.__name__
    # The MobileNets are listed with their scale: mobilenetv1_1.0.
    scaled = f"{own.replace('_v', 'v')}_{float(options.get('scale', 1.0))}"
    for key in (own, scaled):
        if key in addresses:
            return addresses[key]
    scale = f" with scale={options['scale']!r}" if addresses and "scale" in options else ""
    raise ValueError(f"Paddle publishes no ImageNet weights for {name}{scale}")


def _fetch(address: str, md5: str | None = None) -> Path:
    """Return the file at an address, downloaded with a progress bar unless it is in the cache."""
    place = _place(address)
    try:
        download.get_path_from_url(address, str(place.parent), md5, decompress=False)
    except Exception as error:  # of the network, the disk, or Paddle's check of the sum
        reason = f" ({error})" if isinstance(error, OSError) else ""
        raise ValueError(
            f"{address} could not be downloaded{reason}; fetch it by hand and put it at {place}"
        ) from error
    return place


def _place(address: str) -> Path:
    return Path(download.WEIGHTS_HOME) / address.rpartition("/")[2]


def _load_file(network: nn.Layer, path: str | Path, *, replace_classifier: bool = True) -> None:
    from paddle_oct.models import load_weights

    load_weights(network, path, classifier=_keeps_classifier(network, replace_classifier))


def _load_vanilla(network: nn.Layer, name: str, address: str, md5: str) -> None:
    from .vanilla import takes_vanilla

    if name.startswith("oct_") and not takes_vanilla(network):
        raise ValueError(
            f"{name}: there is no way from the weights of its vanilla network to its own; "
            "there is for MobileNetV1 and the ResNets"
        )
    _load_file(network, _fetch(address, md5))


def _keeps_classifier(network: nn.Layer, replace_classifier: bool = True) -> bool:
    """Whether the classifier of the weights is wanted: not if there is none, or another one."""
    classes = getattr(network, "num_classes", _CLASSES)
    has_none = classes == 0 or getattr(network, "features_only", False)
    return not has_none and (classes == _CLASSES or not replace_classifier)


def _load_published(network: nn.Layer, weights: PublishedWeights) -> None:
    """Load the authors' weights from the cache, or convert their file and keep the result."""
    from paddle_oct.models.loading import convert_names
    from paddle_oct.weights import load_state, read_weights, save_state

    address = AUTHORS_ADDRESS + weights.file
    place = _place(address)
    converted = place.with_name(f"paddle_oct-{Path(weights.file).stem}.pdparams")
    if converted.is_file():
        # A file of an earlier version, or a damaged one, is converted again.
        with contextlib.suppress(ValueError):
            return _load_file(network, converted)
    by_hand = place.is_file()
    path = _fetch(address)
    try:
        state = convert_names(read_weights(path), network, str(path))
        load_state(network, state, str(path), classifier=_keeps_classifier(network))
    except ValueError as error:
        if not by_hand:
            path.unlink()  # or it would be taken for the real one next time
        advice = "delete it, or put another there" if by_hand else f"or put it at {path} by hand"
        raise ValueError(
            f"{error}; this is not the file of {address}: try again, {advice}"
        ) from error
    with contextlib.suppress(OSError):  # a cache that can't be written does no harm
        save_state(state, converted)
    return None
