"""Published accuracies and those of your own runs, with their costs, as a table."""

from __future__ import annotations

import dataclasses
from typing import Any, Sequence

from paddle_oct.base.tables import render

from .published import PUBLISHED, OwnRun, Published


def accuracy_table(
    runs: Sequence[OwnRun] = (),
    format: str = "table",
    published: Sequence[Published] = PUBLISHED,
) -> str:
    """Return published ImageNet accuracies with their costs, and below them those of your own runs.

    Args:
        runs: what :func:`read_run` returned.
        format: ``"table"``, ``"markdown"``, ``"csv"`` or ``"json"``.
        published: the results to list.

    Raises:
        ValueError: there is no such format.
    """
    rows = [dataclasses.asdict(result) for result in published] + [_row(run) for run in runs]
    if format in ("csv", "json"):
        return render(rows, format)
    cells = [
        (
            f"{row['gmacs']:.5g}",
            f"{row['top1']:.1f}",
            "" if row["alpha"] is None else f"{row['alpha']}",
            row["network"],
            row["source"],
        )
        for row in rows
    ]
    return render(cells, format, ("GMACs", "top-1 %", "alpha", "network", "source"))


def _row(run: OwnRun) -> dict[str, Any]:
    return {
        "network": run.network,
        "alpha": run.alpha,
        "gmacs": round(run.gmacs, 6),
        "top1": round(run.top1, 2),
        "source": f"{run.label}, {run.data}",
    }
