"""``paddle-oct convs``."""

from __future__ import annotations

import click
from tabulate import tabulate

from paddle_oct.cost import compare_convolutions

_COUNT = click.IntRange(min=1)


@click.command()
@click.option("--in", "in_channels", type=_COUNT, default=64, show_default=True)
@click.option("--out", "out_channels", type=_COUNT, default=64, show_default=True)
@click.option("--kernel", "kernel_size", type=_COUNT, default=3, show_default=True)
@click.option("--size", type=_COUNT, default=56, show_default=True, help="Height and width.")
@click.option("--stride", type=click.IntRange(1, 2), default=1, show_default=True)
@click.option(
    "--groups",
    type=_COUNT,
    default=4,
    show_default=True,
    help="Of the grouped convolution and of DualConv.",
)
@click.option("--p", type=_COUNT, default=4, show_default=True, help="The part of HetConv.")
@click.option("--alpha", type=float, default=0.5, show_default=True, help="Of the octave.")
def convs(**settings: int | float) -> None:
    """Print what a convolution costs as each of the lightweight kinds, without biases."""
    rows = [
        (row.name, f"{row.parameters:,}", f"{row.parameter_ratio:.3f}", f"{row.macs:,}",
         f"{row.mac_ratio:.3f}")
        for row in compare_convolutions(**settings)
    ]  # fmt: skip
    headers = ("convolution", "parameters", "ratio", "multiply-accumulates", "ratio")
    right = ("left", *["right"] * 4)
    click.echo(tabulate(rows, headers=headers, colalign=right, disable_numparse=True))
