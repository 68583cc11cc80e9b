"""Names that a user types: looking one up, or suggesting the nearest known ones."""

from __future__ import annotations

import difflib
from typing import Iterable, Mapping, TypeVar

from .errors import shortened

T = TypeVar("T")

_MOST_NAMED = 200


def unknown_name(name: str, known: Iterable[str], what: str) -> ValueError:
    """Return the error for an unknown name, suggesting the nearest of the known ones.

    Args:
        name: what was given.
        known: the names that there are.
        what: what kind of name it is, such as ``"model"``.
    """
    known, shown = sorted(known), shortened(str(name))
    longer = [n for n in known if shown and n.startswith(shown)]
    near = [*longer, *difflib.get_close_matches(shown, known, n=3, cutoff=0.5)]
    near = [shortened(n) for n in dict.fromkeys(near)][:3]
    if near:
        return ValueError(f"unknown {what} '{shown}'; did you mean {' or '.join(near)}?")
    named = [shortened(n) for n in known[:_MOST_NAMED]]
    more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
    return ValueError(f"unknown {what} '{shown}'; known are {', '.join(named)}{more}")


def look_up(name: str, table: Mapping[str, T], what: str) -> T:
    """Return ``table[name]``.

    Raises:
        ValueError: it is not in the table; the message suggests the nearest names.
    """
    if not isinstance(name, str) or name not in table:  # a file may hold anything in its place
        raise unknown_name(name, table, what)
    return table[name]
