"""Numbers that a user types, separated by commas."""

from __future__ import annotations

from typing import Callable, TypeVar

from .errors import shortened

N = TypeVar("N", int, float)


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
            f"'{shortened(text)}' is not a number, or several with commas between them"
        ) from None
