"""``paddle-oct import-weights``."""

from __future__ import annotations

from typing import Any

import click

from .names import NameType, octave_models
from .options import network_settings


@click.command(
    name="import-weights", short_help="Convert a file of weights to those of an octave network."
)
@click.argument("file", type=click.Path())
@click.option(
    "--model", required=True, type=NameType(octave_models), help="The network to convert them for."
)
@click.option(
    "--output", required=True, type=click.Path(), help="The new file, such as oct.pdparams."
)
@click.option("--force", is_flag=True, help="Overwrite the output if it exists.")
@network_settings
def import_weights(
    file: str, model: str, output: str, force: bool, settings: dict[str, Any]
) -> None:
    """Convert the weights in FILE to those of a network of this package.

    FILE is of MXNet (.params, as the authors publish), PyTorch (.pth, .pt; d-li14's layout),
    .safetensors, .npz, or Paddle's (.pdparams), also of a vanilla MobileNetV1 or ResNet. Every
    tensor must fit the network, or nothing is written.
    """
    from paddle_oct import models

    network = models.import_weights(file, model, output, force=force, **settings)
    tensors = network.state_dict().values()
    click.echo(
        f"{len(tensors)} tensors, {sum(tensor.size for tensor in tensors):,} numbers, from {file}\n"
        f"  weights   {output}"
    )
