"""``paddle-oct octavize``."""

from __future__ import annotations

from typing import Any, Literal

import click

from paddle_oct.base.files import check_output

from .names import NameType, vanilla_models
from .options import AlphaType, NumberInRange, SettingType, image_size_option, setting_option


@click.command(short_help="Turn a vanilla network into an octave one.")
@click.argument("model", type=NameType(vanilla_models))
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
@image_size_option
@click.option("--classes", type=NumberInRange(min=0), help="Number of classes of MODEL.")
@setting_option(
    "Another option of the network, such as -o scale=0.5 (see 'paddle-oct models --vanilla')."
)
def octavize(
    model: str,
    alpha: float | list[float],
    layer_alphas: tuple[tuple[str, Any], ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    downsample: Literal["avg_pool", "strided_conv"] | None,
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
    from paddle_oct import conversion
    from paddle_oct.models import create_model
    from paddle_oct.weights import load_weights, save_weights

    if output is not None:
        check_output(output, force)
    settings = dict(options)
    if classes is not None:
        settings["num_classes"] = classes
    network = create_model(model, **settings)
    if weights is not None:
        load_weights(network, weights)
    alphas: float | list[float] | dict[str, float] = alpha
    if layer_alphas:
        if not isinstance(alpha, float):
            raise ValueError("--layer-alpha goes with a single --alpha, not with one per stage")
        alphas = {**dict(layer_alphas), "*": alpha}
    octave = conversion.octavize(
        network,
        alphas,
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
