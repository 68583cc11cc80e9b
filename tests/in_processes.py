"""What ``test_processes.py`` lets each of several processes do: ``in_processes.py MODE FOLDER``.

Each writes what came out to ``FOLDER/N.json``, N being its rank.
"""

import dataclasses
import gc
import hashlib
import json
import sys
import time
from pathlib import Path

import numpy as np
import paddle
import pytest
from helpers import classifier
from paddle import nn
from paddle.distributed import get_rank

from paddle_oct import OctaveConv, OctaveMerge, PerBand
from paddle_oct.training import Recipe, evaluate, fit, load_data, predict_logits
from paddle_oct.training.processes import join_processes, wait_for_processes

RECIPE = Recipe(epochs=2, batch_size=8, warmup_epochs=0.5)


def digest(network):
    """A hash of everything that the network holds."""
    state = network.state_dict()
    return hashlib.sha256(
        b"".join(state[key].numpy().tobytes() for key in sorted(state))
    ).hexdigest()


def mean_loss(logits, labels):
    logits = logits.astype("float64")
    logits -= logits.max(axis=1, keepdims=True)
    return (np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]).mean()


def train(folder):
    paddle.seed(1 + get_rank())  # the processes begin with weights of their own
    data = load_data("digits", image_size=16, limit=69)  # an odd number: one process gets padding
    network = classifier()
    result = fit(network, data, RECIPE, folder / "run", verbose=1)
    gc.collect()
    further = dataclasses.replace(RECIPE, epochs=1)
    result = fit(network, data, further, folder / "again", verbose=0)
    logits, labels = predict_logits(network, data)
    return {
        "digest": digest(network),
        "history": result.history,
        "evaluate": evaluate(network, data, 7),
        "loss": mean_loss(logits, labels),
        "accuracy": (logits.argmax(axis=1) == labels).mean(),
        "images": len(labels),
        "weights": without_norms(data, folder / "without_norms"),
    }


def without_norms(data, folder, batch_size=8):
    """Train a network that computes the same in one process of twice the batch size."""
    paddle.seed(1)
    network = nn.Sequential(
        OctaveConv(3, 8, 3, 0, 0.5, padding=1),
        PerBand(nn.ReLU()),
        OctaveConv(8, 8, 3, 0.5, 0, padding=1),
        OctaveMerge(),
        nn.AdaptiveAvgPool2D(2),
        nn.Flatten(),
        nn.Linear(32, 10),
    )
    recipe = Recipe(epochs=1, batch_size=batch_size, learning_rate=0.1, augmentation="none")
    fit(network, data.limited(64), recipe, folder, verbose=0)
    return {key: value.tolist() for key, value in network.state_dict().items()}


def measure(folder):
    """Train so little that the weights remain; then the epoch's loss can be known beforehand."""
    data = load_data("digits", image_size=8, limit=70)
    paddle.seed(1)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 10))
    network[1].weight.set_value(network[1].weight * 5)
    recipe = Recipe(
        epochs=1, batch_size=35, learning_rate=1e-30, warmup_epochs=0, augmentation="none"
    )
    history = fit(network, data, recipe, folder / "run", verbose=0).history
    inputs = data.train_set("none")
    images = paddle.to_tensor(np.stack([image for image, _ in inputs]))
    labels = np.array([label for _, label in inputs])
    logits = network(images).numpy()
    return {
        "row": history[0],
        "loss": mean_loss(logits, labels),
        "accuracy": (logits.argmax(axis=1) == labels).mean(),
    }


class Diverging(nn.Layer):
    """Its outputs become NaN in the process of rank 1 alone."""

    def __init__(self):
        super().__init__()
        self.body = classifier()

    def forward(self, x):
        y = self.body(x)
        return y * float("nan") if self.training and get_rank() == 1 else y


def diverge(folder):
    fit(Diverging(), load_data("digits", image_size=16, limit=69), RECIPE, folder / "run")


def leave(folder):
    """One process waits for another, which does not come, as if it had failed elsewhere."""
    if get_rank() == 1:
        join_processes()
        return time.sleep(20)
    with pytest.raises(RuntimeError, match="another process did not come"):
        wait_for_processes()


if __name__ == "__main__":
    mode, folder = sys.argv[1], Path(sys.argv[2])
    modes = {"train": train, "measure": measure, "diverge": diverge, "leave": leave}
    answer = modes[mode](folder)
    (folder / f"{get_rank()}.json").write_text(json.dumps(answer))
