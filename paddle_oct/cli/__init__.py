"""The command line, ``paddle-oct``: it parses, calls and prints.

Paddle takes seconds to import, and neither the help nor the shell's completion needs it. So a
command imports the rooms that it calls only when it runs.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import Any, NoReturn

import click

from paddle_oct.base.interrupts import Terminated, forget_unhandled_interrupt
from paddle_oct.version import __version__

from . import (
    analysis,
    completion,
    convs,
    deploy,
    models,
    octavize,
    trained,
    training,
    views,
    weights,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="paddle-oct")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Octave convolution for PaddlePaddle: train, test, convert, compare and export networks.

    \b
    paddle-oct train                                  Oct-MobileNetV1 on embedded digits
    paddle-oct train oct_resnet50 --data cifar10      a network and data of your choice
    paddle-oct train resnet50 --data cifar10          its vanilla counterpart, to compare
    paddle-oct eval runs/oct_mobilenet_v1-digits      test a trained network
    paddle-oct predict --run runs/... cat.jpg         classify an image with it
    paddle-oct predict --model oct_mobilenet_v1 cat.jpg   with published weights
    paddle-oct import-weights resnet50.pth --model oct_resnet50 --output oct_resnet50.pdparams
    paddle-oct octavize mobilenet_v2 --alpha .25      turn a vanilla network into an octave one
    paddle-oct summary oct_resnet50 --alpha 0.25      layers, parameters, multiply-accumulates
    paddle-oct compare resnet50 oct_resnet50@.25      what networks cost, side by side
    paddle-oct sweep oct_resnet50 --plot cost.png     what alpha saves
    paddle-oct accuracy runs/* --plot accuracy.png    accuracy against cost, as published
    paddle-oct structure oct_resnet50 --depth 2       the tree of its layers
    paddle-oct export oct_resnet50 --output oct.onnx  for ONNX Runtime and OpenVINO
    paddle-oct bench oct_resnet50 --against resnet50  a race on the engines

    The Tab key completes commands, options and names: 'paddle-oct completion --help' says how.
    """  # noqa: D301 - click wants the character that \b stands for


for _command in (
    training.train,
    trained.evaluate,
    trained.predict,
    models.summary,
    models.models,
    weights.import_weights,
    octavize.octavize,
    analysis.compare,
    analysis.sweep,
    analysis.accuracy,
    convs.convs,
    views.structure,
    views.frequencies,
    deploy.export,
    deploy.bench,
    completion.completion,
):
    cli.add_command(_command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line.

    For an error it prints one line and exits with 2; with 130 for Ctrl-C, and 143 for SIGTERM.
    """
    _quieten()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        status = cli.main(
            arguments if given else ["--help"], prog_name="paddle-oct", standalone_mode=False
        )
    except click.ClickException as error:
        _exit_with(error.format_message())
    except click.Abort as abort:
        forget_unhandled_interrupt()
        sys.exit(143 if isinstance(abort.__context__, Terminated) else 130)
    except (ValueError, TypeError, ArithmeticError, OSError, MemoryError) as error:
        if "--debug" in given:
            raise
        short = isinstance(error, MemoryError)  # Paddle's own message is a traceback
        _exit_with("there is not enough memory for this" if short else str(error))
    sys.exit(status if isinstance(status, int) else 0)


def _quieten() -> None:
    """Silence what Paddle and other packages print for developers; show warnings as one line.

    This must run before Paddle is imported.
    """
    os.environ.setdefault("GLOG_minloglevel", "2")
    warnings.filterwarnings("ignore", module=r"paddle\.")
    warnings.showwarning = _show_warning
    for talkative in ("matplotlib", "httpx", "paddle.utils.download"):
        logging.getLogger(talkative).setLevel(logging.WARNING)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    click.echo(f"paddle-oct: warning: {' '.join(str(message).split())}", err=True)


def _exit_with(message: str) -> NoReturn:
    click.echo(f"paddle-oct: error: {' '.join(message.split())}", err=True)
    sys.exit(2)
