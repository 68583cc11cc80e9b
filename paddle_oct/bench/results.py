"""Reading the result of a run, for a comparison of accuracy and cost."""

from __future__ import annotations

import csv
import math
import warnings
from pathlib import Path
from typing import Sequence

from paddle_oct.cost import count_macs
from paddle_oct.models import model_options
from paddle_oct.training import RunFolder, load_network

from .published import OwnRun


def read_run(path: str | Path) -> OwnRun:
    """Read the best accuracy of a run, and count the multiply-accumulates of its network.

    Raises:
        ValueError: the folder holds no run, or one without a history (no epoch was completed); a
            file is damaged; or the network can't be made by name.
    """
    run = RunFolder.open(path)
    accuracy = _best_accuracy(run)
    origin, size = run.origin, run.preprocessing.size
    macs = count_macs(load_network(run), (1, 3, size, size))
    name = origin["model"]
    alpha = origin["model_options"].get("alpha", model_options(name).get("alpha"))
    label = run.path.resolve().name
    return OwnRun(label, name, alpha, origin["data"], macs / 1e9, 100 * accuracy)


def read_runs(paths: Sequence[str | Path]) -> list[OwnRun]:
    """Read several runs as :func:`read_run` does; a warning names those that can't be read.

    Raises:
        ValueError: none of them can be read.
    """
    runs, errors = [], []
    for path in paths:
        try:
            runs.append(read_run(path))
        except ValueError as error:
            errors.append(error)
    if errors and not runs:
        raise ValueError(
            str(errors[0]) if len(errors) == 1 else f"none is a run with results: {errors[0]} ..."
        )
    for error in errors:
        warnings.warn(f"left out: {error}", stacklevel=2)
    return runs


def _best_accuracy(run: RunFolder) -> float:
    path = run.history_path
    if not path.is_file():
        raise ValueError(f"{run.path} has no history ({path.name}): no epoch was completed")
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        accuracies = [float(row["eval_acc_top1"]) for row in rows]
        if not all(map(math.isfinite, accuracies)):
            raise ValueError("an accuracy that is no number")
        return max(accuracies)
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no history of a run ({error})") from error
