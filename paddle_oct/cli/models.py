"""``paddle-oct summary`` and ``models``."""

from __future__ import annotations

from typing import Any

import click

from .names import NameType, all_models
from .networks import network_options

_WIDTH = 72  # of the options' column


@click.command(short_help="Print layers, parameters and multiply-accumulates.")
@network_options
def summary(model: str, image_size: int | None, settings: dict[str, Any]) -> None:
    """Print the layers of MODEL, its parameters, multiply-accumulates and memory.

    MODEL is a name that 'paddle-oct models' lists, one of paddle.vision.models, or the folder of a
    training run.
    """
    from paddle_oct.cost import profile
    from paddle_oct.training import find_network

    network, size = find_network(model, settings, image_size=image_size, trained=False)
    result = profile(network, (1, 3, size, size), name=model)
    click.echo(result.table())
    click.echo(f"\n{result!r}")


@click.command(short_help="List the networks and their options.")
@click.argument("pattern", default="*", type=NameType(all_models))
@click.option("--vanilla", is_flag=True, help="List the networks of paddle.vision.models instead.")
def models(pattern: str, vanilla: bool) -> None:
    """List the networks whose names match PATTERN, with their options and defaults."""
    from tabulate import tabulate

    from paddle_oct.models import list_models, model_options

    names = list_models(pattern, vanilla=vanilla)
    if not names:
        other = "without --vanilla" if vanilla else "with --vanilla those of paddle.vision.models"
        raise ValueError(f"no model matches {pattern!r}; 'paddle-oct models' lists all, {other}")
    rows = [
        (name, ", ".join(f"{key}={value!r}" for key, value in model_options(name).items()))
        for name in names
    ]
    click.echo(tabulate(rows, headers=("model", "options"), maxcolwidths=[None, _WIDTH]))
