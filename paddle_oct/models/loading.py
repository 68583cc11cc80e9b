"""Weights from a file of any of the formats and layouts into a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from paddle import nn

from paddle_oct.base.files import check_output
from paddle_oct.weights import load_state, read_weights, save_weights
from paddle_oct.weights.strict import with_own_classifier

from .authors import from_authors, has_authors_names
from .registry import create_model
from .vanilla import from_vanilla, has_vanilla_names

_TORCH_STATISTICS = {"running_mean": "_mean", "running_var": "_variance"}
_TORCH_COUNTER = "num_batches_tracked"


def load_weights(network: nn.Layer, path: str | Path, *, classifier: bool = True) -> None:
    """Load weights into a network, every tensor exactly once.

    Args:
        network: one of ours, or any network for a file of its own state dict.
        path: a file that :func:`read_weights` reads. Its names may be those of the network's own
            state dict, of the authors' Gluon networks, of PyTorch networks in the layout of
            d-li14/octconv.pytorch, or, for our MobileNetV1 and ResNets, of the vanilla network in
            ``paddle.vision.models`` or torchvision, whose kernels are then cut into four.
        classifier: ``False`` leaves out the tensors of ``fc``; the network keeps its own.

    Raises:
        ValueError: as :func:`read_weights`, or the file belongs to another network; the message
            lists what is missing, left over or of another shape. Nothing was loaded then.

    Examples:
        >>> from paddle_oct import create_model
        >>> from paddle_oct.models import load_weights
        >>> model = create_model("oct_mobilenet_v1", scale=0.75, alpha=0.375)
        >>> load_weights(model, "mobilenet_v1_075_alpha-0.375.params")  # doctest: +SKIP
    """
    source = str(path)
    state = convert_names(read_weights(path), network, source, classifier=classifier)
    load_state(network, state, source, classifier=classifier)


def convert_names(
    tensors: dict[str, np.ndarray], network: nn.Layer, source: str, *, classifier: bool = True
) -> dict[str, np.ndarray]:
    """Return tensors of any known layout as a state dict of the network; see :func:`load_weights`.

    What has no place in the network is in the result all the same, for the check to find.
    """
    if tensors and all(name.startswith("module.") for name in tensors):  # of DataParallel
        tensors = {name[len("module.") :]: array for name, array in tensors.items()}
    names = list(tensors)
    if has_authors_names(names):
        return from_authors(tensors, network, source)
    if any(name.endswith(tuple(_TORCH_STATISTICS)) for name in names):
        tensors = _from_torch(tensors)
    if has_vanilla_names(names, network):
        if not classifier:
            tensors = with_own_classifier(tensors, network)
        return from_vanilla(tensors, network, source)
    return tensors


def _from_torch(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name statistics as Paddle does and transpose the weights of linear layers."""
    state = {}
    for name, array in tensors.items():
        layer, dot, parameter = name.rpartition(".")
        if parameter == _TORCH_COUNTER and f"{layer}{dot}running_mean" in tensors:
            continue
        if parameter == "weight" and array.ndim == 2:
            array = array.T
        ours = f"{layer}{dot}{_TORCH_STATISTICS.get(parameter, parameter)}"
        # What is already called as Paddle does keeps the name it has there, to be left over.
        state[name if ours in tensors else ours] = array
    return state


def import_weights(
    source: str | Path, model: str, output: str | Path, *, force: bool = False, **options: Any
) -> nn.Layer:
    """Convert a file of weights to a ``.pdparams`` file of one of our networks.

    Args:
        source: a file that :func:`load_weights` takes.
        model: the network's name, as for :func:`~paddle_oct.create_model`.
        output: the file to write.
        force: whether to overwrite it if it exists.
        **options: options of the network, such as ``alpha``. ``num_classes`` is by default that
            of the file.

    Returns:
        The network with its weights.

    Raises:
        ValueError: as :func:`load_weights` and ``create_model``, or the output exists already.
    """
    output = check_output(output, force)
    tensors = read_weights(source)
    classes = _count_classes(tensors)
    if classes is not None:
        options = {"num_classes": classes, **options}
    network = create_model(model, **options)
    load_state(network, convert_names(tensors, network, str(source)), str(source))
    save_weights(network, output)
    return network


def _count_classes(tensors: dict[str, np.ndarray]) -> int | None:
    for name in ("fc.bias", "module.fc.bias", "classifer.bias"):
        if name in tensors and tensors[name].ndim == 1:
            return len(tensors[name])
    return None
