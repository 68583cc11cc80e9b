"""Draw the README's picture of an octave convolution: ``python docs/octave.py``."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, Rectangle

# Okabe and Ito's colours, distinct for the colour-blind.
HIGH, LOW, PATH = "#0072B2", "#E69F00", "#444444"


def stack(axes, x, y, size, sheets, color):
    """Draw a band as a stack of square maps; (x, y) is its centre."""
    offset = 0.09
    x -= (sheets - 1) * offset / 2
    y -= (sheets - 1) * offset / 2
    for k in reversed(range(sheets)):
        corner = (x - size / 2 + k * offset, y - size / 2 + k * offset)
        axes.add_patch(Rectangle(corner, size, size, facecolor=color, edgecolor="white", lw=1.5))


def arrow(axes, start, end, label, at, color):
    axes.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=18, lw=2.2, color=color)
    )
    axes.text(*at, label, ha="center", va="center", fontsize=11, color=PATH, linespacing=1.3)


def main():
    figure, axes = plt.subplots(figsize=(10, 4.3), dpi=100)
    for x, side in ((1.5, "in"), (9.5, "out")):
        stack(axes, x, 3.4, 1.5, 4, HIGH)
        stack(axes, x, 0.95, 0.75, 4, LOW)
        share = rf"\alpha_{{{side}}}"
        axes.text(x, 4.6, rf"high: $1-{share}$ of the channels", ha="center", fontsize=11)
        axes.text(x, 2.26, r"$H \times W$", ha="center", fontsize=11, color=HIGH)
        axes.text(x, 0.02, rf"low: ${share}$ of them, $\frac{{H}}{{2}} \times \frac{{W}}{{2}}$",
                  ha="center", fontsize=11)  # fmt: skip
    left, right = 2.7, 8.3
    arrow(axes, (left, 3.6), (right, 3.6), "conv  h2h", (5.5, 3.85), HIGH)
    arrow(axes, (left, 3.2), (right, 1.25), "average 2x2, conv  h2l", (4.0, 3.22), HIGH)
    arrow(axes, (left, 1.25), (right, 3.2), "conv, up-sample  l2h", (4.05, 1.32), LOW)
    arrow(axes, (left, 0.85), (right, 0.85), "conv  l2l", (5.5, 0.58), LOW)
    axes.text(8.55, 3.4, "+", ha="center", va="center", fontsize=18)
    axes.text(8.55, 1.05, "+", ha="center", va="center", fontsize=18)
    axes.set(xlim=(0, 11), ylim=(-0.25, 4.95))
    axes.axis("off")
    figure.savefig(Path(__file__).with_suffix(".png"), bbox_inches="tight", facecolor="white")


if __name__ == "__main__":
    main()
