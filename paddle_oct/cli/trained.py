"""``paddle-oct eval`` and ``predict``, and the choice of a trained network."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

import click

from paddle_oct.base.threads import use_threads

from .names import NameType, all_models
from .options import COUNT, network_settings, threads_option, together

if TYPE_CHECKING:
    from paddle_oct.training import DataOptions, Trained


@dataclass(frozen=True)
class TrainedChoice:
    """A trained network: that of a run, or one with weights trained on ImageNet."""

    run: str | None
    model: str | None
    weights: str | None
    class_names: str | None
    settings: dict[str, Any]

    def load(self) -> Trained:
        """Load the network, its preprocessing and the names of its classes."""
        from paddle_oct.training import RunFolder, Trained

        if self.model is not None and self.run is None:
            return Trained.by_name(self.model, self.weights, self.class_names, **self.settings)
        if self.run is None or self.model is not None:
            raise click.UsageError("give either the folder of a run or --model")
        if self.settings or self.class_names:
            raise click.UsageError("--alpha, --option and --class-names go with --model, not a run")
        return Trained.of_run(RunFolder.open(self.run), self.weights)


def trained_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that choose a trained network; the command itself adds ``run``, a folder.

    All are passed to the command as ``choice``, a :class:`TrainedChoice`.
    """

    @functools.wraps(command)
    def with_choice(
        *args: Any,
        run: str | None,
        model: str | None,
        weights: str | None,
        class_names: str | None,
        settings: dict[str, Any],
        **others: Any,
    ) -> None:
        choice = TrainedChoice(run, model, weights, class_names, settings)
        command(*args, choice=choice, **others)

    return together(
        click.option(
            "--model",
            type=NameType(all_models),
            help="In place of a run: a network with weights trained on ImageNet.",
        ),
        click.option(
            "--weights",
            help="Another file of weights; with --model also 'vanilla'. "
            "[default: the run's best, or those that the network's authors published]",
        ),
        click.option(
            "--class-names",
            type=click.Path(),
            help="With --model: a file with the name of one output per line.",
        ),
        network_settings,
    )(with_choice)


@click.command(name="eval", short_help="Test a trained network.")
@click.argument("run", type=click.Path(), required=False)
@trained_options
@click.option(
    "--data-file",
    type=click.Path(),
    help="Where the run's data set is now; with --model: a folder with a sub-folder of images per "
    "class.",
)
@click.option("--batch-size", type=COUNT, default=64, show_default=True, help="Images in a batch.")
@threads_option
def evaluate(
    choice: TrainedChoice, data_file: str | None, batch_size: int, threads: int | None
) -> None:
    """Test the network of a RUN folder, or one with published weights.

    \b
    paddle-oct eval runs/...                   on the run's test split (within its --limit)
    paddle-oct eval --model oct_mobilenet_v1 --data-file imagenet/val

    With --model, the sub-folders of --data-file are the network's classes in alphabetical order, or
    have names that are in --class-names.
    """  # noqa: D301 - click wants the character that \b stands for
    from tabulate import tabulate

    from paddle_oct import training

    if choice.model is not None and data_file is None:
        raise click.UsageError("--model needs a folder of images per class: --data-file FOLDER")
    use_threads(threads)
    trained = choice.load()
    if choice.run is not None:
        overrides: DataOptions = {} if data_file is None else {"data_file": data_file}
        data = training.load_run_data(training.RunFolder.open(choice.run), **overrides)
    else:
        assert data_file is not None  # checked above
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
@click.option("--top", type=COUNT, default=3, show_default=True, help="Classes shown.")
@threads_option
def predict(images: tuple[str, ...], choice: TrainedChoice, top: int, threads: int | None) -> None:
    """Classify IMAGES with the network of a run folder, or one with published weights."""
    from tabulate import tabulate

    from paddle_oct.training import classify

    use_threads(threads)
    answers = classify(choice.load(), images, top)
    rows = [
        (path, ", ".join(f"{name} {probability:.1%}" for name, probability in answer))
        for path, answer in zip(images, answers)
    ]
    click.echo(tabulate(rows, headers=("image", "classes")))
