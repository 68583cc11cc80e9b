"""Callbacks of ``paddle.Model.fit``: measuring, recording, saving."""

from __future__ import annotations

import contextlib
import io
import math
import random
import threading
import time
import warnings
from typing import Any, Sequence, cast

import numpy as np
import paddle
from paddle import nn
from paddle.callbacks import Callback, VisualDL
from paddle.distributed import get_rank

from paddle_oct.base.interrupts import raise_if_interrupted
from paddle_oct.base.private import optimizer_of
from paddle_oct.views import add_graph

from .checkpoint import CheckpointState, Row
from .data import NetworkInputs
from .processes import (
    average_statistics,
    count_processes,
    is_first_process,
    sum_over_processes,
    wait_for_processes,
)
from .run_folder import RunFolder
from .scalars import record_files
from .scores import Scores

_PATIENCE = 5.0  # seconds

#: What Paddle passes to a callback: a dictionary that does not match Paddle's own hint (the loss is
#: a list, for one), or None.
Logs = Any


class SeedEpochs(Callback):
    """Make all random numbers of an epoch depend on the seed and the epoch's number alone.

    So a resumed run continues exactly as it would have without the stop, and no random state has to
    be stored.
    """

    def __init__(self, seed: int, sampler: paddle.io.DistributedBatchSampler, done: int) -> None:
        super().__init__()
        self.seed = seed
        self.sampler = sampler
        self.done = done

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        key = (self.seed, self.done + epoch)
        of_all, of_process = (
            np.random.SeedSequence((*key, *process)).generate_state(1)[0]
            for process in ((), (get_rank(),))
        )
        self.sampler.set_epoch(int(of_all))  # every process must draw the same order
        paddle.seed(int(of_process))
        np.random.seed(of_process)
        random.seed(int(of_process))


class CheckImages(Callback):
    """Raise the ``ValueError`` of an image of these data sets that could not be read.

    And the interrupt, if there was one and Python lost it, as while it forked a worker.
    """

    def __init__(self, *data_sets: NetworkInputs) -> None:
        super().__init__()
        self._data_sets = data_sets

    def on_train_batch_end(self, step: int, logs: Logs = None) -> None:
        self._check()

    def on_eval_batch_end(self, step: int, logs: Logs = None) -> None:
        self._check()

    def _check(self) -> None:
        raise_if_interrupted()
        for data_set in self._data_sets:
            data_set.check()


class AverageStatistics(Callback):
    """Give all processes the same running statistics, before the network is tested and saved."""

    def __init__(self, network: nn.Layer) -> None:
        super().__init__()
        self.network = network

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        average_statistics(self.network)


class KeepTogether(Callback):
    """Let the processes wait for the first where it alone works, and on a CPU for each step.

    Paddle's operators that do so on a CPU give up after 30 seconds.
    """

    def on_train_begin(self, logs: Logs = None) -> None:
        wait_for_processes()

    def on_train_batch_begin(self, step: int, logs: Logs = None) -> None:
        if paddle.device.get_device() == "cpu":
            wait_for_processes()

    def on_eval_batch_begin(self, step: int, logs: Logs = None) -> None:
        self.on_train_batch_begin(step, logs)

    def on_eval_end(self, logs: Logs = None) -> None:
        wait_for_processes()


class EpochMeter(Callback):
    """Measure an epoch: losses and accuracies over all images of all processes, and the speed.

    The loss of an evaluation, for which ``paddle.Model`` has that of the last batch, is replaced by
    its mean over all images, for the callbacks that come after this one.

    Args:
        done: the number of epochs that were complete before.
        scores: the metric of the ``paddle.Model``.
    """

    def __init__(self, done: int, scores: Scores) -> None:
        super().__init__()
        self.done = done
        self.scores = scores
        self._columns: dict[str, float] = {}

    @property
    def row(self) -> Row:
        """The epoch's losses, accuracies and speed; those on the test set after its evaluation."""
        return cast("Row", dict(self._columns))  # Paddle names the accuracies at run time

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._started = time.perf_counter()
        self._columns = {"epoch": self.done + epoch + 1}

    def on_train_batch_end(self, step: int, logs: Logs = None) -> None:
        self._sums = self.scores.sums  # Paddle resets them before the epoch ends
        epoch = self._columns["epoch"]
        _require_finite(logs["loss"][0], f"the loss in epoch {epoch}, step {step + 1}")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        seconds = time.perf_counter() - self._started
        *sums, seconds = sum_over_processes([*self._sums, seconds])
        self._report("train", sums)
        speed = sums[0] / (seconds / count_processes())
        self._columns["images_per_second"] = round(speed, 2)

    def on_eval_batch_end(self, step: int, logs: Logs = None) -> None:
        # Paddle has gathered what the other processes computed, and cut off what is padding.
        self._sums = self.scores.sums

    def on_eval_end(self, logs: Logs = None) -> None:
        self._report("eval", self._sums)
        logs["loss"] = [self.scores.means(self._sums)["loss"]]

    def _report(self, split: str, sums: Sequence[float]) -> None:
        for name, mean in self.scores.means(sums).items():
            self._columns[f"{split}_{name}"] = round(mean, 6)


