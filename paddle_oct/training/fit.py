"""Training a network with a recipe, through ``paddle.Model``."""

from __future__ import annotations

import dataclasses
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn
from paddle.io import DataLoader, DistributedBatchSampler
from paddle.static import InputSpec

from paddle_oct.base.names import first_line
from paddle_oct.models import create_model, load_weights
from paddle_oct.version import __version__

from .callbacks import CheckImages, EpochMeter, Progress, Record, SaveEpochs, SeedEpochs
from .data import ImageData, load_data
from .evaluate import accuracies
from .recipe import Recipe
from .run_folder import Row, RunFolder


@dataclass(frozen=True)
class Result:
    """What a run came to.

    Args:
        run: its folder.
        history: a row per epoch.
        best_epoch: the epoch of the highest test accuracy, counted from 1.
    """

    run: RunFolder
    history: list[Row]
    best_epoch: int

    @property
    def best_accuracy(self) -> float:
        """The highest top-1 accuracy on the test set, in [0, 1]."""
        return self.history[self.best_epoch - 1]["eval_acc_top1"]

    @property
    def accuracy(self) -> float:
        """The top-1 accuracy on the test set after the last epoch, in [0, 1]."""
        return self.history[-1]["eval_acc_top1"]


def prepare(network: nn.Layer, data: ImageData, recipe: Recipe, steps: int = 1) -> paddle.Model:
    """Wrap a network in a ``paddle.Model`` that trains by the recipe and counts accuracies.

    Args:
        network: any network that turns ``[N, 3, H, W]`` into ``[N, classes]``.
        data: its data set.
        recipe: how to train.
        steps: batches in an epoch, for the learning rate's schedule.
    """
    size = data.preprocessing.size
    model = paddle.Model(
        network,
        inputs=[InputSpec([None, 3, size, size], "float32", "image")],
        labels=[InputSpec([None], "int64", "label")],
    )
    model.prepare(
        recipe.make_optimizer(network, steps),
        recipe.make_loss(),
        accuracies(data),
        amp_configs=recipe.amp,
    )
    return model


def fit(
    network: nn.Layer,
    data: ImageData,
    recipe: Recipe,
    run_dir: str | Path,
    *,
    resume: bool = False,
    source: dict[str, Any] | None = None,
    verbose: int = 1,
) -> Result:
    """Train a network.

    Args:
        network: any network that turns ``[N, 3, H, W]`` into ``[N, classes]``, octave or not.
        data: what to train and test on.
        recipe: how to train.
        run_dir: the folder to leave the run in; see :class:`RunFolder`.
        resume: go on with the run in this folder after its last complete epoch, with the same
            network, data and recipe.
        source: what ``config.json`` says of network and data beside what follows from them: how
            :func:`train` makes them again.
        verbose: 0 for silence, 1 for progress bars, 2 for a line per step.

    Returns:
        The history, the best epoch, and the folder.

    Raises:
        ValueError: the folder holds a run already, or none to resume, or one that is complete or of
            another network.
        FloatingPointError: the loss became infinite or NaN.
    """
    sampler = DistributedBatchSampler(
        train_set := data.train_set(recipe.augmentation),
        recipe.batch_size,
        shuffle=True,
        drop_last=len(train_set) > recipe.batch_size,  # a last batch of one upsets batch norms
    )
    train_loader = DataLoader(train_set, batch_sampler=sampler, num_workers=recipe.workers)
    _check_output(network, data)
    model = prepare(network, data, recipe, len(train_loader))
    if resume:
        run = RunFolder.open(run_dir)
        state = _restore(run, model, recipe)
    else:
        run = RunFolder.create(run_dir, _describe(network, data, recipe, source))
        state = None

    done = state["epoch"] if state else 0
    meter = EpochMeter(done)
    record = Record(run, meter, network, (3, data.preprocessing.size, data.preprocessing.size))
    saver = SaveEpochs(run, meter, state)
    seeds = SeedEpochs(recipe.seed, sampler, done)
    progress = Progress(done, recipe.epochs, verbose)
    test_set = data.test_set()
    try:
        model.fit(
            train_loader,
            test_set,
            batch_size=recipe.batch_size,  # of the test set, as are the workers
            num_workers=recipe.workers,
            epochs=recipe.epochs - done,
            verbose=verbose,
            callbacks=[CheckImages(train_set, test_set), seeds, meter, progress, record, saver],
        )
    finally:
        record.close()
    return Result(run, saver.history, saver.best_epoch)


