"""The network that a command is about: one with a name, or that of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import click
from paddle import nn

from paddle_oct.models import create_model
from paddle_oct.training import RunFolder, load_network

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
) -> tuple[nn.Layer, int]:
    """Return the network of this name, or of the run in this folder, and the size of its images.

    That of a run has its best weights, or fresh ones if no epoch was completed.

    Raises:
        ValueError: there is no such network, the options do not fit, or the run is damaged.
    """
    settings = gather_settings(alpha, options)
    if classes is not None:
        settings["num_classes"] = classes
    if not Path(model).is_dir():
        return create_model(model, **{"num_classes": _CLASSES, **settings}), image_size or _SIZE
    if settings:
        raise ValueError(f"{model} is the folder of a run, which decides on the options")
    run = RunFolder.open(model)
    size = run.config["preprocessing"]["size"]
    return load_network(run, run.best and run.best.weights), image_size or size
