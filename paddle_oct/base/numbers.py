"""Numbers that a user types, with commas between them."""

from __future__ import annotations

from typing import Callable, TypeVar

N = TypeVar("N", int, float)


def comma_separated(text: str, kind: Callable[[str], N]) -> list[N]:
    """Return the numbers of ``"0,.25,.5"``, at least one.

    Args:
        text: numbers with commas between them, and spaces if need be.
        kind: ``int`` or ``float``.

    Raises:
        ValueError: it is something else.
    """
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{text!r} is not a number, or several with commas between them") from None
