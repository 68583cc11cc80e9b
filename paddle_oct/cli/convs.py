"""``paddle-oct convs``."""

from __future__ import annotations

from typing import Any

import click

from .options import COUNT, SIZE, NumberInRange


@click.command(short_help="Print the cost of one convolution of each kind.")
@click.option(
    "--in", "in_channels", type=COUNT, default=64, show_default=True, help="Channels of the input."
)
@click.option(
    "--out",
    "out_channels",
    type=COUNT,
    default=64,
    show_default=True,
    help="Channels of the output.",
)
@click.option(
    "--kernel",
    "kernel_size",
    type=COUNT,
    default=3,
    show_default=True,
    help="Height and width of the kernel.",
)
@click.option(
    "--size", type=SIZE, default=56, show_default=True, help="Height and width of the input."
)
@click.option(
    "--stride",
    type=NumberInRange(1, 2),
    default=1,
    show_default=True,
    help="Stride of the convolution.",
)
@click.option(
    "--groups",
    type=COUNT,
    default=4,
    show_default=True,
    help="Groups of the grouped convolution and of DualConv.",
)
@click.option(
    "--p",
    type=COUNT,
    default=4,
    show_default=True,
    help="In HetConv, one kernel in P has the full size, the others are 1x1.",
)
@click.option(
    "--alpha",
    type=float,
    default=0.5,
    show_default=True,
    help="Share of low-frequency channels of the octave convolutions.",
)
def convs(**settings: Any) -> None:
    """Print what a convolution without bias costs: vanilla, octave and of each lightweight kind."""
    from tabulate import tabulate

    from paddle_oct.cost import compare_convolutions

    rows = [
        (row.name, f"{row.parameters:,}", f"{row.parameter_ratio:.3f}", f"{row.macs:,}",
         f"{row.mac_ratio:.3f}")
        for row in compare_convolutions(**settings)
    ]  # fmt: skip
    headers = ("convolution", "parameters", "ratio", "multiply-accumulates", "ratio")
    right = ("left", *["right"] * 4)
    click.echo(tabulate(rows, headers=headers, colalign=right, disable_numparse=True))
