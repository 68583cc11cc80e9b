"""``paddle-oct train``, ``eval`` and ``predict``."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path
from typing import Any, Callable, NoReturn

import click
import numpy as np
from tabulate import tabulate

from paddle_oct import training

from .options import gather_settings, model_settings


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


@click.command(short_help="Train a network and leave the run in a folder.")
@click.argument("model", default="oct_mobilenet_v1", required=False)
@click.option(
    "--data", default="digits", show_default=True, help="digits, cifar10, cifar100, folder."
)
@click.option("--data-file", type=click.Path(), help="The CIFAR archive or image folder on disk.")
@click.option("--image-size", type=int, help="Scale images to this size. [default: the data's own]")
@click.option("--limit", type=int, help="Use at most this many images of each split.")
@click.option(
    "--run", "run_dir", type=click.Path(), help="A new folder. [default: runs/MODEL-DATA]"
)
@click.option(
    "--resume", "resume_dir", type=click.Path(), help="Go on with the run in this folder."
)
@click.option("--quiet", is_flag=True, help="No progress bars.")
@model_settings
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

    With --data folder, the folder that --data-file names holds a folder of images per class, of
    which every fifth image is held out for testing; or it holds 'train' and 'test' (or 'val'), each
    with the folders of the classes.
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
                model_options=gather_settings(alpha, options),
                data_options={key: value for key, value in given.items() if value is not None},
                verbose=verbose,
            )
    config = result.run.config
    epochs = len(result.history)
    click.echo(
        f"\n{config['model']} on {config['data']}: test accuracy {result.accuracy:.2%} after "
        f"{epochs} {'epochs' if epochs > 1 else 'epoch'} "
        f"(best {result.best_accuracy:.2%} in epoch {result.best_epoch})\n"
        f"  run       {result.run.path}\n"
        f"  curves    {result.run.curves_path}, or visualdl --logdir {result.run.visualdl_path}\n"
        f"  weights   {result.run.best.weights} (best)"
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
    """On Ctrl-C, say how to go on.

    Where Paddle was calling back into Python, in a backward pass, it makes an error of its own of
    the interrupt.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.interrupted = False

    def __enter__(self) -> None:
        self.previous = signal.signal(signal.SIGINT, self._interrupt)

    def _interrupt(self, number: int, frame: Any) -> NoReturn:
        self.interrupted = True
        raise KeyboardInterrupt

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        signal.signal(signal.SIGINT, self.previous)
        if kind is not KeyboardInterrupt and not (kind and self.interrupted):
            return
        if (self.folder / "config.json").exists():
            click.echo(f"\ninterrupted; paddle-oct train --resume {self.folder} goes on", err=True)
        if kind is not KeyboardInterrupt:
            raise KeyboardInterrupt from error


def trained_options(command: Callable) -> Callable:
    """Add the options that choose a trained network, beside a run's folder."""
    for option in (
        click.option(
            "--class-names", type=click.Path(), help="With --model: a file, a line for each output."
        ),
        click.option(
            "--weights",
            help="Another file of weights; with --model also 'vanilla'. "
            "[default: the run's best, or those that the network's authors published]",
        ),
        click.option("--model", help="In place of a run: a network with weights of ImageNet."),
    ):
        command = option(command)
    return model_settings(command)


def find_trained(
    run: str | None,
    model: str | None,
    weights: str | None,
    class_names: str | None,
    settings: dict[str, Any],
) -> training.Trained:
    """Load what :func:`trained_options` chose."""
    if (run is None) == (model is None):
        raise click.UsageError("give either the folder of a run or --model")
    if model is not None:
        return training.Trained.by_name(model, weights, class_names, **settings)
    if settings or class_names:
        raise click.UsageError("--alpha, --option and --class-names go with --model, not a run")
    return training.Trained.of_run(training.RunFolder.open(run), weights)


@click.command(name="eval", short_help="Test a trained network.")
@click.argument("run", type=click.Path(), required=False)
@trained_options
@click.option(
    "--data-file",
    type=click.Path(),
    help="Where the run's data set lies now; with --model: a folder of images per class.",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True)
def evaluate(
    run: str | None,
    model: str | None,
    weights: str | None,
    class_names: str | None,
    data_file: str | None,
    batch_size: int,
    alpha: Any,
    options: tuple[tuple[str, Any], ...],
) -> None:
    """Test the network of a RUN folder, or one with published weights.

    \b
    paddle-oct eval runs/...                   on the run's test split, or its --limit of it
    paddle-oct eval --model oct_mobilenet_v1 --data-file imagenet/val

    With --model, the folders in the data file are the network's classes in alphabetical order, or
    named after some of those in --class-names.
    """  # noqa: D301 - click wants the character that \b stands for
    if model is not None and data_file is None:
        raise click.UsageError("--model needs a folder of images per class: --data-file FOLDER")
    trained = find_trained(run, model, weights, class_names, gather_settings(alpha, options))
    if run is not None:
        overrides = {} if data_file is None else {"data_file": data_file}
        data = training.load_run_data(training.RunFolder.open(run), **overrides)
    else:
        outputs = trained.classes if trained.named else len(trained.classes)
        data = training.load_test_folder(data_file, trained.preprocessing, outputs)
    result = training.evaluate(trained.network, data, batch_size)
    rows = [
        (name, f"{value:.2%}" if name.startswith("acc") else f"{value:.4f}")
        for name, value in result.items()
    ]
    click.echo(tabulate(rows, headers=(f"{data.name}, {len(data.test)} images", "")))
    click.echo(f"\nweights: {trained.weights}")


@click.command(short_help="Classify image files with a trained network.")
@click.argument("images", nargs=-1, required=True, type=click.Path())
@click.option("--run", type=click.Path(), help="The folder of a trained network.")
@trained_options
@click.option(
    "--top", type=click.IntRange(min=1), default=3, show_default=True, help="Classes shown."
)
def predict(
    images: tuple[str, ...],
    run: str | None,
    model: str | None,
    weights: str | None,
    class_names: str | None,
    top: int,
    alpha: Any,
    options: tuple[tuple[str, Any], ...],
) -> None:
    """Classify IMAGES with the network of a run folder, or one with published weights."""
    trained = find_trained(run, model, weights, class_names, gather_settings(alpha, options))
    rows = []
    scores_of_images = training.predict_images(trained.network, images, trained.preprocessing)
    for path, scores in zip(images, scores_of_images):
        order = np.argsort(-scores)[:top]
        rows.append((path, ", ".join(f"{trained.classes[i]} {scores[i]:.1%}" for i in order)))
    click.echo(tabulate(rows, headers=("image", "classes")))
