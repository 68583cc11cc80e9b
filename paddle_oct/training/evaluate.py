"""Testing a trained network, and classifying images with it."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.distributed import get_rank
from paddle.io import DataLoader, Subset

from paddle_oct.base.modes import kept_modes

from .data import ImageData
from .inputs import read_input
from .preprocessing import Preprocessing
from .processes import count_processes, join_processes, sum_over_processes
from .scores import Scores


def evaluate(network: nn.Layer, data: ImageData, batch_size: int = 64) -> dict[str, float]:
    """Test a network on a data set's test split.

    Several processes divide the images among themselves; then every process must call this.

    Returns:
        ``loss`` (cross-entropy), ``acc_top1`` and, for more than five classes, ``acc_top5``;
        accuracies are in [0, 1].

    Raises:
        ValueError: an image can't be read.
    """
    join_processes()
    test_set = data.test_set()
    share = range(get_rank(), len(test_set), count_processes())
    scores = Scores(len(data.classes), nn.CrossEntropyLoss(reduction="none"))
    with kept_modes(network, training=False), paddle.no_grad():
        for x, label in DataLoader(Subset(test_set, share), batch_size=batch_size):
            correct, losses = scores.compute(network(x), label)
            scores.update(correct.numpy(), losses.numpy())
    test_set.check()
    return scores.means(sum_over_processes(scores.sums))


def predict_logits(
    network: nn.Layer, data: ImageData, batch_size: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Return a network's outputs ``[N, classes]`` on the test split and the labels ``[N]``."""
    test_set = data.test_set()
    logits, labels = [], []
    with kept_modes(network, training=False), paddle.no_grad():
        for x, label in DataLoader(test_set, batch_size=batch_size):
            logits.append(network(x).numpy())
            labels.append(label.numpy())
    test_set.check()
    return np.concatenate(logits), np.concatenate(labels)


def predict_images(
    network: nn.Layer, paths: Sequence[str | Path], preprocessing: Preprocessing
) -> np.ndarray:
    """Classify image files.

    Args:
        network: a network that turns ``[1, 3, H, W]`` into ``[1, classes]``.
        paths: the files; all are read before any is classified.
        preprocessing: the network's.

    Returns:
        The probability of every class, ``[len(paths), classes]``.

    Raises:
        ValueError: a file is missing or no image.
    """
    inputs = [read_input(path, preprocessing) for path in paths]
    with kept_modes(network, training=False), paddle.no_grad():
        outputs = [F.softmax(network(x), axis=-1).numpy() for x in inputs]
    return np.concatenate(outputs)
