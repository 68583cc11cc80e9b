"""Pictures: making a figure without a screen, and writing its file whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from .files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What the name of a picture may end in.
PICTURES = (".png", ".svg", ".pdf")

# Okabe and Ito's colours, which remain distinct for the colour-blind.
BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE, YELLOW, BLACK = "#56B4E9", "#CC79A7", "#F0E442", "#000000"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure that needs no screen; ``width`` and ``height`` are in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: str | Path, dpi: int = 120) -> None:
    """Write a figure in the format of the file's suffix; without a suffix, as PNG."""
    picture = io.BytesIO()
    figure.savefig(picture, format=Path(path).suffix[1:].lower() or "png", dpi=dpi)
    write_atomically(Path(path), picture.getvalue())
