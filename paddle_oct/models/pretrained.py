"""Trained weights by name: which exist, where they are published, and loading them."""

from __future__ import annotations

import contextlib
import fnmatch
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, Union

from paddle import nn

from paddle_oct.weights import (
    VanillaLayout,
    layouts_of,
    load_state,
    load_weights,
    read_weights,
    save_state,
    to_state,
)

from . import cache
from .vanilla_models import vanilla_weights

Pretrained = Union[bool, str, "os.PathLike[str]", None]

#: Where the authors of octave convolution publish their files.
AUTHORS_ADDRESS = "https://dl.fbaipublicfiles.com/octconv/others/"

_CLASSES = 1000  # of ImageNet
# Options that change what the same weights compute, and their values for the published weights.
_USUAL = {"downsample": (None, "avg_pool"), "h2l": (True,), "l2h": (True,)}


@dataclass(frozen=True)
class PublishedWeights:
    """Weights that were trained on ImageNet and published.

    Attributes:
        model: the network's name, as for ``create_model``.
        options: the options of the network that was trained.
        file: the file's name, in any format that :func:`~paddle_oct.weights.read_weights` reads.
        top1, top5: accuracy in percent on ImageNet's validation set, for a single central crop.
        folder: the address of the file's folder; by default that of the authors of octave
            convolution.
        sha256: of the file, if it is published; the authors of octave convolution publish none.
    """

    model: str
    options: dict[str, float]
    file: str
    top1: float
    top5: float
    folder: str = AUTHORS_ADDRESS
    sha256: str | None = None

    @property
    def address(self) -> str:
        """Where the file can be downloaded."""
        return self.folder + self.file

    def __str__(self) -> str:
        return f"{self.model} with {_describe(self.options)}"


_PUBLISHED: list[PublishedWeights] = []


def publish(weights: Iterable[PublishedWeights]) -> None:
    """Add to what :func:`published_weights` returns."""
    _PUBLISHED.extend(weights)


def published_weights(model: str = "*") -> list[PublishedWeights]:
    """Return the weights that ``create_model(..., pretrained=True)`` can load into our networks.

    Args:
        model: a shell pattern for the network's name.

    Examples:
        >>> from paddle_oct.models import published_weights
        >>> print(*published_weights("oct_mobilenet_v1"), sep="; ")
        oct_mobilenet_v1 with alpha=0.375, scale=0.75; oct_mobilenet_v1 with alpha=0.5, scale=1.0
    """
    return [weights for weights in _PUBLISHED if fnmatch.fnmatch(weights.model, model)]


def find_pretrained(
    name: str, options: dict[str, Any], pretrained: Pretrained, network: type[nn.Layer] | None
) -> Callable[[nn.Layer], None]:
    """Return a function that loads the weights which ``pretrained`` asks for into a network.

    Args:
        name: the network's name, not an alias.
        options: all its options, also those with default values.
        pretrained: ``True``, ``"vanilla"`` or a file; see :func:`~paddle_oct.create_model`.
        network: the class of one of our networks; ``None`` for one of ``paddle.vision.models``.

    Raises:
        TypeError, ValueError: there are no such weights. The function that is returned raises
            ValueError if they can't be downloaded or read, or don't fit.
    """
    if pretrained is True and network is not None:
        weights = _find_published(name, options)
        return lambda made: _load_published(made, weights)
    if pretrained is True or pretrained == "vanilla":
        address, md5 = vanilla_weights(name, options)
        takes_them = any(isinstance(layout, VanillaLayout) for layout in layouts_of(network))
        if network is not None and not takes_them:
            raise ValueError(
                f"{name}: there is no way from the weights of its vanilla network to its own"
            )

        def load_vanilla(made: nn.Layer) -> None:
            classifier = _classifies_imagenet(made)
            cache.fetch(
                address,
                lambda path: load_weights(made, path, classifier=classifier),
                cache.Sum("md5", md5),
            )

        return load_vanilla
    if not isinstance(pretrained, (str, os.PathLike)):
        raise TypeError(
            f"{name}: pretrained must be True, False, 'vanilla' or a file, got {pretrained!r}"
        )
    path = Path(pretrained)
    if not path.is_file():
        raise ValueError(f"{name}: pretrained={str(pretrained)!r}: no such file")
    return lambda made: load_weights(made, path, classifier=_has_classifier(made))


def _find_published(name: str, options: dict[str, Any]) -> PublishedWeights:
    candidates = published_weights(name)
    if not candidates:
        raise ValueError(
            f"there are no published weights of {name}, only of {'; '.join(map(str, _PUBLISHED))}; "
            "pretrained='vanilla' starts from Paddle's of the vanilla network"
        )
    unusual = {
        k: options[k] for k, usual in _USUAL.items() if options.get(k, usual[0]) not in usual
    }
    for weights in candidates:
        if not unusual and all(_same(options[k], value) for k, value in weights.options.items()):
            return weights
    given = {**{key: options[key] for key in candidates[0].options}, **unusual}
    raise ValueError(
        f"there are no published weights of {name} with {_describe(given)}, only of "
        f"{'; '.join(map(str, candidates))}"
    )


def _same(option: Any, value: float) -> bool:
    """Whether an option is ``value``, or a list of it for every stage."""
    values = option if isinstance(option, (list, tuple)) else [option]
    return all(abs(number - value) < 1e-6 for number in values)


def _describe(options: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in options.items())


def _has_classifier(network: nn.Layer) -> bool:
    """Whether a network has a classifier."""
    return getattr(network, "num_classes", _CLASSES) != 0 and not getattr(
        network, "features_only", False
    )


def _classifies_imagenet(network: nn.Layer) -> bool:
    """Whether a network has a classifier for ImageNet's 1000 classes."""
    return _has_classifier(network) and getattr(network, "num_classes", _CLASSES) == _CLASSES


def _load_published(network: nn.Layer, weights: PublishedWeights) -> None:
    """Load published weights from the cache, or convert their file and keep the result."""
    place = cache.place_of(weights.address)
    converted = place.with_name(f"paddle_oct-{place.stem}.pdparams")
    classifier = _classifies_imagenet(network)
    if cache.is_unchanged(converted):
        # If it is of an earlier version, the weights are converted again.
        with contextlib.suppress(ValueError):
            load_weights(network, converted, classifier=classifier)
            return

    def read(path: Path) -> dict[str, Any]:
        state = to_state(read_weights(path), network, str(path), classifier=classifier)
        load_state(network, state, str(path), classifier=classifier)
        return state

    published = None if weights.sha256 is None else cache.Sum("sha256", weights.sha256)
    state = cache.fetch(weights.address, read, published)
    cache.keep(converted, lambda path: save_state(state, path))