def _check_output(network: nn.Layer, data: ImageData) -> None:
    """Run a network on one blank image, before a run is started that could not succeed.

    Raises:
        ValueError: it can't take the data set's images, or does not answer with a row of classes.
    """
    name, size = type(network).__name__, data.preprocessing.size
    shape = [1, 3, size, size]
    network.eval()
    try:
        with paddle.no_grad():
            output = network(paddle.zeros(shape))
    except Exception as error:  # whatever somebody's network meets
        raise ValueError(f"{name} can't take images of {shape}: {first_line(error)}") from error
    finally:
        network.train()
    wanted = [1, len(data.classes)]
    if not isinstance(output, paddle.Tensor) or list(output.shape) != wanted:
        got = list(output.shape) if isinstance(output, paddle.Tensor) else type(output).__name__
        raise ValueError(f"{name} must turn {shape} into {wanted} for {data.name}, got {got}")


def _restore(run: RunFolder, model: paddle.Model, recipe: Recipe) -> dict[str, Any] | None:
    last = run.last
    if last is None:
        return None  # stopped in its first epoch: start again
    state = last.state
    if state["epoch"] >= recipe.epochs:
        raise ValueError(f"{run.path} is complete ({state['epoch']} of {recipe.epochs} epochs)")
    load_weights(model.network, last.weights)
    model.load(last.prefix, reset_optimizer=True)  # the state of the loss scaling, too
    last.restore_optimizer(model.network, model._optimizer)
    return state


def _describe(
    network: nn.Layer, data: ImageData, recipe: Recipe, source: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "network": type(network).__name__,
        **(source or {}),
        "classes": list(data.classes),
        "preprocessing": dataclasses.asdict(data.preprocessing),
        "recipe": dataclasses.asdict(recipe),
        "versions": {
            "paddle_oct": __version__,
            "paddlepaddle": paddle.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def train(
    model: str,
    data: str = "digits",
    recipe: Recipe | None = None,
    run_dir: str | Path = "run",
    *,
    model_options: dict[str, Any] | None = None,
    data_options: dict[str, Any] | None = None,
    verbose: int = 1,
) -> Result:
    """Train a network by name on a data set by name, so that the run can be taken up again by name.

    Args:
        model: a name that :func:`paddle_oct.create_model` knows.
        data: a name that :func:`load_data` knows.
        recipe: how to train.
        run_dir: the folder to leave the run in.
        model_options: options of the network, such as ``{"alpha": 0.25}``.
        data_options: options of the data set, such as ``{"limit": 1000}``.
        verbose: as in :func:`fit`.

    Returns:
        As :func:`fit`.

    Raises:
        ValueError: a name or an option is unknown, or as in :func:`fit`.
    """
    recipe = recipe or Recipe()
    source = {
        "model": model,
        "model_options": model_options or {},
        "data": data,
        "data_options": data_options or {},
    }
    images = load_data(data, **source["data_options"])
    paddle.seed(recipe.seed)
    network = create_model(model, **{"num_classes": len(images.classes), **source["model_options"]})
    return fit(network, images, recipe, run_dir, source=source, verbose=verbose)


def resume(run_dir: str | Path, *, verbose: int = 1) -> Result:
    """Go on with a run that :func:`train` started, after its last complete epoch.

    Raises:
        ValueError: as :func:`fit`, or the run was started with a network of one's own: use ``fit``.
    """
    run = RunFolder.open(run_dir)
    recipe = Recipe.from_dict(run.config["recipe"])
    data = load_run_data(run)
    paddle.seed(recipe.seed)  # for a run that was stopped in its first epoch
    return fit(load_network(run), data, recipe, run_dir, resume=True, verbose=verbose)


def load_network(run: RunFolder, weights: str | Path | None = None) -> nn.Layer:
    """Build the network of a run.

    Args:
        run: a run that :func:`train` started.
        weights: a file to load into it, as :func:`load_weights` reads; by default it has fresh
            weights.

    Raises:
        ValueError: the run was started with a network of one's own, or the weights do not fit.
    """
    config = run.config
    if "model" not in config:
        raise ValueError(
            f"{run.path} was trained with a network of its user's ({config['network']}), which "
            "can't be made by name; build it and call paddle_oct.training.fit or evaluate"
        )
    options = {"num_classes": len(config["classes"]), **config["model_options"]}
    options.pop("pretrained", None)  # where the run began, not what it came to
    network = create_model(config["model"], **options)
    if weights is not None:
        load_weights(network, weights)
    return network


def load_run_data(run: RunFolder, **overrides: Any) -> ImageData:
    """Load the data set of a run.

    Args:
        run: a run that :func:`train` started.
        **overrides: options of the data set to change, such as ``data_file``.
    """
    return load_data(run.config["data"], **{**run.config["data_options"], **overrides})
