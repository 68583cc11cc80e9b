"""The curves of a run as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from paddle_oct.base.figures import BLUE, VERMILION, new_figure, save_figure

from .checkpoint import Row

_STYLES = (
    {"color": BLUE, "marker": "o", "label": "training"},
    {"color": VERMILION, "marker": "s", "label": "test"},
)


def draw_curves(history: Sequence[Row], path: str | Path) -> None:
    """Draw loss and accuracy over the epochs.

    Args:
        history: a row per epoch, as in ``history.csv``.
        path: the picture to write, in the format that its suffix names.
    """
    from matplotlib.ticker import MaxNLocator

    epochs = [row["epoch"] for row in history]
    losses = [(row["train_loss"], row["eval_loss"]) for row in history]
    accuracies = [(100 * row["train_acc_top1"], 100 * row["eval_acc_top1"]) for row in history]
    figure = new_figure(9, 3.6)
    left, right = figure.subplots(1, 2)
    for axes, points, label in ((left, losses, "loss"), (right, accuracies, "top-1 accuracy (%)")):
        for values, style in zip(zip(*points), _STYLES):
            axes.plot(epochs, values, markersize=4, **style)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.legend()
    if max(map(max, losses)) > 20 * min(map(min, losses)) > 0:
        left.set_yscale("log")  # a bad first epoch would flatten all that follows
    save_figure(figure, path)
