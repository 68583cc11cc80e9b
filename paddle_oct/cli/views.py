"""``paddle-oct structure`` and ``frequencies``."""

from __future__ import annotations

import dataclasses
from typing import Any

import click
import numpy as np
import paddle

from paddle_oct import training
from paddle_oct.base.files import check_output
from paddle_oct.views import draw_frequencies, module_tree, write_graph

from .networks import find_network, network_options
from .options import gather_settings
from .training import find_trained, trained_options


@click.command()
@network_options
@click.option("--depth", type=click.IntRange(min=0), help="Levels of the tree. [default: all]")
@click.option("--logdir", type=click.Path(), help="Write the graph for VisualDL into this folder.")
def structure(model: str, depth: int | None, logdir: str | None, **settings: Any) -> None:
    """Print the tree of MODEL's layers, and write its graph for VisualDL.

    MODEL is a name that 'paddle-oct models' lists, one of paddle.vision.models, or the folder of a
    training run.
    """
    network, image_size = find_network(model, **settings, trained=False)
    size = (3, image_size, image_size)
    click.echo(module_tree(network, (1, *size), depth))
    if logdir is not None:
        graph = write_graph(network, size, logdir)
        click.echo(
            f"\nthe graph is in {graph}; visualdl --logdir {logdir} shows it as Graphs - Dynamic"
        )


@click.command(short_help="Draw what the bands of a layer hold.")
@click.argument("image", type=click.Path())
@click.option("--run", type=click.Path(), help="The folder of a trained network.")
@click.option("--layer", required=True, help="A layer that returns an octave feature.")
@click.option("--output", default="frequencies.png", show_default=True, type=click.Path())
@click.option("--force", is_flag=True, help="Write over a picture of this name.")
@click.option(
    "--image-size",
    type=click.IntRange(min=1),
    help="Scale the image to this size. [default: the network's own]",
)
@trained_options
def frequencies(
    image: str,
    run: str | None,
    layer: str,
    output: str,
    force: bool,
    image_size: int | None,
    model: str | None,
    weights: str | None,
    class_names: str | None,
    alpha: Any,
    options: tuple[tuple[str, Any], ...],
) -> None:
    """Draw what the bands of a layer hold for IMAGE, and their power spectra, as a PNG file.

    'paddle-oct structure MODEL' shows the layers: a layer's name is the path to it, joined by
    dots, such as features.5.1; those whose output is joined by '+' return an octave feature.
    """
    check_output(output, force)
    trained = find_trained(run, model, weights, class_names, gather_settings(alpha, options))
    preprocessing = trained.preprocessing
    if image_size is not None:
        preprocessing = dataclasses.replace(preprocessing, size=image_size, short_side=image_size)
    transform = preprocessing.for_inference()
    x = paddle.to_tensor(np.asarray(transform(training.read_image(image)), dtype="float32")[None])
    draw_frequencies(trained.network, layer, x, output)
    click.echo(output)
