"""Draw the README's picture of an octave convolution: ``python docs/octave.py``."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

# Okabe and Ito's colours, distinct for the colour-blind.
HIGH, LOW, INK = "#0072B2", "#E69F00", "#333333"
HIGH_Y, LOW_Y = 3.35, 0.95  # the middle of each band
START, END = 2.75, 9.05  # of the arrows


def stack(axes, x, y, size, color):
    """Draw a band as a stack of four square maps; (x, y) is its centre."""
    offset = 0.09
    for k in reversed(range(4)):
        corner = (x - size / 2 + (k - 1.5) * offset, y - size / 2 + (k - 1.5) * offset)
        axes.add_patch(Rectangle(corner, size, size, facecolor=color, edgecolor="white", lw=1.5))


def path(axes, start, end, label, color, at):
    """Draw a convolution as an arrow with its name on it, ``at`` a share of the way."""
    look = {"arrowstyle": "-|>", "mutation_scale": 20, "lw": 2.4, "shrinkA": 0, "shrinkB": 0}
    axes.add_patch(FancyArrowPatch(start, end, color=color, **look))
    x, y = (a + at * (b - a) for a, b in zip(start, end))
    box = {"facecolor": "white", "edgecolor": color, "boxstyle": "round,pad=0.35", "lw": 1.2}
    axes.text(x, y, label, ha="center", va="center", fontsize=11.5, color=INK, bbox=box)


def main():
    figure, axes = plt.subplots(figsize=(11, 4.6), dpi=110)
    for x, side in ((1.5, "in"), (10.9, "out")):
        share = rf"\alpha_\mathrm{{{side}}}"
        stack(axes, x, HIGH_Y, 1.5, HIGH)
        stack(axes, x, LOW_Y, 0.75, LOW)
        for y, text in (
            (HIGH_Y + 1.1, rf"high: $1 - {share}$ of the channels"),
            (HIGH_Y - 1.17, r"$H \times W$"),
            (LOW_Y - 0.8, rf"low: ${share}$ of them, $H/2 \times W/2$"),
        ):
            axes.text(x, y, text, ha="center", va="center", fontsize=11.5, color=INK)
    gap = 0.22
    path(axes, (START, HIGH_Y + gap), (END, HIGH_Y + gap), "conv h2h", HIGH, 0.5)
    path(axes, (START, HIGH_Y - gap), (END, LOW_Y + gap), "halve, conv h2l", HIGH, 0.22)
    path(axes, (START, LOW_Y + gap), (END, HIGH_Y - gap), "conv l2h, double", LOW, 0.22)
    path(axes, (START, LOW_Y - gap), (END, LOW_Y - gap), "conv l2l", LOW, 0.5)
    for y in (HIGH_Y, LOW_Y):
        axes.add_patch(Circle((END + 0.3, y), 0.24, facecolor="white", edgecolor=INK, lw=1.5))
        axes.text(END + 0.3, y - 0.01, "+", ha="center", va="center", fontsize=17, color=INK)
    axes.set(xlim=(-0.3, 12.7), ylim=(-0.15, 4.75), aspect="equal")
    axes.axis("off")
    figure.savefig(Path(__file__).with_suffix(".png"), bbox_inches="tight", facecolor="white")


if __name__ == "__main__":
    main()
