"""``paddle-oct compare``, ``sweep`` and ``accuracy``."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

import click

from paddle_oct import bench
from paddle_oct.base.files import check_output, write_atomically
from paddle_oct.base.tables import FORMS, render
from paddle_oct.bench import read_run
from paddle_oct.bench.plots import PICTURES
from paddle_oct.training import RunFolder

from .options import SettingType


class AlphasType(click.ParamType):
    """Several alphas: ``0,.25,.5``."""

    name = "number,number,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return [float(part) for part in value.replace(",", " ").split()]
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers such as 0,0.25,0.5", param, ctx)


def _input_options(command: Callable) -> Callable:
    for option in (
        click.option("--image-size", type=click.IntRange(min=1), default=224, show_default=True),
        click.option("--batch-size", type=click.IntRange(min=1), default=1, show_default=True),
        click.option("--classes", type=click.IntRange(min=0), default=1000, show_default=True),
        click.option(
            "-o",
            "--option",
            "options",
            type=SettingType(),
            multiple=True,
            help="Another option of every network, such as -o scale=0.5.",
        ),
        click.option(
            "--latency",
            "repeats",
            type=click.IntRange(min=0),
            default=0,
            metavar="REPEATS",
            help="Measure the forward pass this often, in turns. [default: not at all]",
        ),
    ):
        command = option(command)
    return command


def _output_options(command: Callable) -> Callable:
    for option in (
        click.option(
            "--format",
            "form",
            type=click.Choice(list(FORMS)),
            default="table",
            show_default=True,
            help="What to print or write.",
        ),
        click.option("--output", type=click.Path(), help="Write to this file, not to the screen."),
        click.option("--plot", type=click.Path(), help="Draw a picture (.png, .svg or .pdf)."),
        click.option("--force", is_flag=True, help="Overwrite files that exist."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("models", nargs=-1, required=True)
@click.option("--layers", is_flag=True, help="A row per layer of every network instead.")
@_input_options
@_output_options
def compare(
    models: tuple[str, ...],
    layers: bool,
    image_size: int,
    batch_size: int,
    classes: int,
    options: tuple[tuple[str, Any], ...],
    repeats: int,
    form: str,
    output: str | None,
    plot: str | None,
    force: bool,
) -> None:
    """Set the costs of MODELS side by side; the picture has a bar per layer.

    A model is a name that 'paddle-oct models' lists, or one of paddle.vision.models, and may carry
    its alpha: resnet50 oct_resnet50@.25 oct_resnet50@.5,.25,.125
    """
    _check_files(output, plot, force)
    result = bench.compare(
        *models,
        input_size=(batch_size, 3, image_size, image_size),
        repeats=repeats,
        **{"num_classes": classes, **dict(options)},
    )
    _put(_layer_tables(result, form) if layers else result.table(form), output)
    if plot is not None:
        bench.draw_layers(result, plot)
        click.echo(f"picture: {plot}", err=True)


@click.command()
@click.argument("model")
@click.option(
    "--alphas",
    type=AlphasType(),
    default=",".join(f"{alpha:g}" for alpha in bench.ALPHAS),
    show_default=True,
    help="Shares of low-frequency channels in [0, 1]; 0 always comes first.",
)
@_input_options
@_output_options
def sweep(
    model: str,
    alphas: list[float],
    image_size: int,
    batch_size: int,
    classes: int,
    options: tuple[tuple[str, Any], ...],
    repeats: int,
    form: str,
    output: str | None,
    plot: str | None,
    force: bool,
) -> None:
    """Set the costs of MODEL at several alphas side by side; the picture has them over alpha."""
    _check_files(output, plot, force)
    result = bench.sweep(
        model,
        alphas,
        input_size=(batch_size, 3, image_size, image_size),
        repeats=repeats,
        **{"num_classes": classes, **dict(options)},
    )
    _put(result.table(form), output)
    if plot is not None:
        bench.draw_sweep(result, plot)
        click.echo(f"picture: {plot}", err=True)


@click.command()
@click.argument("runs", nargs=-1, type=click.Path())
@_output_options
def accuracy(
    runs: tuple[str, ...], form: str, output: str | None, plot: str | None, force: bool
) -> None:
    """List published ImageNet accuracies with their costs, and those of RUNS of your own.

    RUNS in which no epoch was completed are left out.
    """
    _check_files(output, plot, force)
    own = []
    for run in runs:
        if RunFolder.open(run).history_path.is_file():
            own.append(read_run(run))
        else:
            click.echo(f"{run}: no epoch was completed; left out", err=True)
    rows = [dataclasses.asdict(result) for result in bench.PUBLISHED]
    rows += [
        {
            "network": run.network,
            "alpha": run.alpha,
            "gmacs": round(run.gmacs, 6),
            "top1": round(run.top1, 2),
            "source": f"{run.label}, {run.data}",
        }
        for run in own
    ]
    if form in ("csv", "json"):
        text = render(rows, form)
    else:
        cells = [
            (
                f"{row['gmacs']:.5g}",
                f"{row['top1']:.1f}",
                "" if row["alpha"] is None else f"{row['alpha']}",
                row["network"],
                row["source"],
            )
            for row in rows
        ]
        text = render(cells, form, ("GMACs", "top-1 %", "alpha", "network", "source"))
    _put(text, output)
    if plot is not None:
        bench.draw_accuracy(plot, own)
        click.echo(f"picture: {plot}", err=True)


def _layer_tables(result: bench.Comparison, form: str) -> str:
    if form in ("csv", "json"):
        rows = [
            {"network": profile.name, **dataclasses.asdict(layer)}
            for profile in result.profiles
            for layer in profile.layers
        ]
        return render(rows, form)
    return "\n\n".join(f"{profile!r}\n\n{profile.table(form)}" for profile in result.profiles)


def _check_files(output: str | None, plot: str | None, force: bool) -> None:
    """Refuse files that can't be written before anything is computed."""
    if output is not None:
        check_output(output, force)
    if plot is not None:
        check_output(plot, force, PICTURES)


def _put(text: str, output: str | None) -> None:
    if output is None:
        click.echo(text)
    else:
        write_atomically(check_output(output, force=True), text + "\n")
        click.echo(f"written: {output}", err=True)
