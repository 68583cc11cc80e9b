"""Names that a user types: looking one up, or suggesting the nearest known ones."""

from __future__ import annotations

import difflib
from typing import Iterable, Mapping, TypeVar

T = TypeVar("T")


def unknown_name(name: str, known: Iterable[str], what: str) -> ValueError:
    """Return the error for an unknown name, suggesting the nearest of the known ones.

    Args:
        name: what was given.
        known: the names that there are.
        what: what kind of name it is, such as ``"model"``.
    """
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
        ValueError: it is not in the table; the message suggests the nearest names.
    """
    if name not in table:
        raise unknown_name(name, table, what)
    return table[name]
