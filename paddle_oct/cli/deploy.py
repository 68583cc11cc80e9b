"""``paddle-oct export`` and ``bench``."""

from __future__ import annotations

import csv
import io
import itertools
import json
from pathlib import Path
from typing import Any

import click

from paddle_oct import bench, deploy
from paddle_oct.base.files import check_output, write_atomically

from .networks import find_network, network_options

_DYNAMIC = {"all": True, "batch": "batch", "none": False}


class NumbersType(click.ParamType):
    """Numbers with commas between them: ``1,8``."""

    name = "number[,number...]"

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return [self.kind(part) for part in value.split(",")]
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers such as 1,8", param, ctx)


@click.command()
@network_options
@click.option("--output", required=True, type=click.Path(), help="The new file: .onnx or .pdmodel.")
@click.option("--format", "form", help="onnx or paddle. [default: by the output's suffix]")
@click.option("--weights", type=click.Path(), help="A .pdparams file. [default: none, at random]")
@click.option("--batch-size", type=click.IntRange(min=1), default=1, show_default=True)
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
    form: str | None,
    weights: str | None,
    batch_size: int,
    dynamic: str,
    force: bool,
    **settings: Any,
) -> None:
    """Fold MODEL and write it for Paddle Inference, ONNX Runtime or OpenVINO.

    MODEL is a name that 'paddle-oct models' lists, or the folder of a training run.
    """
    if form is None:
        forms = {".onnx": "onnx", ".pdmodel": "paddle"}
        if Path(output).suffix not in forms:
            raise ValueError(f"{output}: must end in .onnx or .pdmodel, or give --format")
        form = forms[Path(output).suffix]
    network, image_size = find_network(model, **settings, weights=weights)
    network.eval()
    size = (batch_size, 3, image_size, image_size)
    path = deploy.export(network, output, form, size, dynamic=_DYNAMIC[dynamic], force=force)
    takes = {
        "all": "any batch, height and width",
        "batch": f"any batch of 3x{image_size}x{image_size}",
        "none": "x".join(map(str, size)),
    }
    click.echo(f"{path}: {path.stat().st_size / 2**20:.1f} MiB, takes {takes[dynamic]}, checked")
    if weights is None and not Path(model).is_dir():
        click.echo("its weights are random; --weights gives it others", err=True)


@click.command()
@click.argument("model")
@click.option("--against", required=True, help="The network to race it against.")
@click.option(
    "--engines",
    default="onnxruntime,openvino,paddle",
    show_default=True,
    help=f"Of {', '.join(bench.RACE_ENGINES)}, with commas. 'train' is a training step.",
)
@click.option("--batch-sizes", type=NumbersType(int), default="1,8", show_default=True)
@click.option("--alphas", type=NumbersType(float), default="0.5", show_default=True)
@click.option("--threads", type=NumbersType(int), default="2", show_default=True)
@click.option("--image-size", type=click.IntRange(min=1), default=224, show_default=True)
@click.option("--repeats", type=click.IntRange(min=2), default=20, show_default=True)
@click.option("--csv", "csv_file", type=click.Path(), help="Write the table to this file.")
@click.option("--json", "json_file", type=click.Path(), help="Write the table to this file.")
@click.option("--plot", type=click.Path(), help="Draw the ratios in this .png file.")
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
def bench(
    model: str,
    against: str,
    engines: str,
    batch_sizes: list[int],
    alphas: list[float],
    threads: list[int],
    image_size: int,
    repeats: int,
    csv_file: str | None,
    json_file: str | None,
    plot: str | None,
    force: bool,
) -> None:
    """Race MODEL against another network on several engines.

    Both run in one process and in turns; medians, with half the distance of the quartiles. Both are
    folded and exported alike.
    """
    for path in (csv_file, json_file, plot):
        if path is not None:
            check_output(path, force)
    names = [name.strip() for name in engines.split(",")]
    for name in names:
        bench.check_engine(name)
    results = []
    for engine, count, batch, alpha in itertools.product(names, threads, batch_sizes, alphas):
        size = (batch, 3, image_size, image_size)
        result = bench.race(model, against, engine, alpha, size, count, repeats)
        click.echo(
            f"{result.engine}, batch {batch}, alpha {alpha:g}, {count} threads: {result.ratio:.3f}",
            err=True,
        )
        results.append(result)
    click.echo(bench.race_table(results))
    records = [result.as_dict() for result in results]
    if csv_file:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        write_atomically(Path(csv_file), text.getvalue())
    if json_file:
        write_atomically(Path(json_file), json.dumps(records, indent=2) + "\n")
    if plot:
        bench.draw_race(results, plot)
