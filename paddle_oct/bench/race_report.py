"""The result of a race as a table and as a picture."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Sequence

from tabulate import tabulate

from paddle_oct.base.files import write_atomically

from .race import RaceResult, law

_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00")
_MARKERS = "osD^v"
_TITLES = {
    "eager": "Paddle eager",
    "train": "Paddle training step",
    "paddle": "Paddle Inference + oneDNN",
    "paddle-openvino": "Paddle Inference + OpenVINO",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
}


def race_table(results: Sequence[RaceResult], form: str = "github") -> str:
    """Return a table, a line per result; ``form`` is a format of ``tabulate``."""
    memory = any(result.peak is not None for result in results)
    headers = ["engine", "network", "input", "threads", "alpha", "ms", "vanilla ms"]
    headers += ["time ratio", "MAC ratio", "law"] + ["peak MiB", "memory ratio"] * memory
    rows = []
    for result in results:
        row = [
            _TITLES[result.engine],
            f"{result.model} / {result.against}",
            "x".join(map(str, result.input_size)),
            result.threads,
            f"{result.alpha:g}" if isinstance(result.alpha, (int, float)) else str(result.alpha),
            f"{result.ms:.1f} ± {result.ms_spread:.1f}",
            f"{result.against_ms:.1f} ± {result.against_ms_spread:.1f}",
            f"{result.ratio:.3f}",
            f"{result.mac_ratio:.3f}",
            f"{result.law:.3f}",
        ]
        if memory and result.peak is not None:
            row.append(f"{result.peak / 2**20:.0f} / {result.against_peak / 2**20:.0f}")
            row.append(f"{result.peak / result.against_peak:.3f}")
        rows.append(row)
    return tabulate(rows, headers, tablefmt=form, disable_numparse=True)


def draw_race(results: Sequence[RaceResult], path: str | Path) -> None:
    """Draw time ratios into a PNG file: over alpha where there are several, else as bars."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    series: dict[str, list[RaceResult]] = {}
    for result in results:
        key = f"{_TITLES[result.engine]}, batch {result.input_size[0]}, {result.threads} threads"
        series.setdefault(key, []).append(result)
    if any(len(group) > 1 for group in series.values()):
        for i, (label, group) in enumerate(series.items()):
            group = sorted(group, key=lambda result: result.alpha)
            axes.plot(
                [result.alpha for result in group],
                [result.ratio for result in group],
                color=_COLOURS[i % 5], marker=_MARKERS[i % 5], label=label,
            )  # fmt: skip
        first = sorted(next(iter(series.values())), key=lambda result: result.alpha)
        alphas = [result.alpha for result in first]
        axes.plot(alphas, [r.mac_ratio for r in first], "k--", label="multiply-accumulates")
        axes.plot(alphas, [law(a) for a in alphas], "k:", label="the law, all layers octave")
        axes.axhline(1, color="0.8", zorder=0)
        axes.set_xlabel("alpha, share of low-frequency channels")
        axes.set_ylabel(f"time, {results[0].model} / {results[0].against}")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, fontsize=9)
    else:
        labels = list(series)
        ratios = [group[0].ratio for group in series.values()]
        axes.barh(labels, ratios, color=_COLOURS[0])
        for i, ratio in enumerate(ratios):
            axes.text(ratio + 0.01, i, f"{ratio:.2f}", va="center")
        axes.axvline(results[0].mac_ratio, color="black", linestyle="--")
        axes.set_title(
            f"dashed: ratio of multiply-accumulates, {results[0].mac_ratio:.2f}", fontsize=10
        )
        axes.set_xlim(0, max(1.0, *ratios) * 1.12)
        axes.invert_yaxis()
        axes.set_xlabel(
            f"time, {results[0].model} / {results[0].against}, alpha {results[0].alpha}"
        )
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=120)
    write_atomically(Path(path), image.getvalue())
