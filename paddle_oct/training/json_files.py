"""Reading the JSON files of a run folder, which somebody else may have written or damaged."""

from __future__ import annotations

import json
import math
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Mapping, NoReturn

_shorten = reprlib.Repr()
_shorten.maxstring = _shorten.maxother = 60


@dataclass(frozen=True)
class Kind:
    """What a value must be.

    Attributes:
        words: how an error names it, such as ``"a text"``.
        accepts: whether a value is one.
        optional: whether it may be left out of a dictionary.
    """

    words: str
    accepts: Callable[[Any], bool]
    optional: bool = False

    def or_missing(self) -> Kind:
        """Return the same, which may be left out."""
        return Kind(self.words, self.accepts, optional=True)


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return _is_whole(value, -(2**63), 2**63)


def _is_whole(value: Any, least: int, limit: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < limit


ANYTHING = Kind("anything", lambda value: True)
TEXT = Kind("a text", lambda value: isinstance(value, str))
NAME = Kind("a name", lambda value: isinstance(value, str) and 0 < len(value) <= 200)
NUMBER = Kind("a number", _is_number)
COUNT = Kind("a whole number of at least 1", lambda value: _is_whole(value, 1, 2**31))
LENGTH = Kind("a length in bytes", lambda value: _is_whole(value, 0, 2**63))


def or_none(kind: Kind) -> Kind:
    """Return the kind of a value that may also be ``null``."""
    return Kind(f"{kind.words} or null", lambda value: value is None or kind.accepts(value))


def list_of(kind: Kind, length: int | None = None) -> Kind:
    """Return the kind of a list that is not empty, of this length if one is given."""

    def accepts(value: Any) -> bool:
        fits = isinstance(value, list) and len(value) == (length or max(1, len(value)))
        return fits and all(map(kind.accepts, value))

    return Kind(f"a list of {length or 'at least one'}, each {kind.words}", accepts)


def table_of(kind: Kind) -> Kind:
    """Return the kind of a dictionary with any keys."""

    def accepts(value: Any) -> bool:
        return isinstance(value, dict) and all(map(kind.accepts, value.values()))

    return Kind(f"a dictionary of texts to {kind.words}", accepts)


def read_json(path: Path, kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """Read a dictionary with these entries, and perhaps others.

    Raises:
        ValueError: the file can't be read, lacks entries, or has some of another kind.
    """
    try:
        if path.exists() and not path.is_file():
            raise OSError("it is no regular file")  # a FIFO would block for ever
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} can't be read ({error})") from error
    check_entries(path, content, kinds)
    return content


def check_entries(
    path: Path,
    content: Any,
    kinds: Mapping[str, Kind],
    within: str = "",
    *,
    others: bool = True,
) -> None:
    """Check the entries of a dictionary that was read from a file.

    Args:
        path: the file.
        content: the dictionary.
        kinds: what it must hold.
        within: what the dictionary is in the file, such as ``"preprocessing"``, if it is a part.
        others: whether it may hold other entries, too.

    Raises:
        ValueError: it is no dictionary, lacks entries, or has some of another kind.
    """
    where = f"{within}." if within else ""
    entries = content if isinstance(content, dict) else {}
    missing = [key for key, kind in kinds.items() if key not in entries and not kind.optional]
    if missing:
        lacked = ", ".join(f"{where}{key}" for key in missing)
        raise ValueError(f"{path} is damaged: it lacks {lacked}")
    if not others and not entries.keys() <= kinds.keys():
        unknown = _shorten.repr(next(key for key in entries if key not in kinds))
        raise ValueError(f"{path} is damaged: unknown entry {unknown} of {within}")
    for key, kind in kinds.items():
        if key in entries and not kind.accepts(entries[key]):
            got = _shorten.repr(entries[key])
            raise ValueError(f"{path} is damaged: {where}{key} must be {kind.words}, got {got}")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
