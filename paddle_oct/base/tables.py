"""Tables for terminals, Markdown, spreadsheets and programs, and the files that they go to."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any, Sequence

from tabulate import tabulate

from .names import look_up

FORMATS = {"table": "simple", "markdown": "github", "csv": None, "json": None}


def render(rows: Sequence[Any], format: str, headers: Sequence[str] = ()) -> str:
    """Return a table as text.

    Args:
        rows: for ``"table"`` and ``"markdown"`` the cells as text, row by row; for ``"csv"`` and
            ``"json"`` dicts.
        format: one of these four.
        headers: the titles of the columns, for ``"table"`` and ``"markdown"``.

    Raises:
        ValueError: there is no such format.
    """
    style = look_up(format, FORMATS, "format")
    if format == "json":
        return json.dumps(list(rows), indent=2)
    if format == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().rstrip("\n")
    align = ["left" if not _is_number(cell) else "right" for cell in (rows[0] if rows else ())]
    return tabulate(rows, headers, tablefmt=style, disable_numparse=True, colalign=align or None)


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit()


def human_count(number: float) -> str:
    """Return a count in thousands, millions or billions: ``"4.089 G"``, ``"318.2 M"``."""
    for unit, size, digits in (("G", 1e9, 3), ("M", 1e6, 1), ("k", 1e3, 1)):
        if number >= size:
            return f"{number / size:.{digits}f} {unit}"
    return f"{number:g}"


def human_percent(share: float) -> str:
    """Return a share in percent, halves rounded up as in the paper's Table 1: ``"63%"``."""
    return f"{math.floor(100 * share + 0.5)}%" if math.isfinite(share) else "-"


def human_bytes(number: float) -> str:
    """Return an amount of memory: ``"12.3 MiB"``."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number:.0f} B"
