"""``paddle-oct train``."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator

import click

from paddle_oct.base.interrupts import interrupts_kept

from .names import DATA_SETS, NameType, all_models
from .options import SIZE, WholeNumber, network_settings, threads_option

if TYPE_CHECKING:
    from paddle_oct.training import Result


class TrainCommand(click.Command):
    """A command with an option for every field of a recipe, beside its own."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the parameters of the command.

        Reading the fields of a recipe imports Paddle. The shell's completion avoids that as long as
        there is no option in the line: it then completes the name of a network.
        """
        line = os.environ.get("COMP_WORDS", "").split()
        if ctx.resilient_parsing and not any(word.startswith("-") for word in line):
            return super().get_params(ctx)
        *own, help_option = super().get_params(ctx)
        return [*own, *_recipe_options(), help_option]


@functools.cache
def _recipe_options() -> tuple[click.Option, ...]:
    """Return an option for every field of a recipe."""
    from paddle_oct.training import Recipe

    types: dict[str, Any] = {"int": WholeNumber(), "float": float, "str": str, "bool": bool}
    options = []
    for spec in dataclasses.fields(Recipe):
        choices, text = spec.metadata["choices"], spec.metadata["help"]
        option = click.Option(
            [f"--{spec.name.replace('_', '-')}"],
            type=NameType(choices) if choices else types[str(spec.type)],
            is_flag=spec.type == "bool",
            default=spec.default,
            show_default=True,
            metavar=f"[{'|'.join(choices)}]" if choices else None,
            help=f"{text[0].upper()}{text[1:]}.",
        )
        options.append(option)
    return tuple(options)


@click.command(cls=TrainCommand, short_help="Train a network and leave the run in a folder.")
@click.argument("model", default="oct_mobilenet_v1", required=False, type=NameType(all_models))
@click.option(
    "--data",
    type=NameType(DATA_SETS),
    default="digits",
    show_default=True,
    help=f"The data set: {', '.join(DATA_SETS)}.",
)
@click.option("--data-file", type=click.Path(), help="The CIFAR archive or image folder on disk.")
@click.option(
    "--image-size",
    type=SIZE,
    help="Scale images to this size. [default: the data's own]",
)
@click.option("--limit", type=WholeNumber(), help="Use at most this many images of each split.")
@click.option(
    "--run",
    "run_dir",
    type=click.Path(),
    help="The new folder of the run. [default: runs/MODEL-DATA]",
)
@click.option("--resume", "resume_dir", type=click.Path(), help="Resume the run in this folder.")
@click.option("--quiet", is_flag=True, help="No progress bars, but a line per epoch.")
@threads_option
@network_settings
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
    threads: int | None,
    settings: dict[str, Any],
    **recipe: Any,
) -> None:
    """Train MODEL, by default oct_mobilenet_v1, and leave the run in a folder.

    MODEL is a name that 'paddle-oct models' lists, or one of paddle.vision.models. Resuming takes
    everything from the run and no other options. The same command with --run again, after it was
    stopped or killed, also goes on where it stopped.

    With --data folder, --data-file names a folder with one sub-folder of images per class; every
    fifth image is then held out for testing. Or it holds 'train' and 'test' (or 'val'), each with
    the sub-folders of the classes.

    Several processes, such as one per GPU, train together under Paddle's launcher:

    \b
    python -m paddle.distributed.launch --nproc_per_node 2 paddle-oct train ...
    """  # noqa: D301 - click wants the character that \b stands for
    from paddle_oct import training

    how: dict[str, Any] = {"progress_bars": False if quiet else None, "threads": threads}
    if resume_dir is not None:
        _refuse_others(context, allowed=("resume_dir", "quiet", "threads"))
        folder = Path(resume_dir)
        with _resumable(folder):
            result = training.resume(folder, **how)
    else:
        wanted = f"runs/{model}-{data}"
        folder = Path(run_dir or training.from_first_process(lambda: str(_free_folder(wanted))))
        given = {"data_file": data_file, "image_size": image_size, "limit": limit}
        with _resumable(folder):
            result = training.train(
                model,
                data,
                training.Recipe(**recipe),
                folder,
                model_options=settings,
                data_options={key: value for key, value in given.items() if value is not None},
                **how,
            )
    if training.is_first_process():
        _report(result)


def _report(result: Result) -> None:
    """Say what came out of a run, and where it is."""
    origin = result.run.origin
    epochs = len(result.history)
    best = result.run.best
    assert best is not None  # an epoch was completed
    click.echo(
        f"\n{origin['model']} on {origin['data']}: test accuracy {result.accuracy:.2%} after "
        f"{epochs} {'epochs' if epochs > 1 else 'epoch'} "
        f"(best {result.best_accuracy:.2%} in epoch {result.best_epoch})\n"
        f"  run       {result.run.path}\n"
        f"  curves    {result.run.curves_path}, or visualdl --logdir {result.run.visualdl_path}\n"
        f"  weights   {best.weights} (best)"
    )


def _refuse_others(context: click.Context, allowed: tuple[str, ...]) -> None:
    given = click.core.ParameterSource.COMMANDLINE
    for name in context.params:
        if name not in allowed and context.get_parameter_source(name) == given:
            raise click.UsageError(f"--resume takes everything from the run, not {name!r}")


def _free_folder(wanted: str) -> Path:
    """Return ``wanted``, or ``wanted-2``, ``wanted-3``, ... if that exists and is in use."""
    from paddle_oct.training import RunFolder

    folder, number = Path(wanted), 1
    while folder.exists() and not RunFolder(folder).is_unstarted:
        number += 1
        folder = Path(f"{wanted}-{number}")
    return folder


@contextlib.contextmanager
def _resumable(folder: Path) -> Iterator[None]:
    """On Ctrl-C and SIGTERM, say how to resume the run in a folder."""
    from paddle_oct.training import RunFolder

    try:
        with interrupts_kept():
            yield
    except KeyboardInterrupt:
        if RunFolder(folder).config_path.exists():
            click.echo(f"\ninterrupted; paddle-oct train --resume {folder} goes on", err=True)
        raise
