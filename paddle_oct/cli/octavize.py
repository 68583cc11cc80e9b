"""``paddle-oct octavize``."""

from __future__ import annotations

from typing import Any

import click

from paddle_oct.base.files import check_output
from paddle_oct.conversion import octavize
from paddle_oct.models import create_model, load_weights
from paddle_oct.weights import save_weights

from .options import AlphaType, SettingType


@click.command(name="octavize")
@click.argument("model")
@click.option(
    "--alpha",
    type=AlphaType(),
    default=0.5,
    show_default=True,
    help="Share of low-frequency channels in [0, 1]: one, or one per stage (.5,.5,.25).",
)
@click.option(
    "--layer-alpha",
    "layer_alphas",
    type=SettingType(),
    multiple=True,
    metavar="PATTERN=ALPHA",
    help="Alpha of some layers, such as --layer-alpha layer1=.25; others take --alpha.",
)
@click.option("--include", multiple=True, metavar="PATTERN", help="Convert these layers only.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave these layers as they are.")
@click.option(
    "--downsample",
    type=click.Choice(["avg_pool", "strided_conv"]),
    help="How maps are halved; avg_pool by name in the last stage too, as in the paper's networks.",
)
@click.option("--weights", type=click.Path(), help="A .pdparams file of the vanilla MODEL.")
@click.option("--output", type=click.Path(), help="Save the converted weights in this file.")
@click.option("--force", is_flag=True, help="Replace the output file if it exists.")
@click.option("--image-size", type=click.IntRange(min=1), default=224, show_default=True)
@click.option("--classes", type=click.IntRange(min=0), help="Number of classes of MODEL.")
@click.option(
    "-o",
    "--option",
    "options",
    type=SettingType(),
    multiple=True,
    help="Another option of the network, such as -o scale=0.5 (see 'paddle-oct models --vanilla').",
)
def octavize_command(
    model: str,
    alpha: Any,
    layer_alphas: tuple[tuple[str, Any], ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    downsample: str | None,
    weights: str | None,
    output: str | None,
    force: bool,
    image_size: int,
    classes: int | None,
    options: tuple[tuple[str, Any], ...],
) -> None:
    """Turn MODEL, a network of paddle.vision.models, into an octave network.

    Prints which convolutions were replaced, which were left and why, and the multiply-accumulates
    before and after. With --output, the converted weights are saved; octavize(...) with the same
    arguments gives the network that loads them.
    """
    if output is not None:
        check_output(output, force)
    settings = dict(options)
    if classes is not None:
        settings["num_classes"] = classes
    network = create_model(model, **settings)
    if weights is not None:
        load_weights(network, weights)
    if layer_alphas:
        if not isinstance(alpha, float):
            raise ValueError("--layer-alpha goes with a single --alpha, not with one per stage")
        alpha = {**dict(layer_alphas), "*": alpha}
    octave = octavize(
        network,
        alpha,
        input_size=(1, 3, image_size, image_size),
        inplace=True,
        include=include or None,
        exclude=exclude or None,
        downsample=downsample,
    )
    click.echo(octave.octave_report)
    if output is not None:
        save_weights(octave, output)
        click.echo(f"weights: {output}")
    elif weights is not None:
        click.echo("nothing was saved; --output FILE saves the converted weights")
