"""The options of the network that a command is about: one with a name, or that of a run."""

from __future__ import annotations

import functools
from typing import Any, Callable

import click

from .names import NameType, all_models
from .options import COUNT, network_settings, together


def network_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the argument and the options that ``paddle_oct.training.find_network`` takes.

    The command is given ``model``, ``image_size`` and ``settings``, the options of the network.
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
        click.option("--image-size", type=COUNT, help="[default: the run's, or 224]"),
        click.option("--classes", type=click.IntRange(min=0), help="[default: the run's, or 1000]"),
    )(with_classes)
