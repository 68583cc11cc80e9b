"""The layers of several networks as a table."""

from __future__ import annotations

import dataclasses

from paddle_oct.base.tables import render

from .comparison import Comparison


def layer_table(comparison: Comparison, format: str = "table") -> str:
    """Return a row per layer of every network of a comparison.

    Args:
        comparison: what :func:`compare` or :func:`sweep` returned.
        format: ``"table"`` or ``"markdown"``: a table for each network, below its costs as a whole;
            ``"csv"`` or ``"json"``: one list of plain numbers.

    Raises:
        ValueError: there is no such format.
    """
    if format in ("csv", "json"):
        rows = [
            {"network": profile.name, **dataclasses.asdict(layer)}
            for profile in comparison.profiles
            for layer in profile.layers
        ]
        return render(rows, format)
    return "\n\n".join(f"{profile!r}\n\n{profile.table(format)}" for profile in comparison.profiles)
