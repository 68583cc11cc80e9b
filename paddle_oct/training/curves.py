"""The curves of a run: read from its record, drawn as a picture."""

from __future__ import annotations

import io
from pathlib import Path

from paddle_oct.base.files import write_atomically

from .run_folder import Row

# Okabe and Ito's colours, which remain distinct for the colour-blind.
_TRAIN = {"color": "#0072B2", "marker": "o", "label": "training"}
_EVAL = {"color": "#D55E00", "marker": "s", "label": "test"}


def draw_curves(history: list[Row], path: str | Path) -> None:
    """Draw loss and accuracy over the epochs into a PNG file.

    Args:
        history: a row per epoch, as in ``history.csv``.
        path: the file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = [("loss", "loss", 1), ("acc_top1", "top-1 accuracy (%)", 100)]
    for axes, (column, label, factor) in zip(figure.subplots(1, 2), panels):
        drawn = []
        for split, style in (("train", _TRAIN), ("eval", _EVAL)):
            values = [factor * row[f"{split}_{column}"] for row in history]
            axes.plot(epochs, values, markersize=4, **style)
            drawn += values
        if column == "loss" and max(drawn) > 20 * min(drawn) > 0:
            axes.set_yscale("log")  # or a bad first epoch flattens all that follows
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.legend()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    write_atomically(Path(path), picture.getvalue())


def record_files(folder: str | Path) -> list[Path]:
    """Return the record files in a VisualDL folder, oldest first."""
    return sorted(Path(folder).glob("*vdlrecords*"))


def read_scalars(folder: str | Path) -> dict[str, list[tuple[int, float]]]:
    """Read the scalars of a VisualDL folder.

    Args:
        folder: the ``log_dir`` of ``paddle.callbacks.VisualDL``, or a run's ``visualdl`` folder.

    Returns:
        ``(step, value)`` pairs in the order they were written, by tag, such as ``"train/loss"``.

    Raises:
        ValueError: there is no record in the folder.
    """
    from visualdl import LogReader

    files = record_files(folder)
    if not files:
        raise ValueError(f"{folder}: no VisualDL record (*vdlrecords*) in this folder")
    scalars: dict[str, list[tuple[int, float]]] = {}
    for file in files:
        reader = LogReader(file_path=str(file))
        for tag in reader.get_tags().get("scalar", []):
            points = [(item.id, item.value) for item in reader.get_data("scalar", tag)]
            scalars.setdefault(tag, []).extend(points)
    return scalars
