"""The folder of a training run, in which nothing is ever half-written.

::

    RUN/config.json                 network, data set, preprocessing, recipe, versions
    RUN/history.csv                 a row per epoch
    RUN/curves.png                  the same as a picture
    RUN/visualdl/                   the VisualDL record and the network's graph
    RUN/checkpoints/epoch-0007/     see ``checkpoint.py``
    RUN/.lock                       empty; locked while a process trains here

``config.json`` comes first: a folder without it holds no run. After an epoch come its checkpoint,
``curves.png``, ``history.csv``, and then the removal of older checkpoints; only the last and the
best are kept. The checkpoint decides: resuming a run removes what was being written when the
process ended, and makes the rest of the folder agree with the last checkpoint.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import shutil
import warnings
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

import paddle

from paddle_oct.base.files import sync_file, sync_folder, write_atomically
from paddle_oct.base.locks import locked

from .checkpoint import PARTIAL, REMOVED, Checkpoint, CheckpointState, Row, parameter_names
from .config import Origin, read_config, read_origin, read_preprocessing, read_recipe
from .curves import draw_curves
from .preprocessing import Preprocessing
from .recipe import Recipe
from .scalars import cut_record, record_files, record_lengths

_LOCK = ".lock"


class RunFolder:
    """A run's folder.

    :meth:`create` and :meth:`resume` are for the process that trains, and lock the folder;
    :meth:`open` is for reading it, also meanwhile.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    @contextlib.contextmanager
    def create(cls, path: str | Path, config: Mapping[str, Any]) -> Iterator[RunFolder]:
        """Start a run in a new folder, and let no other process into it while the block runs.

        What a start that was cut short left in the folder is removed.

        Raises:
            ValueError: the folder holds a run or anything else, can't be written, or another
                process is training in it.
        """
        run = cls(path)
        # In this order: another process may be starting a run there at this moment.
        if run.path.is_dir() and not run.is_unstarted and not run.config_path.exists():
            raise ValueError(f"{path} is not empty; choose another folder for the run")
        try:
            run.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"{path}: a run can't be written here ({error})") from error
        with run._locked():
            if run.config_path.exists():
                raise ValueError(
                    f"{path} already holds a run; resume it (--resume {path}) or choose another "
                    "folder"
                )
            try:
                run._remove_partials()
                run.checkpoints_path.mkdir(exist_ok=True)
                write_atomically(run.config_path, json.dumps(config, indent=2) + "\n")
                sync_folder(run.path.parent)
            except OSError as error:
                raise ValueError(f"{path}: a run can't be written here ({error})") from error
            yield run

    @classmethod
    @contextlib.contextmanager
    def resume(cls, path: str | Path) -> Iterator[RunFolder]:
        """Open the folder of a run to go on with it, and let no other process into it meanwhile.

        First it is brought to what its last checkpoint says, or to its start if there is none: what
        was half-written is removed, and what is missing in the history and its picture is added.

        Raises:
            ValueError: there is no run, its files are damaged, the folder can't be written, or
                another process is training in it.
        """
        run = cls.open(path)
        with run._locked():
            try:
                run._mend()
            except OSError as error:
                raise ValueError(f"{path} can't be resumed ({error})") from error
            yield run

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Open the folder of a run that was started before, to read it.

        Raises:
            ValueError: there is no run.
        """
        run = cls(path)
        if not run.config_path.is_file():
            why = f"there is no {run.config_path.name} in it"
            if run.is_unstarted and any(run.path.iterdir()):
                why += "; it was stopped before it began, start it again"
            raise ValueError(f"{path} holds no run ({why})")
        return run

    @property
    def is_unstarted(self) -> bool:
        """Whether the folder exists and holds no more than a start that was cut short, or nothing.

        Such a folder is free for a new run.
        """
        if not self.path.is_dir():
            return False
        return all(
            path.name == _LOCK
            or (path == self.checkpoints_path and path.is_dir() and not any(path.iterdir()))
            or fnmatch(path.name, f".{self.config_path.name}.*.partial")
            for path in self.path.iterdir()
        )

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
        return read_config(self.config_path)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the data set's classes, by label."""
        return tuple(self.config["classes"])

    @property
    def preprocessing(self) -> Preprocessing:
        """How an image becomes the network's input.

        Raises:
            ValueError: the file is damaged.
        """
        return read_preprocessing(self.config_path)

    @property
    def recipe(self) -> Recipe:
        """How the network is trained.

        Raises:
            ValueError: the file is damaged.
        """
        return read_recipe(self.config_path)

    @property
    def origin(self) -> Origin:
        """How the network and the data set are made by name.

        Raises:
            ValueError: the run was started with the user's own network, or the file is damaged.
        """
        return read_origin(self.config_path)

    def was_started_with(self, config: Mapping[str, Any]) -> bool:
        """Whether the folder holds a run of this ``config.json``, versions of packages aside.

        Raises:
            ValueError: it holds a run whose file is damaged.
        """
        if not self.config_path.is_file():
            return False
        own, other = self.config, json.loads(json.dumps(config))
        keys = {*own, *other} - {"versions"}
        return all(key in own and key in other and own[key] == other[key] for key in keys)

    @property
    def last(self) -> Checkpoint | None:
        """The checkpoint of the last complete epoch, if there is one.

        A damaged one is passed over with a warning if there is an older one that is not.
        """
        found = self._found()
        damages = []
        for checkpoint in found:
            try:
                _ = checkpoint.state
            except ValueError as error:
                damages.append(f"{error}; taking an older checkpoint in its place")
                continue
            for damage in damages:
                warnings.warn(damage, stacklevel=2)
            return checkpoint
        return found[0] if found else None  # whose state then says what is wrong

    @property
    def best(self) -> Checkpoint | None:
        """The checkpoint of the highest test accuracy so far, if there is one.

        If somebody removed it, this is the last one, and a warning says so.
        """
        last = self.last
        if last is None:
            return None
        best = self._checkpoint(last.state["best_epoch"])
        if best.weights.is_file():
            return best
        warnings.warn(
            f"{best.folder}, the best epoch, is missing; taking {last.folder.name} in its place",
            stacklevel=2,
        )
        return last

    def _checkpoint(self, epoch: int) -> Checkpoint:
        return Checkpoint(self.checkpoints_path / f"epoch-{epoch:04d}")

    def _found(self) -> list[Checkpoint]:
        """Return the checkpoints there are, the last first."""
        numbered = {
            int(match[1]): folder
            for folder in self.checkpoints_path.glob("epoch-*")
            if (match := re.fullmatch(r"epoch-([0-9]{4,9})", folder.name)) and folder.is_dir()
        }
        return [Checkpoint(numbered[epoch]) for epoch in sorted(numbered, reverse=True)]

    def save(self, history: Sequence[Row], best_epoch: int, model: paddle.Model) -> None:
        """Write the checkpoint of the last epoch in ``history``, the history and its picture.

        Args:
            history: a row per epoch.
            best_epoch: the epoch whose checkpoint is kept as well as the last.
            model: the network and its optimiser.

        Raises:
            OSError: they can't be written; the previous checkpoint remains.
        """
        for path in record_files(self.visualdl_path):
            sync_file(path)
        state: CheckpointState = {
            "epoch": history[-1]["epoch"],
            "best_epoch": best_epoch,
            "history": list(history),
            "parameter_names": parameter_names(model.network),
            "record": record_lengths(self.visualdl_path),
        }
        self._checkpoint(state["epoch"]).write(model, state)
        self._follow(state)

    def _follow(self, state: CheckpointState) -> None:
        """Make the other files agree with a checkpoint, the history last: it says that all do."""
        table = _as_csv(state["history"])
        if not _holds(self.history_path, table) or not self.curves_path.is_file():
            draw_curves(state["history"], self.curves_path)
            write_atomically(self.history_path, table)
        keep = {self._checkpoint(state[key]).folder for key in ("epoch", "best_epoch")}
        for checkpoint in self._found():
            if checkpoint.folder not in keep:
                checkpoint.remove()

    def _mend(self) -> None:
        """Bring the folder to what its last checkpoint says, or to its start if there is none."""
        self._remove_partials()
        last = self.last
        if last is None:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(self.visualdl_path)
            return
        state = last.state
        if "record" in state:
            cut_record(self.visualdl_path, state["record"])
        self._follow(state)

    def _remove_partials(self) -> None:
        """Remove what other processes were writing or removing when they ended."""
        for path in self.path.glob(".*.partial"):
            path.unlink()
        for name in (PARTIAL, REMOVED):
            shutil.rmtree(self.checkpoints_path / name, ignore_errors=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(self.path / _LOCK))
            except BlockingIOError:
                raise ValueError(
                    f"{self.path} is in use: another process, or another cell of this one, is "
                    "training in it"
                ) from None
            except OSError as error:
                raise ValueError(f"{self.path} can't be written ({error})") from error
            yield


def _as_csv(history: Sequence[Row]) -> str:
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return table.getvalue()


def _holds(path: Path, text: str) -> bool:
    """Whether a file has this content."""
    try:
        return path.read_bytes() == text.encode("utf-8")
    except OSError:
        return False
