"""The command line, ``paddle-oct``: it parses, calls and prints."""

from __future__ import annotations

import os
import sys
import warnings

# Before Paddle is imported: its remarks to developers are no news to the user of a command.
os.environ.setdefault("GLOG_minloglevel", "2")
warnings.filterwarnings("ignore", module=r"paddle\.")

import ast  # noqa: E402
import dataclasses  # noqa: E402
import logging  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, Callable  # noqa: E402

import click  # noqa: E402
import numpy as np  # noqa: E402
import paddle  # noqa: E402
from tabulate import tabulate  # noqa: E402

from paddle_oct import training  # noqa: E402
from paddle_oct.analysis import count_macs  # noqa: E402
from paddle_oct.models import create_model, list_models, model_options  # noqa: E402
from paddle_oct.version import __version__  # noqa: E402

logging.getLogger("matplotlib").setLevel(logging.WARNING)


class _Alpha(click.ParamType):
    name = "number[,number...]"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            alphas = [float(part) for part in value.split(",")]
        except ValueError:
            self.fail(f"{value!r} is not a number or a list such as 0.5,0.25,0.25", param, ctx)
        return alphas if len(alphas) > 1 else alphas[0]


class _Setting(click.ParamType):
    name = "key=value"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Any]:
        key, equals, text = value.partition("=")
        if not equals:
            self.fail(f"{value!r} is not of the form KEY=VALUE", param, ctx)
        try:
            return key, ast.literal_eval(text)
        except (SyntaxError, ValueError):
            return key, text


def _model_settings(command: Callable) -> Callable:
    """Add the options that set up a network."""
    command = click.option(
        "-o",
        "--option",
        "options",
        type=_Setting(),
        multiple=True,
        help="Another option of the network, such as -o scale=0.5 (see 'paddle-oct models').",
    )(command)
    return click.option(
        "--alpha",
        type=_Alpha(),
        help="Share of low-frequency channels in [0, 1]: one, or one per octave stage (.5,.5,.25).",
    )(command)


