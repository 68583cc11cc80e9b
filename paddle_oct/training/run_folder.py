"""The folder of a training run, in which nothing is ever half-written.

::

    RUN/config.json                 network, data set, preprocessing, recipe, versions
    RUN/history.csv                 a row per epoch
    RUN/curves.png                  the same as a picture
    RUN/visualdl/                   the VisualDL record and the network's graph
    RUN/checkpoints/epoch-0007/     see ``checkpoint.py``

A checkpoint is written under another name and renamed when it is complete; only the last and the
best are kept.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any, Mapping, Sequence, TypedDict

import paddle

from paddle_oct.base.files import write_atomically

from .checkpoint import Checkpoint, Row, read_json
from .data import DataOptions
from .preprocessing import Preprocessing
from .recipe import Recipe

_CONFIG_KEYS = ("network", "classes", "preprocessing", "recipe")


class Origin(TypedDict):
    """How the network and the data set of a run are made by name.

    Attributes:
        model: a name that :func:`paddle_oct.create_model` knows.
        model_options: its options.
        data: a name that :func:`load_data` knows.
        data_options: its options.
    """

    model: str
    model_options: dict[str, Any]
    data: str
    data_options: DataOptions


class RunFolder:
    """A run's folder; make one with :meth:`create` or :meth:`open`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | Path, config: Mapping[str, Any]) -> RunFolder:
        """Start a run in a new folder.

        Raises:
            ValueError: the folder holds a run or anything else, or can't be written.
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
        """What the run was started with, as ``config.json`` has it.

        Raises:
            ValueError: the file is damaged.
        """
        return read_json(self.config_path, _CONFIG_KEYS)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the data set's classes, by label."""
        return tuple(self.config["classes"])

    @property
    def preprocessing(self) -> Preprocessing:
        """How an image becomes the network's input."""
        return Preprocessing(**self.config["preprocessing"])

    @property
    def recipe(self) -> Recipe:
        """How the network is trained."""
        return Recipe.from_dict(self.config["recipe"])

    @property
    def origin(self) -> Origin:
        """How the network and the data set are made by name.

        Raises:
            ValueError: the run was started with the user's own network, or the file is damaged.
        """
        config = self.config
        if "model" not in config:
            raise ValueError(
                f"{self.path} was trained with a network of its user's ({config['network']}), "
                "which can't be made by name; build it and call paddle_oct.training.fit or evaluate"
            )
        missing = [key for key in Origin.__annotations__ if key not in config]
        if missing:
            raise ValueError(f"{self.config_path} is damaged: it lacks {', '.join(missing)}")
        return {
            "model": config["model"],
            "model_options": config["model_options"],
            "data": config["data"],
            "data_options": config["data_options"],
        }

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

    def save(self, history: Sequence[Row], best_epoch: int, model: paddle.Model) -> None:
        """Write the checkpoint of the last epoch in ``history``, and the history itself.

        Args:
            history: a row per epoch.
            best_epoch: the epoch whose checkpoint is kept as well as the last.
            model: the network and its optimiser.

        Raises:
            OSError: they can't be written; the previous checkpoint remains.
        """
        last = self._checkpoint(history[-1]["epoch"])
        last.write(model, history, best_epoch)
        self._write_history(history)
        keep = {last.folder, self._checkpoint(best_epoch).folder}
        for folder in self.checkpoints_path.glob("epoch-*"):
            if folder not in keep:
                shutil.rmtree(folder, ignore_errors=True)

    def _write_history(self, history: Sequence[Row]) -> None:
        table = io.StringIO()
        writer = csv.DictWriter(table, fieldnames=list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        write_atomically(self.history_path, table.getvalue())
