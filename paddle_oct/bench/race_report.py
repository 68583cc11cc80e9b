"""The result of a race as a table and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Mapping, Sequence

from tabulate import tabulate

from paddle_oct.base.figures import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILION,
    new_figure,
    save_figure,
)
from paddle_oct.cost import macs_law

from .race_result import Contender, RaceResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILION)
_MARKERS = "osD^v"
_TITLES = {
    "eager": "Paddle eager",
    "train": "Paddle training step",
    "paddle": "Paddle Inference + oneDNN",
    "paddle-openvino": "Paddle Inference + OpenVINO",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
}


def race_table(results: Sequence[RaceResult], format: str = "github") -> str:
    """Return a table with a row per result; ``format`` is a table format of ``tabulate``."""
    headers = ["engine", "network", "input", "threads", "alpha", "ms", "vanilla ms"]
    headers += ["time ratio", "MAC ratio", "law"]
    if any(result.contender.peak is not None for result in results):
        headers += ["peak MiB", "memory ratio"]
    rows = [_cells(result) for result in results]
    return tabulate(rows, headers, tablefmt=format, disable_numparse=True)


def _cells(result: RaceResult) -> list[str]:
    ours, theirs = result.contender, result.opponent
    cells = [
        _TITLES[result.engine],
        f"{ours.model} / {theirs.model}",
        "x".join(map(str, result.input_size)),
        str(result.threads),
        f"{result.alpha:g}",
        _milliseconds(ours),
        _milliseconds(theirs),
        f"{result.ratio:.3f}",
        f"{result.mac_ratio:.3f}",
        f"{result.law:.3f}",
    ]
    if ours.peak is not None and theirs.peak is not None:
        cells.append(f"{ours.peak / 2**20:.0f} / {theirs.peak / 2**20:.0f}")
        cells.append(f"{ours.peak / theirs.peak:.3f}")
    return cells


def _milliseconds(contender: Contender) -> str:
    return f"{1e3 * contender.timing.median:.1f} ± {1e3 * contender.timing.spread:.1f}"


def draw_race(results: Sequence[RaceResult], path: str | Path) -> None:
    """Draw time ratios: over alpha where there are several, else as bars.

    Args:
        results: at least one, all of the same two networks.
        path: the file to write, ``.png``, ``.svg`` or ``.pdf``.
    """
    series: dict[str, list[RaceResult]] = {}
    for result in results:
        label = f"{_TITLES[result.engine]}, batch {result.input_size[0]}, {result.threads} threads"
        series.setdefault(label, []).append(result)
    for group in series.values():
        group.sort(key=lambda result: result.alpha)
    figure = new_figure(7.5, 4.5)
    axes = figure.add_subplot()
    if any(len(group) > 1 for group in series.values()):
        _draw_over_alpha(axes, series)
    else:
        _draw_bars(axes, {label: group[0] for label, group in series.items()})
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    save_figure(figure, path)


def _draw_over_alpha(axes: Axes, series: Mapping[str, Sequence[RaceResult]]) -> None:
    for i, (label, group) in enumerate(series.items()):
        axes.plot(
            [result.alpha for result in group],
            [result.ratio for result in group],
            color=_COLOURS[i % len(_COLOURS)],
            marker=_MARKERS[i % len(_MARKERS)],
            label=label,
        )
    first = next(iter(series.values()))
    alphas = [result.alpha for result in first]
    axes.plot(alphas, [r.mac_ratio for r in first], "k--", label="multiply-accumulates")
    axes.plot(alphas, [macs_law(a) for a in alphas], "k:", label="the law, all layers octave")
    axes.axhline(1, color="0.8", zorder=0)
    axes.set_xlabel("alpha, share of low-frequency channels")
    axes.set_ylabel(_compared(first[0]))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=9)


def _draw_bars(axes: Axes, results: Mapping[str, RaceResult]) -> None:
    ratios = [result.ratio for result in results.values()]
    axes.barh(list(results), ratios, color=_COLOURS[0])
    for i, ratio in enumerate(ratios):
        axes.text(ratio + 0.01, i, f"{ratio:.2f}", va="center")
    first = next(iter(results.values()))
    axes.axvline(first.mac_ratio, color="black", linestyle="--")
    axes.set_title(f"dashed: ratio of multiply-accumulates, {first.mac_ratio:.2f}", fontsize=10)
    axes.set_xlim(0, max(1.0, *ratios) * 1.12)
    axes.invert_yaxis()
    axes.set_xlabel(f"{_compared(first)}, alpha {first.alpha:g}")


def _compared(result: RaceResult) -> str:
    return f"time, {result.contender.model} / {result.opponent.model}"
