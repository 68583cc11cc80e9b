"""Pictures of costs and accuracies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Sequence

from paddle_oct.base.figures import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PICTURES,
    PURPLE,
    SKY,
    VERMILION,
    new_figure,
    save_figure,
)
from paddle_oct.base.files import check_output
from paddle_oct.base.tables import human_count
from paddle_oct.cost import macs_law, memory_law

from .comparison import Comparison
from .published import PUBLISHED, OwnRun, Published

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)  # yellow is too pale for lines
_MARKERS = "osD^vP*X<>hp"
_GREY = "#666666"
_COSTS = (
    ("macs_ratio", "MACs"),
    ("features_ratio", "feature maps of all layers"),
    ("inference_ratio", "feature maps, inference peak"),
    ("training_ratio", "feature maps, training"),
    ("time_ratio", "time, eager forward"),
)


def draw_sweep(comparison: Comparison, path: str | Path) -> None:
    """Draw costs over alpha, together with the laws of one octave convolution (Table 1).

    Args:
        comparison: what :func:`~paddle_oct.bench.sweep` returned.
        path: the file to write, ``.png``, ``.svg`` or ``.pdf``.

    Raises:
        ValueError: the comparison is no sweep, or the file can't be written.
    """
    if comparison.alphas is None:
        raise ValueError("draw_sweep: this comparison is not over alpha; see sweep")
    path = check_output(path, True, PICTURES)
    figure = new_figure(7, 4.6)
    axes = figure.subplots()
    rows = sorted(comparison.rows(), key=lambda row: row["alpha"])
    alphas = [row["alpha"] for row in rows]
    _draw_laws(axes)
    for (key, label), color, marker in zip(_COSTS, _COLOURS, _MARKERS):
        if key in rows[0]:
            values = [100 * row[key] for row in rows]
            axes.plot(alphas, values, color=color, marker=marker, ms=6, lw=1.8, label=label)
    axes.set_xlabel(r"$\alpha$, share of low-frequency channels")
    axes.set_ylabel(r"of the network at $\alpha = 0$ (%)")
    axes.set_title(comparison.profiles[0].name.partition("@")[0])
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=9, frameon=False)
    save_figure(figure, path)


def _draw_laws(axes: Axes) -> None:
    grid = [i / 100 for i in range(101)]
    for law, style, label in (
        (macs_law, "-", r"law, MACs: $1 - \frac{3}{4}\,\alpha\,(2 - \alpha)$"),
        (memory_law, "--", r"law, features: $1 - \frac{3}{4}\,\alpha$"),
    ):
        shares = [100 * law(alpha) for alpha in grid]
        axes.plot(grid, shares, color=_GREY, lw=1.2, ls=style, label=label)


def draw_layers(comparison: Comparison, path: str | Path) -> None:
    """Draw a bar per layer for the multiply-accumulates and the output of each network.

    Only layers with multiply-accumulates are drawn; an octave convolution counts as one layer. The
    networks are drawn side by side on the same scale.

    Args:
        comparison: what :func:`~paddle_oct.bench.compare` or ``sweep`` returned.
        path: as in :func:`draw_sweep`.

    Raises:
        ValueError: the file can't be written.
    """
    from matplotlib.ticker import MaxNLocator

    path = check_output(path, True, PICTURES)
    profiles = comparison.profiles
    figure = new_figure(1.5 + 4.2 * len(profiles), 6.4)
    panels = figure.subplots(2, len(profiles), sharey="row", squeeze=False)
    for column, item in enumerate(profiles):
        color = _COLOURS[column % len(_COLOURS)]
        layers = [layer for layer in item.layers if layer.macs]
        macs = [layer.macs / 1e6 for layer in layers]
        maps = [layer.output_bytes / 2**20 for layer in layers]
        for axes, values in ((panels[0][column], macs), (panels[1][column], maps)):
            axes.bar(range(1, len(values) + 1), values, width=0.8, color=color)
            axes.grid(axis="y", alpha=0.3)
            axes.set_axisbelow(True)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        title = f"{item.name}\n{human_count(item.macs)} MACs, {sum(maps):.1f} MiB of outputs"
        panels[0][column].set_title(title, fontsize=10)
        panels[1][column].set_xlabel("convolution or linear layer, in order")
    panels[0][0].set_ylabel("million MACs")
    panels[1][0].set_ylabel("output (MiB)")
    save_figure(figure, path)


def draw_accuracy(
    path: str | Path,
    runs: Sequence[OwnRun] = (),
    published: Sequence[Published] = PUBLISHED,
) -> None:
    """Draw published ImageNet accuracies over multiply-accumulates, and those of your own runs.

    Runs on ImageNet (on a data set whose name begins with ``imagenet``) are drawn among the
    published results; those on other data, whose accuracies can't be compared, in a second panel.

    Args:
        path: as in :func:`draw_sweep`.
        runs: what :func:`~paddle_oct.bench.read_run` returned.
        published: the results to draw; filled markers are vanilla networks (alpha 0).

    Raises:
        ValueError: the file can't be written.
    """
    path = check_output(path, True, PICTURES)
    here = [run for run in runs if run.data.startswith("imagenet")]
    elsewhere = [run for run in runs if run not in here]
    figure = new_figure(9.5 + 4.5 * bool(elsewhere), 6)
    widths = [2, 1] if elsewhere else [2]
    panels = figure.subplots(1, len(widths), squeeze=False, width_ratios=widths)[0]
    axes = panels[0]
    families = _draw_published(axes, published)
    axes.set_title("ImageNet, as published; filled: vanilla, open: octave", fontsize=10)
    axes.set_ylabel("top-1 accuracy (%)")
    _draw_runs(axes, here, first=families)
    _log_macs(axes)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside right upper", fontsize=8, frameon=False
    )
    if elsewhere:
        _draw_other_data(panels[1], elsewhere)
    save_figure(figure, path)


def _draw_published(axes: Axes, published: Sequence[Published]) -> int:
    """Draw a line per network and table, and return how many there are."""
    families = dict.fromkeys((p.network, p.source) for p in published)
    for index, (network, source) in enumerate(families):
        points = [p for p in published if (p.network, p.source) == (network, source)]
        points.sort(key=lambda p: p.alpha)
        of_the_paper = "Table" in source
        table = source.rpartition(", ")[2] if of_the_paper else "d-li14"
        color = _COLOURS[index % len(_COLOURS)]
        marker = _MARKERS[index % len(_MARKERS)]
        axes.plot(
            [p.gmacs for p in points],
            [p.top1 for p in points],
            color=color,
            marker=marker,
            ms=6,
            lw=1.3,
            ls="-" if of_the_paper else ":",
            markerfacecolor="white",
            label=f"{network} ({table})",
        )
        vanilla = [p for p in points if p.alpha == 0]
        axes.plot(
            [p.gmacs for p in vanilla],
            [p.top1 for p in vanilla],
            color=color,
            marker=marker,
            ms=6,
            ls="",
        )
    return len(families)


def _draw_other_data(axes: Axes, runs: Sequence[OwnRun]) -> None:
    _draw_runs(axes, runs, first=0, unit=1000)
    axes.set_title("own runs on other data", fontsize=10)
    axes.set_ylabel("best top-1 test accuracy (%)")
    axes.margins(x=0.3, y=0.3)
    axes.set_xlim(left=0)
    axes.set_xlabel("million MACs")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), fontsize=8, frameon=False)


def _draw_runs(axes: Axes, runs: Sequence[OwnRun], first: int, unit: float = 1) -> None:
    """Draw a point per run.

    Args:
        axes: the axes to draw on.
        runs: the runs.
        first: the number of the first colour and marker.
        unit: a billion MACs in the unit of the axis.
    """
    for index, run in enumerate(runs, first):
        alpha = "" if run.alpha is None else f", α {run.alpha}"
        axes.plot(
            [unit * run.gmacs],
            [run.top1],
            ls="",
            ms=11,
            marker="*X"[index % 2],
            markeredgecolor="black",
            color=_COLOURS[index % len(_COLOURS)],
            label=f"{run.label}: {run.network}{alpha} ({run.data})",
        )


def _log_macs(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.set_xlabel("billion MACs (logarithmic)")
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
