"""Pictures of costs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Sequence

from paddle_oct.base.files import check_output, write_atomically
from paddle_oct.base.tables import human_count

from .comparison import Comparison
from .published import PUBLISHED, OwnRun, Published

PICTURES = (".png", ".svg", ".pdf")
# Okabe and Ito's colours, which remain distinct for the colour-blind; yellow is too pale for lines.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "osD^vP*X<>hp"
_GREY = "#666666"


def macs_law(alpha: float) -> float:
    """Return the cost of one octave convolution, as a share of the vanilla one's (Table 1)."""
    return 1 - 0.75 * alpha * (2 - alpha)


def memory_law(alpha: float) -> float:
    """Return the memory of an octave feature, as a share of the vanilla one's (Table 1)."""
    return 1 - 0.75 * alpha


def draw_sweep(comparison: Comparison, path: str | Path) -> None:
    """Draw costs over alpha, beside the laws of one octave convolution.

    Args:
        comparison: what :func:`sweep` returned.
        path: the file to write, ``.png``, ``.svg`` or ``.pdf``.

    Raises:
        ValueError: the comparison is no sweep, or the file can't be written.
    """
    if comparison.alphas is None:
        raise ValueError("draw_sweep: this comparison is not over alpha; see sweep")
    path = check_output(path, True, PICTURES)
    figure = _figure(7, 4.6)
    axes = figure.subplots()
    order = sorted(range(len(comparison.alphas)), key=lambda i: comparison.alphas[i])
    alphas = [comparison.alphas[i] for i in order]
    rows = [comparison.rows()[i] for i in order]
    grid = [i / 100 for i in range(101)]
    axes.plot(grid, [100 * macs_law(a) for a in grid], color=_GREY, lw=1.2,
              label=r"law, MACs: $1 - \frac{3}{4}\,\alpha\,(2 - \alpha)$")  # fmt: skip
    axes.plot(grid, [100 * memory_law(a) for a in grid], color=_GREY, lw=1.2, ls="--",
              label=r"law, features: $1 - \frac{3}{4}\,\alpha$")  # fmt: skip
    lines = (
        ("macs_ratio", "MACs"),
        ("features_ratio", "feature maps of all layers"),
        ("inference_ratio", "feature maps, inference peak"),
        ("training_ratio", "feature maps, training"),
        ("time_ratio", "time, eager forward"),
    )
    for (key, label), color, marker in zip(lines, _COLORS, _MARKERS):
        if key in rows[0]:
            values = [100 * row[key] for row in rows]
            axes.plot(alphas, values, color=color, marker=marker, ms=6, lw=1.8, label=label)
    axes.set_xlabel(r"$\alpha$, share of low-frequency channels")
    axes.set_ylabel(r"of the network at $\alpha = 0$ (%)")
    axes.set_title(comparison.profiles[0].name.partition("@")[0])
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=9, frameon=False)
    _save(figure, path)


def draw_layers(comparison: Comparison, path: str | Path) -> None:
    """Draw a bar per layer for the multiply-accumulates and the output of each network.

    Only layers with multiply-accumulates are drawn; an octave convolution is one of them. Networks
    stand one beside the other, on the same scale.

    Args:
        comparison: what :func:`compare` or :func:`sweep` returned.
        path: as in :func:`draw_sweep`.

    Raises:
        ValueError: the file can't be written.
    """
    from matplotlib.ticker import MaxNLocator

    path = check_output(path, True, PICTURES)
    profiles = comparison.profiles
    figure = _figure(1.5 + 4.2 * len(profiles), 6.4)
    panels = figure.subplots(2, len(profiles), sharey="row", squeeze=False)
    for column, item in enumerate(profiles):
        color = _COLORS[column % len(_COLORS)]
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
    _save(figure, path)


def draw_accuracy(
    path: str | Path,
    runs: Sequence[OwnRun] = (),
    published: Sequence[Published] = PUBLISHED,
) -> None:
    """Draw ImageNet accuracy over multiply-accumulates as published, and runs of one's own.

    Runs on ImageNet (a data set of that name) are drawn among the published results; those on
    other data, whose accuracy means something else, in a panel beside.

    Args:
        path: as in :func:`draw_sweep`.
        runs: what :func:`paddle_oct.training.read_run` returned.
        published: the results to draw; filled markers are vanilla networks (alpha 0).

    Raises:
        ValueError: the file can't be written.
    """
    path = check_output(path, True, PICTURES)
    here = [run for run in runs if run.data.startswith("imagenet")]
    elsewhere = [run for run in runs if run not in here]
    figure = _figure(9.5 + 4.5 * bool(elsewhere), 6)
    panels = figure.subplots(
        1, 1 + bool(elsewhere), squeeze=False, width_ratios=[2, 1][: 1 + bool(elsewhere)]
    )[0]
    axes = panels[0]
    families = dict.fromkeys((p.network, p.source) for p in published)
    for index, (network, source) in enumerate(families):
        points = [p for p in published if (p.network, p.source) == (network, source)]
        points.sort(key=lambda p: p.alpha)
        color = _COLORS[index % len(_COLORS)]
        table = source.rpartition(", ")[2] if "Table" in source else "d-li14"
        style = {"color": color, "marker": _MARKERS[index % len(_MARKERS)], "ms": 6}
        axes.plot(
            [p.gmacs for p in points],
            [p.top1 for p in points],
            lw=1.3,
            ls="-" if "Table" in source else ":",
            markerfacecolor="white",
            label=f"{network} ({table})",
            **style,
        )
        vanilla = [p for p in points if p.alpha == 0]
        axes.plot([p.gmacs for p in vanilla], [p.top1 for p in vanilla], ls="", **style)
    axes.set_title("ImageNet, as published; filled: vanilla, open: octave", fontsize=10)
    axes.set_ylabel("top-1 accuracy (%)")
    _draw_runs(axes, here, first=len(families))
    _log_macs(axes)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside right upper", fontsize=8, frameon=False
    )
    if elsewhere:
        own = panels[1]
        _draw_runs(own, elsewhere, first=0, unit=1000)
        own.set_title("own runs on other data", fontsize=10)
        own.set_ylabel("best top-1 test accuracy (%)")
        own.margins(x=0.3, y=0.3)
        own.set_xlim(left=0)
        own.set_xlabel("million MACs")
        own.grid(alpha=0.3)
        own.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), fontsize=8, frameon=False)
    _save(figure, path)


def _draw_runs(axes: Any, runs: Sequence[OwnRun], first: int, unit: float = 1) -> None:
    for index, run in enumerate(runs, first):
        alpha = "" if run.alpha is None else f", α {run.alpha}"
        axes.plot(
            [unit * run.gmacs], [run.top1], ls="", ms=11,
            marker="*X"[index % 2], markeredgecolor="black",
            color=_COLORS[index % len(_COLORS)],
            label=f"{run.label}: {run.network}{alpha} ({run.data})",
        )  # fmt: skip


def _log_macs(axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.set_xlabel("billion MACs (logarithmic)")
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Any, path: Path) -> None:
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix[1:].lower(), dpi=120)
    write_atomically(path, picture.getvalue())