def _require_finite(loss: float, what: str) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(f"{what} is {loss}; lower the learning rate")


class Record(VisualDL):
    """Paddle's VisualDL callback, with the learning rate, the speed and the network's graph.

    A resumed run appends to the same record file.
    """

    def __init__(
        self, run: RunFolder, meter: EpochMeter, network: nn.Layer, input_size: tuple[int, ...]
    ) -> None:
        super().__init__(str(run.visualdl_path))
        self.run = run
        self.meter = meter
        self.network = network
        self.input_size = input_size

    def on_train_begin(self, logs: Logs = None) -> None:
        from visualdl import LogWriter

        super().on_train_begin(logs)
        if not is_first_process():  # nor does Paddle's callback write there
            return
        files = record_files(self.run.visualdl_path)
        with contextlib.redirect_stdout(io.StringIO()):  # it prints when it appends to a file
            self.writer = LogWriter(self.log_dir, file_name=files[-1].name if files else "")
        self.train_step = self.meter.done * self.params["steps"]
        if not files:
            try:
                add_graph(self.writer, self.network, self.input_size)
            except ValueError as error:  # a user's network may not be traceable
                warnings.warn(str(error), stacklevel=2)

    def on_epoch_begin(self, epoch: int | None = None, logs: Logs = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self.epoch = self.meter.done + (epoch or 0)

    def on_train_batch_end(self, step: int, logs: Logs = None) -> None:
        super().on_train_batch_end(step, logs)
        assert self.model is not None
        self._add("train/learning_rate", self.train_step, optimizer_of(self.model).get_lr())

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._add("train/images_per_second", self.epoch, self.meter.row["images_per_second"])

    def on_eval_end(self, logs: Logs = None) -> None:
        super().on_eval_end(logs)
        if is_first_process():
            self.writer.flush()  # a thread writes it; the checkpoint notes its length

    def close(self) -> None:
        """Close the record of a training that was interrupted.

        The interrupt may have come while VisualDL was taking a lock, which it then never releases.
        So this waits some seconds at most; a resumed run cuts off what is incomplete.
        """
        if hasattr(self, "writer"):
            closing = threading.Thread(target=self.writer.close, daemon=True)
            closing.start()
            closing.join(_PATIENCE)
            del self.writer

    def _add(self, tag: str, step: int, value: float) -> None:
        if is_first_process():
            self.writer.add_scalar(tag=tag, step=step, value=value)


class SaveEpochs(Callback):
    """Write a checkpoint, the history and its picture after every epoch; see ``RunFolder.save``.

    Attributes:
        history: a row per epoch.
        best_epoch: the first epoch of the highest test accuracy.
    """

    def __init__(self, run: RunFolder, meter: EpochMeter, state: CheckpointState | None) -> None:
        super().__init__()
        self.run = run
        self.meter = meter
        self.history = state["history"] if state else []
        self.best_epoch = state["best_epoch"] if state else 0

    def on_eval_end(self, logs: Logs = None) -> None:
        row = self.meter.row
        _require_finite(row["eval_loss"], f"the loss on the test set after epoch {row['epoch']}")
        self.history.append(row)
        self.best_epoch = max(self.history, key=lambda row: row["eval_acc_top1"])["epoch"]
        if is_first_process():
            assert self.model is not None
            self.run.save(self.history, self.best_epoch, self.model)
