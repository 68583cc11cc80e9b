"""Reading the result of a run, for a comparison of accuracy and cost."""

from __future__ import annotations

import csv
from pathlib import Path

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
    config = run.config
    network = load_network(run)
    try:
        size, data, name = config["preprocessing"]["size"], config["data"], config["model"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{run.config_path} is damaged: it lacks {error}") from error
    macs = count_macs(network, (1, 3, size, size))
    alpha = config["model_options"].get("alpha", model_options(name).get("alpha"))
    return OwnRun(run.path.resolve().name, name, alpha, data, macs / 1e9, 100 * accuracy)


def _best_accuracy(run: RunFolder) -> float:
    path = run.history_path
    if not path.is_file():
        raise ValueError(f"{run.path} has no history ({path.name}): no epoch was completed")
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return max(float(row["eval_acc_top1"]) for row in rows)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no history of a run ({error})") from error
