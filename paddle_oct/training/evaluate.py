"""Testing a trained network, and classifying images with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.metric import Accuracy

from paddle_oct.base.modes import kept_modes

from .callbacks import CheckImages, EpochMeter
from .data import ImageData, NetworkInputs
from .inputs import read_input
from .preprocessing import Preprocessing


def evaluate(network: nn.Layer, data: ImageData, batch_size: int = 64) -> dict[str, float]:
    """Test a network on a data set's test split.

    Returns:
        ``loss`` (cross-entropy), ``acc_top1`` and, for more than five classes, ``acc_top5``;
        accuracies are in [0, 1].

    Raises:
        ValueError: an image can't be read.
    """
    model = paddle.Model(network)
    model.prepare(loss=nn.CrossEntropyLoss(), metrics=accuracies(data))
    test_set = data.test_set()
    callbacks = [CheckImages(test_set), EpochMeter(0)]
    with kept_modes(network):
        result: dict[str, Any] = model.evaluate(
            test_set, batch_size, verbose=0, callbacks=callbacks
        )
    (loss,) = result.pop("loss")
    return {"loss": loss, **{name: float(value) for name, value in result.items()}}


def accuracies(data: ImageData) -> Accuracy:
    """Return the accuracies to measure on a data set: top-1 and, for over five classes, top-5."""
    return Accuracy((1, 5)) if len(data.classes) > 5 else Accuracy((1,), name="acc_top1")


def predict_logits(
    network: nn.Layer, data: ImageData, batch_size: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Return a network's outputs ``[N, classes]`` on the test split and the labels ``[N]``."""
    model = paddle.Model(network)
    model.prepare()
    test_set = data.test_set()
    images = _WithoutLabels(test_set)
    with kept_modes(network):
        (logits,) = model.predict(images, batch_size=batch_size, stack_outputs=True, verbose=0)
    test_set.check()
    return logits, np.array([test_set[i][1] for i in range(len(test_set))])


class _WithoutLabels(paddle.io.Dataset):
    def __init__(self, labelled: NetworkInputs) -> None:
        super().__init__()
        self.labelled = labelled

    def __getitem__(self, index: int) -> tuple[np.ndarray]:
        return (self.labelled[index][0],)

    def __len__(self) -> int:
        return len(self.labelled)


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
