"""``paddle-oct summary`` and ``models``."""

from __future__ import annotations

from typing import Any

import click
from tabulate import tabulate

from paddle_oct.analysis import profile
from paddle_oct.models import create_model, list_models, model_options

from .options import gather_settings, model_settings


@click.command(short_help="Print layers, parameters and multiply-accumulates.")
@click.argument("model")
@click.option("--image-size", type=click.IntRange(min=1), default=224, show_default=True)
@click.option("--classes", type=click.IntRange(min=0), default=1000, show_default=True)
@model_settings
def summary(
    model: str, image_size: int, classes: int, alpha: Any, options: tuple[tuple[str, Any], ...]
) -> None:
    """Print the layers of MODEL, its parameters, multiply-accumulates and memory."""
    network = create_model(model, **{"num_classes": classes, **gather_settings(alpha, options)})
    size = (1, 3, image_size, image_size)
    result = profile(network, size, name=model)
    click.echo(result.table())
    click.echo(f"\n{result!r}")


@click.command(short_help="List the networks and their options.")
@click.argument("pattern", default="*")
@click.option("--vanilla", is_flag=True, help="List the networks of paddle.vision.models instead.")
def models(pattern: str, vanilla: bool) -> None:
    """List the networks whose names match PATTERN, with their options and defaults."""
    names = list_models(pattern, vanilla=vanilla)
    if not names:
        raise ValueError(f"no model matches {pattern!r}; 'paddle-oct models' lists all")
    rows = [
        (name, ", ".join(f"{key}={value!r}" for key, value in model_options(name).items()))
        for name in names
    ]
    click.echo(tabulate(rows, headers=("model", "options")))
