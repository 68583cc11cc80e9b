"""Names that a user types: look one up, or say which was meant."""

from __future__ import annotations

import difflib
from typing import Iterable, Mapping, TypeVar

T = TypeVar("T")


def unknown_name(name: str, known: Iterable[str], what: str) -> ValueError:
    """Return the error for a name that nothing has, suggesting the nearest known ones."""
    known = sorted(known)
    longer = [n for n in known if name and n.startswith(str(name))]
    near = [*longer, *difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)]
    near = list(dict.fromkeys(near))[:3]
    if near:
        return ValueError(f"unknown {what} {name!r}; did you mean {' or '.join(near)}?")
    return ValueError(f"unknown {what} {name!r}; known are {', '.join(known)}")


def look_up(name: str, table: Mapping[str, T], what: str) -> T:
    """Return ``table[name]``.

    Raises:
        ValueError: nothing has this name; the message suggests the nearest ones.
    """
    if name not in table:
        raise unknown_name(name, table, what)
    return table[name]
