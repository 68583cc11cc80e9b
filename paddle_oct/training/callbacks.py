"""What happens during ``paddle.Model.fit`` beside training: measuring, recording, saving."""

from __future__ import annotations

import contextlib
import io
import math
import random
import time
import warnings
from typing import Any

import numpy as np
import paddle
from paddle import nn
from paddle.callbacks import Callback, ProgBarLogger, VisualDL

from paddle_oct.views import add_graph

from .curves import draw_curves, record_files
from .run_folder import Row, RunFolder


class SeedEpochs(Callback):
    """Make all random numbers of an epoch a function of the seed and the epoch's number.

    So a run that is resumed goes on exactly as it would have, with no random state to be stored.
    """

    def __init__(self, seed: int, sampler: paddle.io.DistributedBatchSampler, done: int) -> None:
        super().__init__()
        self.seed = seed
        self.sampler = sampler
        self.done = done

    def on_epoch_begin(self, epoch: int | None = None, logs: dict | None = None) -> None:
        key = (self.seed, self.done + epoch)
        of_all, of_process = (
            np.random.SeedSequence((*key, *process)).generate_state(1)[0]
            for process in ((), (paddle.distributed.get_rank(),))
        )
        self.sampler.set_epoch(int(of_all))  # every process must draw the same order
        paddle.seed(int(of_process))
        np.random.seed(of_process)
        random.seed(int(of_process))


class CheckImages(Callback):
    """Stop where an image of these data sets could not be read, and say which."""

    def __init__(self, *data_sets: Any) -> None:
        super().__init__()
        self._data_sets = data_sets

    def _check(self, step: int, logs: dict[str, Any] | None = None) -> None:
        for data_set in self._data_sets:
            data_set.check()

    on_train_batch_end = on_eval_batch_end = _check


class EpochMeter(Callback):
    """Take the means of an epoch, which ``paddle.Model`` reports for accuracies alone.

    Before the callbacks after it see them, the loss of an evaluation is replaced by its mean over
    all images.

    Attributes:
        row: the loss and accuracies of the epoch for both splits, and its speed.
    """

    def __init__(self, done: int) -> None:
        super().__init__()
        self.done = done
        self.row: Row = {}

    def on_epoch_begin(self, epoch: int | None = None, logs: dict | None = None) -> None:
        self._start()
        self.row = {"epoch": self.done + epoch + 1}

    def on_train_batch_end(self, step: int, logs: dict | None = None) -> None:
        self._count(logs)
        _require_finite(logs["loss"][0], f"the loss in epoch {self.row['epoch']}, step {step + 1}")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        seconds = time.perf_counter() - self.started
        self._report("train", logs)
        self.row["images_per_second"] = round(self.images / seconds, 2)

    def on_eval_begin(self, logs: dict | None = None) -> None:
        self._start()

    def on_eval_batch_end(self, step: int, logs: dict | None = None) -> None:
        self._count(logs)

    def on_eval_end(self, logs: dict | None = None) -> None:
        logs["loss"] = [self.loss / self.images]
        self._report("eval", logs)

    def _start(self) -> None:
        self.started = time.perf_counter()
        self.images, self.loss = 0, 0.0

    def _count(self, logs: dict) -> None:
        images = logs["batch_size"]
        self.images += images
        self.loss += logs["loss"][0] * images

    def _report(self, split: str, logs: dict) -> None:
        self.row[f"{split}_loss"] = round(self.loss / self.images, 6)
        for name, value in logs.items():
            if name.startswith("acc"):
                self.row[f"{split}_{name}"] = round(float(value), 6)


def _require_finite(loss: float, what: str) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(f"{what} is {loss}; lower the learning rate")


class Progress(ProgBarLogger):
    """Paddle's progress bar, counting epochs from the start of the run."""

    def __init__(self, done: int, epochs: int, verbose: int) -> None:
        super().__init__(log_freq=1, verbose=verbose)
        self.done = done
        self.total = epochs

    def on_train_begin(self, logs: dict | None = None) -> None:
        super().on_train_begin(logs)
        self.epochs = self.total

    def on_epoch_begin(self, epoch: int | None = None, logs: dict | None = None) -> None:
        super().on_epoch_begin(self.done + epoch, logs)


class Record(VisualDL):
    """Paddle's VisualDL callback, with the learning rate, the speed and the network's graph.

    A resumed run goes on in the same record file.
    """

    def __init__(
        self, run: RunFolder, meter: EpochMeter, network: nn.Layer, input_size: tuple[int, ...]
    ) -> None:
        super().__init__(str(run.visualdl_path))
        self.run = run
        self.meter = meter
        self.network = network
        self.input_size = input_size

    def on_train_begin(self, logs: dict | None = None) -> None:
        from visualdl import LogWriter

        super().on_train_begin(logs)
        if not self._is_write():
            return
        files = record_files(self.run.visualdl_path)
        with contextlib.redirect_stdout(io.StringIO()):  # it remarks on a file that goes on
            self.writer = LogWriter(self.log_dir, file_name=files[-1].name if files else "")
        self.train_step = self.meter.done * self.params["steps"]
        if not files:
            try:
                add_graph(self.writer, self.network, self.input_size)
            except ValueError as error:  # somebody's network may not be traceable
                warnings.warn(str(error), stacklevel=2)

    def on_epoch_begin(self, epoch: int | None = None, logs: dict | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self.epoch = self.meter.done + epoch

    def on_train_batch_end(self, step: int, logs: dict | None = None) -> None:
        super().on_train_batch_end(step, logs)
        self._add("train/learning_rate", self.train_step, self.model._optimizer.get_lr())

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._add("train/images_per_second", self.epoch, self.meter.row["images_per_second"])

    def close(self) -> None:
        """Finish the record, also where training was interrupted."""
        if hasattr(self, "writer"):
            self.writer.close()
            del self.writer

    def _add(self, tag: str, step: int, value: float) -> None:
        if self._is_write():
            self.writer.add_scalar(tag=tag, step=step, value=value)


class SaveEpochs(Callback):
    """Leave a checkpoint, the history and its picture after every epoch.

    Attributes:
        history: a row per epoch.
        best_epoch: the first epoch of the highest test accuracy.
    """

    def __init__(self, run: RunFolder, meter: EpochMeter, state: dict[str, Any] | None) -> None:
        super().__init__()
        self.run = run
        self.meter = meter
        self.history: list[Row] = state["history"] if state else []
        self.best_epoch: int = state["best_epoch"] if state else 0

    def on_eval_end(self, logs: dict | None = None) -> None:
        row = dict(self.meter.row)
        _require_finite(row["eval_loss"], f"the loss on the test set after epoch {row['epoch']}")
        self.history.append(row)
        best = max(self.history, key=lambda row: row["eval_acc_top1"])
        self.best_epoch = int(best["epoch"])
        if paddle.distributed.get_rank() == 0:
            self.run.save(self.history, self.best_epoch, self.model)
            draw_curves(self.history, self.run.curves_path)
