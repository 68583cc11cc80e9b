"""A checkpoint: the network, the optimiser and the history up to an epoch.

::

    epoch-0007/model.pdparams   the network's parameters
    epoch-0007/model.pdopt      the optimiser's state, if it has any
    epoch-0007/model.pdscaler   the state of the loss scaling, in mixed precision
    epoch-0007/state.json       the epoch, the history, the names of the parameters
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

import paddle
from paddle import nn

from paddle_oct.base.files import errors_naming, sync_file, sync_folder, write_atomically
from paddle_oct.base.private import next_unique_name, optimizer_of, set_loss_scaling
from paddle_oct.weights import load_weights, read_pickle

from .json_files import COUNT, LENGTH, NUMBER, TEXT, list_of, read_json, table_of


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


class _State(TypedDict):
    epoch: int
    best_epoch: int
    history: list[Row]
    parameter_names: dict[str, str]


class CheckpointState(_State, total=False):
    """What ``state.json`` holds.

    Attributes:
        epoch: the number of the epoch, counted from 1.
        best_epoch: the first epoch of the highest test accuracy so far.
        history: a row per epoch.
        parameter_names: the parameters' global names by their names in the state dict.
        files: the names of the files beside ``state.json``.
        record: the length in bytes of the VisualDL record when the epoch ended, by the file's name.
    """

    files: list[str]
    record: dict[str, int]


#: The folders of a checkpoint that is being written, and of one that is being removed.
PARTIAL, REMOVED = ".partial", ".removed"

_STATE = {
    "epoch": COUNT,
    "best_epoch": COUNT,
    "history": list_of(table_of(NUMBER)),
    "parameter_names": table_of(TEXT),
    "files": list_of(TEXT).or_missing(),
    "record": table_of(LENGTH).or_missing(),
}


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
            ValueError: the file is damaged, or another file of the checkpoint is missing.
        """
        path = self.folder / "state.json"
        state = cast("CheckpointState", read_json(path, _STATE))
        for name in state.get("files", []):
            if not os.path.isfile(self.folder / name):
                raise ValueError(f"{self.folder} is damaged: it lacks {name[:100]}")
        history = state["history"]
        columns = history[0].keys()
        if (
            not state["best_epoch"] <= state["epoch"] == len(history)
            or any(row.get("epoch") != number for number, row in enumerate(history, start=1))
            or not _Row.__required_keys__ <= columns
            or any(row.keys() != columns for row in history)
        ):
            raise ValueError(f"{path} is damaged: its history does not fit its epoch")
        return state

    def write(self, model: paddle.Model, state: CheckpointState) -> None:
        """Write the checkpoint, all of it or nothing; it then survives a power failure too.

        Args:
            model: the network, its optimiser and its loss scaling.
            state: what to write to ``state.json``, to which ``files`` is added.

        Raises:
            OSError: it can't be written.
        """
        partial = self.folder.with_name(PARTIAL)
        with errors_naming(self.folder):
            shutil.rmtree(partial, ignore_errors=True)
            try:
                partial.mkdir(parents=True)
                model.save(str(partial / "model"))
                files = sorted(partial.iterdir())
                for path in files:
                    sync_file(path)
                content: CheckpointState = {**state, "files": [path.name for path in files]}
                write_atomically(partial / "state.json", json.dumps(content))
                self.remove()  # the name must be free, or the folder can't be renamed
                os.replace(partial, self.folder)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
            sync_folder(self.folder.parent)

    def remove(self) -> None:
        """Remove the checkpoint if it exists, under another name: no part of it is left behind."""
        if self.folder.is_dir():
            removed = self.folder.with_name(REMOVED)
            shutil.rmtree(removed, ignore_errors=True)
            os.replace(self.folder, removed)
            shutil.rmtree(removed, ignore_errors=True)

    def restore(self, model: paddle.Model) -> None:
        """Give a network, its optimiser and its loss scaling the state that they had.

        Raises:
            ValueError: the checkpoint is of another network, or damaged.
        """
        load_weights(model.network, self.weights)
        if (self.folder / "model.pdopt").is_file():
            self._restore_optimizer(model.network, optimizer_of(model))
        scaling = self.folder / "model.pdscaler"
        if scaling.is_file():
            try:
                set_loss_scaling(model, read_pickle(scaling))
            except (LookupError, TypeError, ValueError, RuntimeError) as error:
                raise ValueError(f"{scaling} is no state of a loss scaling ({error})") from error

    def _restore_optimizer(self, network: nn.Layer, optimizer: paddle.optimizer.Optimizer) -> None:
        """Restore the optimiser.

        Paddle stores its state by the parameters' global names, which count all layers ever made in
        a process; here they are translated to those of this process.
        """
        own, stored = parameter_names(network), self.state["parameter_names"]
        if own.keys() != stored.keys():
            raise ValueError(f"{self.folder} belongs to another network: its parameters differ")
        names = {stored[key]: own[key] for key in own}
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
