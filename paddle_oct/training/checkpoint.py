"""A checkpoint: the network, the optimiser and the history up to an epoch.

::

    epoch-0007/model.pdparams   the network's parameters
    epoch-0007/model.pdopt      the optimiser's state
    epoch-0007/state.json       the epoch, the history, the names of the parameters
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Sequence, TypedDict, cast

import paddle
from paddle import nn

from paddle_oct.base.files import write_atomically
from paddle_oct.base.private import next_unique_name
from paddle_oct.weights import read_pickle


class _Row(TypedDict):
    epoch: int
    train_loss: float
    train_acc_top1: float
    eval_loss: float
    eval_acc_top1: float
    images_per_second: float


class Row(_Row, total=False):
    """The results of an epoch, a row of ``history.csv``.

    Losses are means over all images, accuracies are in [0, 1]. Top-5 accuracies are there if the
    data set has more than five classes.
    """

    train_acc_top5: float
    eval_acc_top5: float


class CheckpointState(TypedDict):
    """What ``state.json`` holds.

    Attributes:
        epoch: the number of the epoch, counted from 1.
        best_epoch: the first epoch of the highest test accuracy so far.
        history: a row per epoch.
        parameter_names: the parameters' global names by their names in the state dict.
    """

    epoch: int
    best_epoch: int
    history: list[Row]
    parameter_names: dict[str, str]


_STATE_KEYS = tuple(CheckpointState.__annotations__)


@dataclass(frozen=True)
class Checkpoint:
    """The folder of a checkpoint."""

    folder: Path

    @property
    def prefix(self) -> str:
        """What ``paddle.Model.load`` takes."""
        return str(self.folder / "model")

    @property
    def weights(self) -> Path:
        """The file of the network's parameters."""
        return self.folder / "model.pdparams"

    @property
    def state(self) -> CheckpointState:
        """The content of ``state.json``.

        Raises:
            ValueError: the file is damaged.
        """
        return cast("CheckpointState", read_json(self.folder / "state.json", _STATE_KEYS))

    def write(self, model: paddle.Model, history: Sequence[Row], best_epoch: int) -> None:
        """Write the checkpoint of the last epoch in ``history``, all of it or nothing.

        Raises:
            OSError: it can't be written.
        """
        state: CheckpointState = {
            "epoch": history[-1]["epoch"],
            "best_epoch": best_epoch,
            "history": list(history),
            "parameter_names": parameter_names(model.network),
        }
        partial = Checkpoint(self.folder.with_name(".partial"))
        shutil.rmtree(partial.folder, ignore_errors=True)
        try:
            partial.folder.mkdir()
            model.save(partial.prefix)
            write_atomically(partial.folder / "state.json", json.dumps(state))
            # The name must be free, or the folder can't be renamed.
            shutil.rmtree(self.folder, ignore_errors=True)
            os.replace(partial.folder, self.folder)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.folder)) from error
        finally:
            shutil.rmtree(partial.folder, ignore_errors=True)

    def restore_optimizer(self, network: nn.Layer, optimizer: paddle.optimizer.Optimizer) -> None:
        """Give an optimiser the state that it had for this network.

        Paddle stores it by the parameters' global names, which count all layers ever made in a
        process; here they are translated to those of this process.
        """
        own = parameter_names(network)
        names = {stored: own[key] for key, stored in self.state["parameter_names"].items()}
        longest_first = sorted(names, key=len, reverse=True)

        def translated(key: str) -> str:
            name = next((n for n in longest_first if key == n or key.startswith(f"{n}_")), None)
            if name is None or key == name:
                return names.get(key, key)
            slot, _, _ = key[len(name) :].rpartition("_")  # "_velocity_0" without its number
            return next_unique_name(names[name] + slot)

        state = read_pickle(f"{self.prefix}.pdopt")
        renamed = {translated(key): value for key, value in state.items()}
        masters = renamed.get("master_weights", {})
        if masters:
            renamed["master_weights"] = {translated(key): value for key, value in masters.items()}
        optimizer.set_state_dict(renamed)


def parameter_names(network: nn.Layer) -> dict[str, str]:
    """Return the global names of a network's parameters by their names in the state dict."""
    return {key: parameter.name for key, parameter in network.named_parameters()}


def read_json(path: Path, keys: Sequence[str]) -> dict[str, Any]:
    """Read a dictionary that has at least these keys.

    Raises:
        ValueError: the file can't be read, or lacks some of the keys.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} can't be read ({error})") from error
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        raise ValueError(f"{path} is damaged: it lacks {', '.join(missing)}")
    return content
