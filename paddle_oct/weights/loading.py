"""Weights from a file, in any of the formats and layouts, into a network."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping

import numpy as np
from paddle import nn

from .files import read_weights
from .layouts import layouts_of
from .strict import load_state
from .torch_state import from_torch_names


def load_weights(network: nn.Layer, path: str | Path, *, classifier: bool = True) -> None:
    """Load weights into a network, every tensor exactly once.

    Args:
        network: any network.
        path: a file that :func:`read_weights` reads. Its names may be those of the network's own
            state dict, also with PyTorch's names for the statistics of norms, or those of one of
            the ``foreign_layouts`` of its class. For our networks these are the authors' Gluon
            networks and, for MobileNetV1 and the ResNets, the vanilla network in
            ``paddle.vision.models`` or torchvision, whose kernels are then cut into four.
        classifier: ``False`` leaves out the tensors of ``fc``; the network keeps its own.

    Raises:
        ValueError: as :func:`read_weights`, or the file belongs to another network; the message
            lists what is missing, left over or of another shape. Nothing was loaded then.

    Examples:
        >>> from paddle_oct import create_model
        >>> from paddle_oct.weights import load_weights
        >>> model = create_model("oct_mobilenet_v1", scale=0.75, alpha=0.375)
        >>> load_weights(model, "mobilenet_v1_075_alpha-0.375.params")  # doctest: +SKIP
    """
    origin = str(path)
    state = to_state(read_weights(path), network, origin, classifier=classifier)
    load_state(network, state, origin, classifier=classifier)


def to_state(
    tensors: Mapping[str, np.ndarray], network: nn.Layer, origin: str, *, classifier: bool = True
) -> dict[str, np.ndarray]:
    """Return tensors of any layout as a state dict of the network.

    Tensors that the network has no place for are kept, so that :func:`load_state` reports them.

    Args:
        tensors: as from :func:`read_weights`.
        network: the network that the state dict is for.
        origin: where they come from, for error messages.
        classifier: as in :func:`load_weights`.

    Raises:
        ValueError: a layout recognises the tensors, but they can't belong to this network.
    """
    if tensors and all(name.startswith("module.") for name in tensors):  # of DataParallel
        tensors = {name[len("module.") :]: array for name, array in tensors.items()}
    tensors = from_torch_names(tensors)
    for layout in layouts_of(network):
        if layout.recognises(tensors, network):
            return layout.to_state(tensors, network, origin, classifier=classifier)
    return dict(tensors)
