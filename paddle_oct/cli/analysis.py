"""``paddle-oct compare``, ``sweep`` and ``accuracy``."""

from __future__ import annotations

import functools
from typing import Any, Callable

import click

from .names import NameType, all_models, octave_models
from .options import (
    NumberInRange,
    NumbersType,
    batch_size_option,
    image_size_option,
    setting_option,
    together,
)
from .output import Output, output_options


def _cost_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what is counted or measured.

    They are passed to the command as ``arguments``, keyword arguments of ``compare`` and ``sweep``.
    """

    @functools.wraps(command)
    def with_arguments(
        *args: Any,
        image_size: int,
        batch_size: int,
        classes: int,
        options: tuple[tuple[str, Any], ...],
        repeats: int,
        **others: Any,
    ) -> None:
        arguments = {
            "input_size": (batch_size, 3, image_size, image_size),
            "repeats": repeats,
            "num_classes": classes,
            **dict(options),
        }
        command(*args, arguments=arguments, **others)

    return together(
        image_size_option,
        batch_size_option,
        click.option(
            "--classes",
            type=NumberInRange(min=0),
            default=1000,
            show_default=True,
            help="Outputs of the networks; 0: no classifier.",
        ),
        setting_option("Another option of every network, such as -o scale=0.5."),
        click.option(
            "--latency",
            "repeats",
            type=NumberInRange(min=0),
            default=0,
            metavar="REPEATS",
            help="Measure the forward pass of each this often, in turns. [default: not at all]",
        ),
    )(with_arguments)


@click.command(short_help="Set the costs of networks side by side.")
@click.argument("models", nargs=-1, required=True, type=NameType(all_models))
@click.option("--layers", is_flag=True, help="Print a row per layer of every network instead.")
@_cost_options
@output_options
def compare(
    models: tuple[str, ...], layers: bool, arguments: dict[str, Any], output: Output
) -> None:
    """Set the costs of MODELS side by side; the picture has a bar per layer.

    A model is a name that 'paddle-oct models' lists, or one of paddle.vision.models, and may carry
    its alpha: resnet50 oct_resnet50@.25 oct_resnet50@.5,.25,.125
    """
    from paddle_oct import bench

    result = bench.compare(*models, **arguments)
    format = output.format
    output.write(bench.layer_table(result, format) if layers else result.table(format))
    output.draw(lambda path: bench.draw_layers(result, path))


@click.command(short_help="Set the costs of one network at several alphas side by side.")
@click.argument("model", type=NameType(octave_models))
@click.option(
    "--alphas",
    type=NumbersType(float),
    help="Shares of low-frequency channels in [0, 1]; 0 always comes first. "
    "[default: 0,0.125,0.25,0.5,0.75,1]",
)
@_cost_options
@output_options
def sweep(
    model: str, alphas: list[float] | None, arguments: dict[str, Any], output: Output
) -> None:
    """Set the costs of MODEL at several alphas side by side; the picture draws them over alpha."""
    from paddle_oct import bench

    result = bench.sweep(model, bench.ALPHAS if alphas is None else alphas, **arguments)
    output.write(result.table(output.format))
    output.draw(lambda path: bench.draw_sweep(result, path))


@click.command(short_help="List published ImageNet accuracies, and your own.")
@click.argument("runs", nargs=-1, type=click.Path())
@output_options
def accuracy(runs: tuple[str, ...], output: Output) -> None:
    """List published ImageNet accuracies with their costs, and those of RUNS of your own.

    A folder without the results of a run is left out, and a warning says why.
    """
    from paddle_oct import bench

    own = bench.read_runs(runs)
    output.write(bench.accuracy_table(own, output.format))
    output.draw(lambda path: bench.draw_accuracy(path, own))
