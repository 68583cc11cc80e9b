"""``paddle-oct structure`` and ``frequencies``."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from paddle_oct.base.files import check_output

from .networks import network_options
from .options import SIZE, NumberInRange
from .trained import TrainedChoice, trained_options


@click.command(short_help="Print the tree of a network's layers.")
@network_options
@click.option("--depth", type=NumberInRange(min=0), help="Levels of the tree. [default: all]")
@click.option("--logdir", type=click.Path(), help="Write the graph for VisualDL into this folder.")
def structure(
    model: str,
    image_size: int | None,
    settings: dict[str, Any],
    depth: int | None,
    logdir: str | None,
) -> None:
    """Print the tree of MODEL's layers, and write its graph for VisualDL.

    MODEL is a name that 'paddle-oct models' lists, one of paddle.vision.models, or the folder of a
    training run.
    """
    from paddle_oct import training, views

    network, size = training.find_network(model, settings, image_size=image_size, trained=False)
    shape = (3, size, size)
    click.echo(views.module_tree(network, (1, *shape), depth))
    if logdir is not None:
        graph = views.write_graph(network, shape, logdir)
        click.echo(
            f"\nthe graph is in {graph}; visualdl --logdir {logdir} shows it as Graphs - Dynamic"
        )


@click.command(short_help="Draw the bands of a layer and their spectra.")
@click.argument("image", type=click.Path())
@click.option("--run", type=click.Path(), help="The folder of a trained network.")
@click.option("--layer", required=True, help="A layer that returns an octave feature.")
@click.option(
    "--output",
    default="frequencies.png",
    show_default=True,
    type=click.Path(),
    help="The new picture.",
)
@click.option("--force", is_flag=True, help="Overwrite the picture if it exists.")
@click.option(
    "--image-size", type=SIZE, help="Scale the image to this size. [default: the network's own]"
)
@trained_options
def frequencies(
    image: str,
    choice: TrainedChoice,
    layer: str,
    output: str,
    force: bool,
    image_size: int | None,
) -> None:
    """Draw the bands of a layer for IMAGE, and their power spectra, as a PNG file.

    'paddle-oct structure MODEL' shows the layers: a layer's name is the path to it, joined by
    dots, such as features.5.1. Layers whose output is shown with a '+' return an octave feature.
    """
    from paddle_oct import training, views

    check_output(output, force)
    trained = choice.load()
    preprocessing = trained.preprocessing
    if image_size is not None:
        preprocessing = dataclasses.replace(preprocessing, size=image_size, short_side=image_size)
    x = training.read_input(image, preprocessing)
    views.draw_frequencies(trained.network, layer, x, output)
    click.echo(output)
