"""From a file of other people's weights to one of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

import numpy as np
from paddle import nn

from paddle_oct.base.files import check_output
from paddle_oct.weights import layouts_of, load_state, read_weights, save_weights, to_state

from .registry import create_model, network_class


def import_weights(
    source: str | Path, model: str, output: str | Path, *, force: bool = False, **options: Any
) -> nn.Layer:
    """Convert a file of weights to a ``.pdparams`` file of one of our networks.

    Args:
        source: a file that :func:`~paddle_oct.weights.load_weights` takes.
        model: the network's name, as for :func:`~paddle_oct.create_model`.
        output: the file to write.
        force: whether to overwrite it if it exists.
        **options: options of the network, such as ``alpha``. By default ``num_classes`` is what the
            classifier in the file has.

    Returns:
        The network with its weights.

    Raises:
        ValueError: as ``load_weights`` and ``create_model``, or the output exists already.
    """
    output = check_output(output, force)
    tensors = read_weights(source)
    classes = _count_classes(tensors, network_class(model))
    if classes is not None:
        options = {"num_classes": classes, **options}
    network = create_model(model, **options)
    load_state(network, to_state(tensors, network, str(source)), str(source))
    save_weights(network, output)
    return network


def _count_classes(tensors: Mapping[str, np.ndarray], network: type[nn.Layer] | None) -> int | None:
    """Return how many outputs the classifier in a file has; None if none is found."""
    layouts = layouts_of(network)
    names = ["fc.bias", "module.fc.bias", *(layout.names.there("fc.bias") for layout in layouts)]
    return next((len(tensors[n]) for n in names if n in tensors and tensors[n].ndim == 1), None)
