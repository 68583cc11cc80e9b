"""Callbacks of ``paddle.Model.fit``: measuring, recording, saving."""

from __future__ import annotations

import contextlib
import io
import math
import random
import threading
import time
import warnings
from typing import Any, cast

import numpy as np
import paddle
from paddle import nn
from paddle.callbacks import Callback, ProgBarLogger, VisualDL
from paddle.distributed import ParallelEnv, get_rank

from paddle_oct.base.interrupts import raise_if_interrupted
from paddle_oct.base.private import optimizer_of
from paddle_oct.views import add_graph

from .checkpoint import CheckpointState, Row
from .data import NetworkInputs
from .run_folder import RunFolder
from .scalars import record_files

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


class EpochMeter(Callback):
    """Average the losses of an epoch; ``paddle.Model`` averages only the accuracies.

    The loss of an evaluation is replaced by its mean over all images, for the callbacks that come
    after this one. ``done`` is the number of epochs that were complete before.
    """

    def __init__(self, done: int) -> None:
        super().__init__()
        self.done = done
        self._columns: dict[str, float] = {}

    @property
    def row(self) -> Row:
        """The epoch's losses, accuracies and speed; those on the test set after its evaluation."""
        return cast("Row", dict(self._columns))  # Paddle names the accuracies at run time

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._start()
        self._columns = {"epoch": self.done + epoch + 1}

    def on_train_batch_end(self, step: int, logs: Logs = None) -> None:
        self._count(logs)
        epoch = self._columns["epoch"]
        _require_finite(logs["loss"][0], f"the loss in epoch {epoch}, step {step + 1}")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        seconds = time.perf_counter() - self._started
        self._report("train", logs)
        self._columns["images_per_second"] = round(self._images / seconds, 2)

    def on_eval_begin(self, logs: Logs = None) -> None:
        self._start()

    def on_eval_batch_end(self, step: int, logs: Logs = None) -> None:
        self._count(logs)

    def on_eval_end(self, logs: Logs = None) -> None:
        logs["loss"] = [self._loss / self._images]
        self._report("eval", logs)

    def _start(self) -> None:
        self._started = time.perf_counter()
        self._images, self._loss = 0, 0.0

    def _count(self, logs: Logs) -> None:
        images = logs["batch_size"]
        self._images += images
        self._loss += logs["loss"][0] * images

    def _report(self, split: str, logs: Logs) -> None:
        self._columns[f"{split}_loss"] = round(self._loss / self._images, 6)
        for name, value in logs.items():
            if name.startswith("acc"):
                self._columns[f"{split}_{name}"] = round(float(value), 6)


def _require_finite(loss: float, what: str) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(f"{what} is {loss}; lower the learning rate")


class Progress(ProgBarLogger):
    """Paddle's progress bar, counting epochs from the first of the run, before it was resumed."""

    def __init__(self, done: int, epochs: int, verbose: int) -> None:
        super().__init__(log_freq=1, verbose=verbose)
        self.done = done
        self.total = epochs

    def on_train_begin(self, logs: Logs = None) -> None:
        super().on_train_begin(logs)
        self.epochs = self.total

    def on_epoch_begin(self, epoch: int | None = None, logs: Logs = None) -> None:
        super().on_epoch_begin(self.done + (epoch or 0), logs)


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
        self._writes = ParallelEnv().local_rank == 0  # as Paddle's callback does

    def on_train_begin(self, logs: Logs = None) -> None:
        from visualdl import LogWriter

        super().on_train_begin(logs)
        if not self._writes:
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
        if self._writes:
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
        if self._writes:
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
        if get_rank() == 0:
            assert self.model is not None
            self.run.save(self.history, self.best_epoch, self.model)
