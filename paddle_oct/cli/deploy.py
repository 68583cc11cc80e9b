"""``paddle-oct export`` and ``bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from paddle_oct.base.figures import PICTURES
from paddle_oct.base.files import check_output
from paddle_oct.base.tables import render

from .names import EXPORT_FORMATS, RACE_ENGINES, NameType, all_models
from .networks import network_options
from .options import NumberInRange, NumbersType, batch_size_option, image_size_option
from .output import write_text

_DYNAMIC = {"all": True, "batch": "batch", "none": False}
_FORMATS_BY_SUFFIX = {".onnx": "onnx", ".pdmodel": "paddle"}


@click.command(short_help="Write a network for Paddle Inference, ONNX Runtime or OpenVINO.")
@network_options
@click.option("--output", required=True, type=click.Path(), help="The new file: .onnx or .pdmodel.")
@click.option(
    "--format",
    type=NameType(EXPORT_FORMATS),
    help="onnx or paddle. [default: by the output's suffix]",
)
@click.option("--weights", type=click.Path(), help="A .pdparams file. [default: random weights]")
@batch_size_option
@click.option(
    "--dynamic",
    type=click.Choice(list(_DYNAMIC)),
    default="all",
    show_default=True,
    help="What may be of any length: batch, height and width, the batch alone, or nothing.",
)
@click.option("--force", is_flag=True, help="Overwrite the output if it exists.")
def export(
    model: str,
    output: str,
    format: str | None,
    weights: str | None,
    batch_size: int,
    dynamic: str,
    force: bool,
    image_size: int | None,
    settings: dict[str, Any],
) -> None:
    """Fold MODEL and write it for Paddle Inference, ONNX Runtime or OpenVINO.

    MODEL is a name that 'paddle-oct models' lists, or the folder of a training run.
    """
    from paddle_oct import deploy, training

    if format is None:
        format = _FORMATS_BY_SUFFIX.get(Path(output).suffix)
        if format is None:
            raise ValueError(f"{output}: must end in .onnx or .pdmodel, or give --format")
    network, size = training.find_network(model, settings, image_size=image_size, weights=weights)
    network.eval()
    input_size = (batch_size, 3, size, size)
    path = deploy.export(network, output, format, input_size, _DYNAMIC[dynamic], force)
    takes = {
        "all": "any batch, height and width",
        "batch": f"any batch of 3x{size}x{size}",
        "none": "x".join(map(str, input_size)),
    }
    click.echo(f"{path}: {path.stat().st_size / 2**20:.1f} MiB, takes {takes[dynamic]}, checked")
    if weights is None and not Path(model).is_dir():
        click.echo("its weights are random; --weights FILE loads others", err=True)


@click.command(short_help="Race a network against another on several engines.")
@click.argument("model", type=NameType(all_models))
@click.option(
    "--against",
    required=True,
    type=NameType(all_models),
    help="The network to race it against.",
)
@click.option(
    "--engines",
    type=NameType(RACE_ENGINES, several=True),
    default="onnxruntime,openvino,paddle",
    show_default=True,
    help=f"Some of {', '.join(RACE_ENGINES)}, separated by commas. 'train' is a training step.",
)
@click.option(
    "--batch-sizes",
    type=NumbersType(int),
    default="1,8",
    show_default=True,
    help="Images in a batch.",
)
@click.option(
    "--alphas",
    type=NumbersType(float),
    default="0.5",
    show_default=True,
    help="Shares of low-frequency channels of MODEL in [0, 1].",
)
@click.option(
    "--threads",
    type=NumbersType(int),
    default="2",
    show_default=True,
    help="Threads that each network may use.",
)
@image_size_option
@click.option(
    "--repeats",
    type=NumberInRange(min=2),
    default=20,
    show_default=True,
    help="How often each network runs.",
)
@click.option("--csv", "csv_file", type=click.Path(), help="Write the table to this CSV file.")
@click.option("--json", "json_file", type=click.Path(), help="Write the table to this JSON file.")
@click.option("--plot", type=click.Path(), help="Draw the ratios (.png, .svg or .pdf).")
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
def bench(
    model: str,
    against: str,
    engines: str,
    csv_file: str | None,
    json_file: str | None,
    plot: str | None,
    force: bool,
    **conditions: Any,
) -> None:
    """Race MODEL against another network on several engines.

    Both run in one process and in turns. Times are medians, with half the distance between the
    quartiles. For an engine other than eager and train, both are folded and exported alike.
    """
    from paddle_oct.bench import draw_race, race_table, races

    for path in (csv_file, json_file):
        if path is not None:
            check_output(path, force)
    if plot is not None:
        check_output(plot, force, PICTURES)
    names = [name.strip() for name in engines.split(",")]
    results = []
    for result in races(model, against, names, **conditions):
        click.echo(
            f"{result.engine}, batch {result.input_size[0]}, alpha {result.alpha:g}, "
            f"{result.threads} threads: {result.ratio:.3f}",
            err=True,
        )
        results.append(result)
    click.echo(race_table(results))
    records = [result.as_dict() for result in results]
    if csv_file is not None:
        write_text(csv_file, render(records, "csv"))
    if json_file is not None:
        write_text(json_file, render(records, "json"))
    if plot is not None:
        draw_race(results, plot)
