"""The images that networks with trained weights expect."""

from __future__ import annotations

from typing import Any

from .registry import network_class


def preprocessing(name: str) -> dict[str, Any]:
    """Return how images become the input of a network with weights trained on ImageNet.

    It is the same for all of them, the authors' and those of ``paddle.vision.models``.

    Args:
        name: the network's name, as for ``create_model``.

    Returns:
        The arguments of :class:`paddle_oct.training.Preprocessing`: resize the short side to 256
        pixels, take the central 224x224, scale RGB to [0, 1], then ``(x - mean) / std`` per
        channel.

    Raises:
        ValueError: no network has this name.

    Examples:
        >>> from paddle_oct.models import preprocessing
        >>> preprocessing("oct_mobilenet_v1")["mean"]
        (0.485, 0.456, 0.406)
    """
    network_class(name)  # raises if the name is unknown
    return {
        "size": 224,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "short_side": 256,
    }
