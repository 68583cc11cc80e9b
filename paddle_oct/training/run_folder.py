"""The folder that a training run leaves, and how nothing in it is ever half-written.

::

    RUN/config.json                     network, data set, preprocessing, recipe, versions
    RUN/history.csv                     a row per epoch
    RUN/curves.png                      the same as a picture
    RUN/visualdl/                       the VisualDL record and the network's graph
    RUN/checkpoints/epoch-0007/         model.pdparams, model.pdopt (the optimiser), state.json

A checkpoint is written under another name and renamed when it is complete; only the last and the
best are kept.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paddle
from paddle import nn

from paddle_oct.base.files import write_atomically
from paddle_oct.weights import read_pickle

Row = dict[str, float]


_CONFIG_KEYS = ("network", "classes", "preprocessing", "recipe")
_STATE_KEYS = ("epoch", "best_epoch", "history", "parameter_names")


def _read_json(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} can't be read ({error})") from error
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        raise ValueError(f"{path} is damaged: it lacks {', '.join(missing)}")
    return content


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint: the network, the optimiser and the history up to an epoch."""

    folder: Path

    @property
    def prefix(self) -> str:
        """What ``paddle.Model.load`` takes."""
        return str(self.folder / "model")

    @property
    def weights(self) -> Path:
        """The file of the network's parameters."""
        return self.folder / "model.pdparams"

    def restore_optimizer(self, network: nn.Layer, optimizer: paddle.optimizer.Optimizer) -> None:
        """Give an optimiser the state that it had for this network.

        Paddle stores it by the parameters' global names, which count all layers ever made in the
        process; here they are translated to those of this process.
        """
        own = parameter_names(network)
        names = {stored: own[key] for key, stored in self.state["parameter_names"].items()}
        longest_first = sorted(names, key=len, reverse=True)

        def translated(key: str) -> str:
            name = next((n for n in longest_first if key == n or key.startswith(f"{n}_")), None)
            return key if name is None else names[name] + key[len(name) :]

        state = read_pickle(f"{self.prefix}.pdopt")
        renamed = {translated(key): value for key, value in state.items()}
        masters = renamed.get("master_weights", {})
        if masters:
            renamed["master_weights"] = {translated(key): value for key, value in masters.items()}
        optimizer.set_state_dict(renamed)

    @property
    def state(self) -> dict[str, Any]:
        """``epoch``, ``best_epoch``, ``history`` and ``parameter_names`` when it was written.

        Raises:
            ValueError: the file is damaged.
        """
        return _read_json(self.folder / "state.json", _STATE_KEYS)


class RunFolder:
    """A run's folder; make one with :meth:`create` or :meth:`open`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | Path, config: dict[str, Any]) -> RunFolder:
        """Start a run in a new folder.

        Raises:
            ValueError: there is a run or anything else already, or the folder can't be written.
        """
        run = cls(path)
        if run.config_path.exists():
            raise ValueError(
                f"{path} already holds a run; resume it (--resume {path}) or choose another folder"
            )
        if run.path.is_dir() and any(run.path.iterdir()):
            raise ValueError(f"{path} is not empty; choose another folder for the run")
        try:
            run.checkpoints_path.mkdir(parents=True, exist_ok=True)
            write_atomically(run.config_path, json.dumps(config, indent=2) + "\n")
        except OSError as error:
            raise ValueError(f"{path}: a run can't be written here ({error})") from error
        return run

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Open the folder of a run that was started before.

        Raises:
            ValueError: there is no run.
        """
        run = cls(path)
        if not run.config_path.is_file():
            raise ValueError(f"{path} holds no run (there is no {run.config_path.name} in it)")
        return run

    @property
    def config_path(self) -> Path:
        """What the run was started with."""
        return self.path / "config.json"

    @property
    def history_path(self) -> Path:
        """A CSV table with a row per epoch."""
        return self.path / "history.csv"

    @property
    def curves_path(self) -> Path:
        """A picture of the history."""
        return self.path / "curves.png"

    @property
    def visualdl_path(self) -> Path:
        """The folder for ``visualdl --logdir``."""
        return self.path / "visualdl"

    @property
    def checkpoints_path(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def config(self) -> dict[str, Any]:
        """What the run was started with.

        Raises:
            ValueError: the file is damaged.
        """
        return _read_json(self.config_path, _CONFIG_KEYS)

    @property
    def last(self) -> Checkpoint | None:
        """The checkpoint of the last complete epoch, if there is one."""
        complete = sorted(self.checkpoints_path.glob("epoch-*/state.json"))
        return Checkpoint(complete[-1].parent) if complete else None

    @property
    def best(self) -> Checkpoint | None:
        """The checkpoint of the highest test accuracy so far, if there is one."""
        last = self.last
        return last and self._checkpoint(last.state["best_epoch"])

    def _checkpoint(self, epoch: int) -> Checkpoint:
        return Checkpoint(self.checkpoints_path / f"epoch-{epoch:04d}")

    def save(self, history: list[Row], best_epoch: int, model: paddle.Model) -> None:
        """Write the checkpoint of the last epoch in ``history``, and the history itself.

        Args:
            history: a row per epoch, each with its number under ``"epoch"``.
            best_epoch: the epoch whose checkpoint is kept beside the last.
            model: the network and its optimiser.

        Raises:
            OSError: it can't be written; the previous checkpoint and the history remain.
        """
        epoch = int(history[-1]["epoch"])
        state = {
            "epoch": epoch,
            "best_epoch": best_epoch,
            "history": history,
            "parameter_names": parameter_names(model.network),
        }
        partial = self.checkpoints_path / ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir()
            checkpoint = Checkpoint(partial)
            model.save(checkpoint.prefix)
            write_atomically(partial / "state.json", json.dumps(state))
            # Left by a run that was stopped between its last rename and its next epoch.
            shutil.rmtree(self._checkpoint(epoch).folder, ignore_errors=True)
            os.replace(partial, self._checkpoint(epoch).folder)
        except OSError as error:
            where = self._checkpoint(epoch).folder
            raise OSError(error.errno, error.strerror, str(where)) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self._write_history(history)
        keep = {self._checkpoint(epoch).folder, self._checkpoint(best_epoch).folder}
        for folder in self.checkpoints_path.glob("epoch-*"):
            if folder not in keep:
                shutil.rmtree(folder, ignore_errors=True)

    def _write_history(self, history: list[Row]) -> None:
        table = io.StringIO()
        writer = csv.DictWriter(table, fieldnames=list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        write_atomically(self.history_path, table.getvalue())


def parameter_names(network: nn.Layer) -> dict[str, str]:
    """Return the global names of a network's parameters by their names in the state dict."""
    return {key: parameter.name for key, parameter in network.named_parameters()}
