"""Finding a network by its name, or the network of a run by its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

from paddle import nn

from paddle_oct.models import create_model
from paddle_oct.weights import load_weights

from .by_name import load_network
from .run_folder import RunFolder
from .trained import Trained

_IMAGE_SIZE, _CLASSES = 224, 1000


def find_network(
    model: str,
    options: Mapping[str, Any],
    *,
    image_size: int | None = None,
    weights: str | None = None,
    trained: bool = True,
) -> tuple[nn.Layer, int]:
    """Return the network of this name, or of the run in this folder, and the size of its images.

    Args:
        model: a name that :func:`~paddle_oct.create_model` knows, or the folder of a run.
        options: options of the network, for a name only. ``num_classes`` is 1000 by default.
        image_size: height and width; by default those of the run, or 224.
        weights: a file of weights; by default the best of a run, and fresh ones for a name.
        trained: whether to load a run's weights, which must exist then; otherwise they are fresh.

    Raises:
        ValueError: there is no such network, the options do not fit, the run is damaged or has no
            weights yet, or the weights are another network's.
    """
    if not Path(model).is_dir():
        network = create_model(model, **{"num_classes": _CLASSES, **options})
        if weights is not None:
            load_weights(network, weights)
        return network, image_size or _IMAGE_SIZE
    if options:
        raise ValueError(f"{model} is the folder of a run, which decides on the options")
    run = RunFolder.open(model)
    network = Trained.of_run(run, weights).network if trained else load_network(run)
    return network, image_size or run.preprocessing.size
