"""The options of commands about one network, given by name or by the folder of a run."""

from __future__ import annotations

import functools
from typing import Any, Callable

import click

from .names import NameType, all_models
from .options import SIZE, NumberInRange, network_settings, together


def network_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the argument and the options that ``paddle_oct.training.find_network`` takes.

    The command gets ``model``, ``image_size`` and ``settings``, the options of the network.
    """

    @functools.wraps(command)
    def with_classes(
        *args: Any, classes: int | None, settings: dict[str, Any], **others: Any
    ) -> None:
        if classes is not None:
            settings["num_classes"] = classes
        command(*args, settings=settings, **others)

    return together(
        click.argument("model", type=NameType(all_models, or_folder=True)),
        network_settings,
        click.option(
            "--image-size",
            type=SIZE,
            help="Height and width of the images. [default: the run's, or 224]",
        ),
        click.option(
            "--classes",
            type=NumberInRange(min=0),
            help="Outputs of the network. [default: the run's, or 1000]",
        ),
    )(with_classes)
