"""Training a network by a recipe, through ``paddle.Model``."""

from __future__ import annotations

import dataclasses
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

import numpy as np
import paddle
from paddle import nn
from paddle.io import DataLoader, DistributedBatchSampler
from paddle.version import full_version as paddle_version

from paddle_oct.version import __version__

from .callbacks import CheckImages, EpochMeter, Progress, Record, SaveEpochs, SeedEpochs
from .checkpoint import CheckpointState, Row
from .data import ImageData, NetworkInputs
from .prepare import check_output, prepare
from .recipe import Recipe
from .run_folder import RunFolder


@dataclass(frozen=True)
class Result:
    """The result of a run.

    Args:
        run: the folder of the run.
        history: a row per epoch.
        best_epoch: the first epoch of the highest test accuracy, counted from 1.
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


def fit(
    network: nn.Layer,
    data: ImageData,
    recipe: Recipe,
    run_dir: str | Path,
    *,
    resume: bool = False,
    source: Mapping[str, Any] | None = None,
    verbose: int = 1,
) -> Result:
    """Train a network.

    Args:
        network: any network that turns ``[N, 3, H, W]`` into ``[N, classes]``, octave or not.
        data: what to train and test on.
        recipe: how to train.
        run_dir: the folder that the run is written to; see :class:`RunFolder`.
        resume: whether to resume the run in this folder after its last complete epoch. Pass the
            same network, data and recipe as before. A run that was stopped before its first files
            were complete is started.
        source: further entries of ``config.json``: the origin of network and data set, as
            :func:`train` writes it.
        verbose: 0 for silence, 1 for progress bars, 2 for a line per step.

    Returns:
        The history, the best epoch, and the folder.

    Raises:
        ValueError: the network can't take the images, or does not return a row of classes; an image
            can't be read; the folder is not empty, can't be written, or another process is training
            in it; or, if ``resume``, it holds no run, a complete one, or one of another network.
        OSError: a checkpoint can't be written; the one before remains.
        FloatingPointError: the loss became infinite or NaN.
    """
    train_set, test_set = data.train_set(recipe.augmentation), data.test_set()
    sampler = _batches(train_set, recipe)
    train_loader = DataLoader(train_set, batch_sampler=sampler, num_workers=recipe.workers)
    check_output(network, data)
    model = prepare(network, data, recipe, len(train_loader))
    folder = RunFolder(run_dir)
    if resume and not folder.is_unstarted:
        opened = RunFolder.resume(run_dir)
    else:
        opened = RunFolder.create(run_dir, describe(network, data, recipe, source or {}))
    with opened as run:
        state = _restore(run, model, recipe)
        done = state["epoch"] if state else 0
        size = data.preprocessing.size
        meter = EpochMeter(done)
        record = Record(run, meter, network, (3, size, size))
        saver = SaveEpochs(run, meter, state)
        try:
            model.fit(
                train_loader,
                test_set,
                batch_size=recipe.batch_size,  # for the test set, like num_workers
                num_workers=recipe.workers,
                epochs=recipe.epochs - done,
                verbose=verbose,
                callbacks=[
                    CheckImages(train_set, test_set),
                    SeedEpochs(recipe.seed, sampler, done),
                    meter,
                    Progress(done, recipe.epochs, verbose),
                    record,
                    saver,
                ],
            )
        finally:
            record.close()
    return Result(run, saver.history, saver.best_epoch)


def _batches(train_set: NetworkInputs, recipe: Recipe) -> DistributedBatchSampler:
    return DistributedBatchSampler(
        train_set,
        recipe.batch_size,
        shuffle=True,
        drop_last=len(train_set) > recipe.batch_size,  # batch norms need more than one image
    )


def _restore(run: RunFolder, model: paddle.Model, recipe: Recipe) -> CheckpointState | None:
    """Load the last checkpoint; return None if no epoch was completed."""
    last = run.last
    if last is None:
        return None
    state = last.state
    if state["epoch"] >= recipe.epochs:
        raise ValueError(f"{run.path} is complete ({state['epoch']} of {recipe.epochs} epochs)")
    last.restore(model)
    return state


def describe(
    network: nn.Layer, data: ImageData, recipe: Recipe, origin: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the content of ``config.json``; ``origin`` is the ``source`` of :func:`fit`."""
    return {
        "network": type(network).__name__,
        **origin,
        "classes": list(data.classes),
        "preprocessing": dataclasses.asdict(data.preprocessing),
        "recipe": dataclasses.asdict(recipe),
        "versions": {
            "paddle_oct": __version__,
            "paddlepaddle": paddle_version,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