def _gather(alpha: Any, options: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    settings = dict(options)
    if alpha is not None:
        settings["alpha"] = alpha
    return settings


def _recipe_options(command: Callable) -> Callable:
    """Add an option for every field of a recipe."""
    types = {"int": int, "float": float, "str": str}
    for spec in reversed(dataclasses.fields(training.Recipe)):
        choices, text = spec.metadata["choices"], spec.metadata["help"]
        command = click.option(
            f"--{spec.name.replace('_', '-')}",
            type=types[spec.type],
            default=spec.default,
            show_default=True,
            metavar=f"[{'|'.join(choices)}]" if choices else None,
            help=f"{text[0].upper()}{text[1:]}.",
        )(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="paddle-oct")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    r"""Octave convolution for PaddlePaddle: train networks, test them, look at them.

    \b
    paddle-oct train                                  Oct-MobileNetV1 on embedded digits
    paddle-oct train oct_resnet50 --data cifar10      a network and data of your choice
    paddle-oct train resnet50 --data cifar10          its vanilla counterpart, to compare
    paddle-oct eval runs/oct_mobilenet_v1-digits      test a trained network
    paddle-oct predict --run runs/... cat.jpg         ask a trained network
    paddle-oct summary oct_resnet50 --alpha 0.25      layers, parameters, multiply-accumulates
    """


@cli.command()
@click.argument("model", default="oct_mobilenet_v1", required=False)
@click.option(
    "--data", default="digits", show_default=True, help="digits, cifar10, cifar100, folder."
)
@click.option("--data-file", type=click.Path(), help="The CIFAR archive or image folder on disk.")
@click.option("--image-size", type=int, help="Scale images to this size. [default: the data's own]")
@click.option("--limit", type=int, help="Use at most this many images of each split.")
@click.option("--run", "run_dir", type=click.Path(), help="New folder. [default: runs/MODEL-DATA]")
@click.option(
    "--resume", "resume_dir", type=click.Path(), help="Go on with the run in this folder."
)
@click.option("--quiet", is_flag=True, help="No progress bars.")
@_model_settings
@_recipe_options
@click.pass_context
def train(
    context: click.Context,
    model: str,
    data: str,
    data_file: str | None,
    image_size: int | None,
    limit: int | None,
    run_dir: str | None,
    resume_dir: str | None,
    quiet: bool,
    alpha: Any,
    options: tuple[tuple[str, Any], ...],
    **recipe: Any,
) -> None:
    """Train MODEL, by default oct_mobilenet_v1, and leave the run in a folder.

    MODEL is a name that 'paddle-oct models' lists, or one of paddle.vision.models. Resuming takes
    everything from the run and no other options.
    """
    verbose = 0 if quiet else 1
    if resume_dir is not None:
        _refuse_others(context, allowed=("resume_dir", "quiet"))
        folder = Path(resume_dir)
        with _interruptible(folder):
            result = training.resume(folder, verbose=verbose)
    else:
        folder = Path(run_dir) if run_dir else _free_folder(f"runs/{model}-{data}")
        given = {"data_file": data_file, "image_size": image_size, "limit": limit}
        with _interruptible(folder):
            result = training.train(
                model,
                data,
                training.Recipe(**recipe),
                folder,
                model_options=_gather(alpha, options),
                data_options={key: value for key, value in given.items() if value is not None},
                verbose=verbose,
            )
    config = result.run.config
    click.echo(
        f"\n{config['model']} on {config['data']}: test accuracy {result.accuracy:.2%} after "
        f"{len(result.history)} epochs (best {result.best_accuracy:.2%} in {result.best_epoch})\n"
        f"  run       {result.run.path}\n"
        f"  curves    {result.run.curves_path}, or visualdl --logdir {result.run.visualdl_path}\n"
        f"  weights   {result.run.best.weights}"
    )


def _refuse_others(context: click.Context, allowed: tuple[str, ...]) -> None:
    source = click.core.ParameterSource.COMMANDLINE
    for name in context.params:
        if name not in allowed and context.get_parameter_source(name) == source:
            raise click.UsageError(f"--resume takes everything from the run, not {name!r}")


def _free_folder(wanted: str) -> Path:
    """Return ``wanted``, or ``wanted-2``, ``wanted-3``, ... if that exists."""
    folder, number = Path(wanted), 1
    while folder.exists():
        number += 1
        folder = Path(f"{wanted}-{number}")
    return folder


class _interruptible:  # noqa: N801 - reads like a function
    """On Ctrl-C, say how to go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is KeyboardInterrupt and (self.folder / "config.json").exists():
            click.echo(f"\ninterrupted; paddle-oct train --resume {self.folder} goes on", err=True)


@cli.command(name="eval")
@click.argument("run", type=click.Path())
@click.option("--weights", type=click.Path(), help="Another .pdparams file. [default: the best]")
@click.option("--data-file", type=click.Path(), help="Where the data set lies now.")
@click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True)
def evaluate(run: str, weights: str | None, data_file: str | None, batch_size: int) -> None:
    """Test the network of a RUN folder on its data set's whole test split."""
    folder = training.RunFolder.open(run)
    weights = weights or _best_weights(folder)
    overrides = {} if data_file is None else {"data_file": data_file}
    network = training.load_network(folder, weights)
    data = training.load_run_data(folder, **overrides)
    result = training.evaluate(network, data, batch_size)
    rows = [(name, f"{value:.4f}") for name, value in result.items()]
    click.echo(tabulate(rows, headers=(f"{data.name}, {len(data.test)} images", "")))
    click.echo(f"\nweights: {weights}")


@cli.command()
@click.argument("images", nargs=-1, required=True, type=click.Path())
@click.option("--run", required=True, type=click.Path(), help="The folder of a trained network.")
@click.option("--weights", type=click.Path(), help="Another .pdparams file. [default: the best]")
@click.option(
    "--top", type=click.IntRange(min=1), default=3, show_default=True, help="Classes shown."
)
def predict(images: tuple[str, ...], run: str, weights: str | None, top: int) -> None:
    """Classify IMAGES with the network of a run folder."""
    folder = training.RunFolder.open(run)
    network = training.load_network(folder, weights or _best_weights(folder))
    preprocessing = training.Preprocessing(**folder.config["preprocessing"])
    classes = folder.config["classes"]
    rows = []
    for path, scores in zip(images, training.predict_images(network, images, preprocessing)):
        order = np.argsort(-scores)[:top]
        rows.append((path, ", ".join(f"{classes[i]} {scores[i]:.1%}" for i in order)))
    click.echo(tabulate(rows, headers=("image", "classes")))


def _best_weights(folder: training.RunFolder) -> Path:
    if folder.best is None:
        raise ValueError(f"{folder.path}: no epoch was completed, there are no weights yet")
    return folder.best.weights


@cli.command()
@click.argument("model")
@click.option("--image-size", type=click.IntRange(min=1), default=224, show_default=True)
@click.option("--classes", type=click.IntRange(min=0), default=1000, show_default=True)
@_model_settings
def summary(
    model: str, image_size: int, classes: int, alpha: Any, options: tuple[tuple[str, Any], ...]
) -> None:
    """Print the layers of MODEL, its parameters and its multiply-accumulates."""
    network = create_model(model, **{"num_classes": classes, **_gather(alpha, options)})
    size = (1, 3, image_size, image_size)
    paddle.summary(network, size)
    macs = count_macs(network, size)
    click.echo(
        f"Multiply-accumulates of convolutions and linear layers: {macs:,} ({macs / 1e9:.3f} G)"
    )


@cli.command()
@click.argument("pattern", default="*")
@click.option("--vanilla", is_flag=True, help="List the networks of paddle.vision.models instead.")
def models(pattern: str, vanilla: bool) -> None:
    """List the networks whose names match PATTERN, with their options and defaults."""
    names = list_models(pattern, vanilla=vanilla)
    if not names:
        raise ValueError(f"no model matches {pattern!r}; 'paddle-oct models' lists all")
    rows = [
        (name, ", ".join(f"{key}={value!r}" for key, value in model_options(name).items()))
        for name in names
    ]
    click.echo(tabulate(rows, headers=("model", "options")))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; one line for an error, exit status 2, and 130 for Ctrl-C."""
    debug = "--debug" in (sys.argv[1:] if arguments is None else arguments)
    try:
        status = cli.main(arguments, prog_name="paddle-oct", standalone_mode=False)
    except click.ClickException as error:
        _exit_with(error.format_message())
    except click.Abort:
        sys.exit(130)
    except (ValueError, TypeError, FloatingPointError, OSError) as error:
        if debug:
            raise
        _exit_with(str(error))
    sys.exit(status if isinstance(status, int) else 0)


def _exit_with(message: str) -> None:
    click.echo(f"paddle-oct: error: {' '.join(message.split())}", err=True)
    sys.exit(2)
