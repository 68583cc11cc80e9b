"""Training a network by a recipe, through ``paddle.Model``."""

from __future__ import annotations

import contextlib
import dataclasses
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Mapping

import numpy as np
import paddle
from paddle import nn
from paddle.io import DataLoader, DistributedBatchSampler
from paddle.version import full_version as paddle_version

from paddle_oct.base.threads import use_threads
from paddle_oct.version import __version__

from .callbacks import (
    AverageStatistics,
    CheckImages,
    EpochMeter,
    KeepTogether,
    Record,
    SaveEpochs,
    SeedEpochs,
)
from .checkpoint import Checkpoint, CheckpointState, Row
from .data import ImageData, NetworkInputs
from .prepare import check_output, measured, prepare
from .processes import (
    count_processes,
    from_first_process,
    is_first_process,
    join_processes,
    wait_for_processes,
)
from .progress import EpochLines, Progress, can_draw_bars, describe_run
from .recipe import Recipe
from .run_folder import RunFolder
from .sync_norms import synchronise_norms


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
    progress_bars: bool | None = None,
    threads: int | None = None,
) -> Result:
    """Train a network.

    Several processes that ``paddle.distributed.launch`` has started train it together, each with
    its part of the images. The first writes the folder and prints; all of them end with the same
    weights.

    Args:
        network: any network that turns ``[N, 3, H, W]`` into ``[N, classes]``, octave or not. With
            ``recipe.sync_batch_norm``, its batch norms are replaced in several processes.
        data: what to train and test on.
        recipe: how to train.
        run_dir: the folder that the run is written to; see :class:`RunFolder`.
        resume: whether to resume the run in this folder after its last complete epoch. Pass the
            same network, data and recipe as before. A run that was stopped before its first files
            were complete is started.
        source: further entries of ``config.json``: the origin of network and data set, as
            :func:`train` writes it.
        verbose: 0 for silence, 1 for progress bars or a line per epoch, 2 for a line per step.
        progress_bars: whether ``verbose=1`` draws progress bars; by default if the output is a
            terminal or a notebook.
        threads: how many each process may use on a CPU, from now on; by default what
            ``OMP_NUM_THREADS`` is set to, or else its share of the processors.

    Returns:
        The history, the best epoch, and the folder.

    Raises:
        ValueError: the network can't take the images, or does not return a row of classes; an image
            can't be read; the folder is not empty, can't be written, or another process is training
            in it; or, if ``resume``, it holds no run, a complete one, or one of another network;
            batch norms can't be synchronised.
        OSError: a checkpoint can't be written; the one before remains.
        FloatingPointError: the loss became infinite or NaN.
    """
    threads = use_threads(threads)
    join_processes()
    if recipe.sync_batch_norm and count_processes() > 1:
        synchronise_norms(network)
    train_set, test_set = data.train_set(recipe.augmentation), data.test_set()
    sampler = _batches(train_set, recipe)
    train_loader = DataLoader(train_set, batch_sampler=sampler, num_workers=recipe.workers)
    check_output(network, data)
    scores = measured(data, recipe)
    wait_for_processes()  # however long each took for its network and data
    model = prepare(network, data, recipe, len(train_loader), scores)
    origin = source or {}
    with _opened(run_dir, resume, describe(network, data, recipe, origin)) as run:
        state = _restore(run, model, recipe)
        done = state["epoch"] if state else 0
        size = data.preprocessing.size
        meter = EpochMeter(done, scores)
        record = Record(run, meter, network, (3, size, size))
        saver = SaveEpochs(run, meter, state)
        if verbose and is_first_process():
            name = origin.get("model", type(network).__name__)
            print(describe_run(name, network, data, recipe, len(train_loader), threads))
            goes_on = f", which goes on after epoch {done}" if done else ""
            print(f"run {run.path}{goes_on}", flush=True)
        lines = []
        if verbose == 1 and not (can_draw_bars() if progress_bars is None else progress_bars):
            verbose = 0  # of Paddle's own progress bar
            lines = [EpochLines(meter, recipe.epochs)]
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
                    AverageStatistics(network),
                    Progress(done, recipe.epochs, verbose),
                    record,
                    saver,
                    KeepTogether(),
                    *lines,
                ],
            )
        finally:
            record.close()
    return Result(run, saver.history, saver.best_epoch)


def _batches(train_set: NetworkInputs, recipe: Recipe) -> DistributedBatchSampler:
    sampler = DistributedBatchSampler(train_set, recipe.batch_size, shuffle=True)
    # Batch norms need more than one image.
    sampler.drop_last = sampler.num_samples > recipe.batch_size
    return sampler


@contextlib.contextmanager
def _opened(run_dir: str | Path, resume: bool, config: Mapping[str, Any]) -> Iterator[RunFolder]:
    """Start or reopen a run; the first process does it for all, and holds the folder's lock."""
    with contextlib.ExitStack() as stack:

        def enter() -> None:
            if resume and not RunFolder(run_dir).is_unstarted:
                stack.enter_context(RunFolder.resume(run_dir))
            else:
                stack.enter_context(RunFolder.create(run_dir, config))

        from_first_process(enter)
        yield RunFolder(run_dir)


def _restore(run: RunFolder, model: paddle.Model, recipe: Recipe) -> CheckpointState | None:
    """Load the last checkpoint, which the first process finds for all.

    Return None if no epoch was completed.
    """

    def find() -> str | None:
        last = run.last
        done = last.state["epoch"] if last else 0
        if done >= recipe.epochs:
            raise ValueError(f"{run.path} is complete ({done} of {recipe.epochs} epochs)")
        return last and str(last.folder)

    folder = from_first_process(find)
    if folder is None:
        return None
    last = Checkpoint(Path(folder))
    last.restore(model)
    return last.state


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
