"""What a training run says while it goes on."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import paddle
from paddle import nn
from paddle.callbacks import Callback, ProgBarLogger

from .callbacks import EpochMeter
from .checkpoint import Row
from .data import ImageData
from .processes import count_processes, is_first_process
from .recipe import Recipe


def can_draw_bars() -> bool:
    """Whether the output goes where a progress bar can be redrawn: a terminal or a notebook."""
    in_notebook = type(sys.stdout).__module__.partition(".")[0] == "ipykernel"
    return sys.stdout.isatty() or in_notebook or "PYCHARM_HOSTED" in os.environ


def describe_run(
    name: str, network: nn.Layer, data: ImageData, recipe: Recipe, steps: int, threads: int
) -> str:
    """Say what is trained on what, in three lines.

    Args:
        name: the network's.
        network: the network.
        data: its data set.
        recipe: how it is trained.
        steps: the number of batches in an epoch.
        threads: how many a process may use on a CPU.
    """
    trained = sum(p.size for p in network.parameters() if not p.stop_gradient)
    size = data.preprocessing.size
    device = paddle.device.get_device()
    where = f"the CPU with {_count(threads, 'thread')}" if device == "cpu" else device
    each = ""
    if count_processes() > 1:
        each = f" in each of {count_processes()} processes"
        where = f"{where} each" if device == "cpu" else f"a {device.partition(':')[0]} each"
    return (
        f"{name}: {trained:,} trainable parameters\n"
        f"{data.name}: {len(data.train):,} training and {len(data.test):,} test images "
        f"of 3x{size}x{size} in {_count(len(data.classes), 'class', 'classes')}\n"
        f"{_count(recipe.epochs, 'epoch')} of {_count(steps, 'step')}, "
        f"{_count(recipe.batch_size, 'image')} a step{each}, on {where}"
    )


def describe_epoch(row: Row, epochs: int, seconds: float) -> str:
    """Return the results of an epoch as a line.

    Args:
        row: the results.
        epochs: the number of epochs of the whole run.
        seconds: how long it took, with its test.
    """
    width = len(str(epochs))
    splits = "; ".join(
        f"{title} loss {row[f'{split}_loss']:.4f}, accuracy {row[f'{split}_acc_top1']:.2%}"
        for title, split in (("train", "train"), ("test", "eval"))
    )
    return (
        f"epoch {row['epoch']:{width}}/{epochs}: {splits}; "
        f"{row['images_per_second']:.0f} images/s, {seconds:.1f} s"
    )


def _count(number: int, noun: str, nouns: str | None = None) -> str:
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


class EpochLines(Callback):
    """Print a line for every epoch, once it is tested and saved."""

    def __init__(self, meter: EpochMeter, epochs: int) -> None:
        super().__init__()
        self.meter = meter
        self.epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._started = time.perf_counter()

    def on_eval_end(self, logs: Any = None) -> None:
        seconds = time.perf_counter() - self._started
        if is_first_process():
            print(describe_epoch(self.meter.row, self.epochs, seconds), flush=True)


class Progress(ProgBarLogger):
    """Paddle's progress bar, counting epochs from the first of the run, before it was resumed."""

    def __init__(self, done: int, epochs: int, verbose: int) -> None:
        super().__init__(log_freq=1, verbose=verbose)
        self.done = done
        self.total = epochs

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        self.epochs = self.total

    def on_epoch_begin(self, epoch: int | None = None, logs: Any = None) -> None:
        super().on_epoch_begin(self.done + (epoch or 0), logs)
