"""Numbers that a user types, separated by commas."""

from __future__ import annotations

from typing import Callable, TypeVar

N = TypeVar("N", int, float)

LONGEST = 100  # characters of a text that a message quotes whole


def quoted(text: str) -> str:
    """Return what a user typed for an error message, shortened if it is long."""
    return repr(text) if len(text) <= LONGEST else f"{text[:LONGEST]!r}..."


def comma_separated(text: str, kind: Callable[[str], N]) -> list[N]:
    """Return the numbers of ``"0,.25,.5"``, at least one.

    Args:
        text: numbers separated by commas; spaces around them do not matter.
        kind: ``int`` or ``float``.

    Raises:
        ValueError: a part of the text is no such number.
    """
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(
            f"{quoted(text)} is not a number, or several with commas between them"
        ) from None
