"""The network that a command is about: one with a name, or that of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import click
from paddle import nn

from paddle_oct.models import create_model, load_weights
from paddle_oct.training import RunFolder, Trained, load_network

from .options import gather_settings, model_settings

_SIZE, _CLASSES = 224, 1000


def network_options(command: Callable) -> Callable:
    """Add the argument and the options that :func:`find_network` takes."""
    for option in (
        click.option("--classes", type=click.IntRange(min=0), help="[default: the run's, or 1000]"),
        click.option(
            "--image-size", type=click.IntRange(min=1), help="[default: the run's, or 224]"
        ),
        click.argument("model"),
    ):
        command = option(command)
    return model_settings(command)


def find_network(
    model: str,
    image_size: int | None,
    classes: int | None,
    alpha: Any,
    options: tuple[tuple[str, Any], ...],
    *,
    weights: str | None = None,
    trained: bool = True,
) -> tuple[nn.Layer, int]:
    """Return the network of this name, or of the run in this folder, and the size of its images.

    Args:
        model, image_size, classes, alpha, options: what :func:`network_options` added.
        weights: a file of weights; by default the best of a run, and fresh ones for a name.
        trained: whether a run must have weights; otherwise its network has fresh ones.

    Raises:
        ValueError: there is no such network, the options do not fit, the run is damaged or has no
            weights yet, or the weights are another network's.
    """
    settings = gather_settings(alpha, options)
    if classes is not None:
        settings["num_classes"] = classes
    if not Path(model).is_dir():
        network = create_model(model, **{"num_classes": _CLASSES, **settings})
        if weights is not None:
            load_weights(network, weights)
        return network, image_size or _SIZE
    if settings:
        raise ValueError(f"{model} is the folder of a run, which decides on the options")
    run = RunFolder.open(model)
    network = Trained.of_run(run, weights).network if trained else load_network(run)
    return network, image_size or run.config["preprocessing"]["size"]
