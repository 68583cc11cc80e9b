"""Translating the names of layers between our networks and those of others."""

from __future__ import annotations

import re
from typing import Iterable, Mapping

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_WORD = "[^.]{1,32}?"  # without a limit, a long name could take the square of its length


class NameTable:
    """A table of layers, one row each: the name here, and the name there.

    A row is about a layer and everything in it: with the row ``{"fc": "classifier"}``,
    ``fc.weight`` here is ``classifier.weight`` there. ``{word}`` stands for some text without a
    dot, of 32 characters at most, the same on both sides. The first row that fits counts. A name
    that no row fits is the same on both sides.

    Args:
        rows: names there by names here.

    Raises:
        ValueError: the two sides of a row do not have the same placeholders.

    Examples:
        >>> from paddle_oct.weights import NameTable
        >>> names = NameTable({"layer{stage}.{block}": "L{stage}_B{block}", "fc": "classifier"})
        >>> names.there("layer2.0.conv1.weight"), names.here("L2_B0.conv1.weight")
        ('L2_B0.conv1.weight', 'layer2.0.conv1.weight')
    """

    def __init__(self, rows: Mapping[str, str]) -> None:
        for here, there in rows.items():
            if set(_PLACEHOLDER.findall(here)) != set(_PLACEHOLDER.findall(there)):
                raise ValueError(f"{here!r} and {there!r} do not have the same placeholders")
        self._to_there = [(_pattern(here), there) for here, there in rows.items()]
        self._to_here = [(_pattern(there), here) for here, there in rows.items()]

    def there(self, name: str) -> str:
        """Return the name there of a layer or parameter that is called ``name`` here."""
        return _translate(name, self._to_there)

    def here(self, name: str) -> str:
        """Return the name here of a layer or parameter that is called ``name`` there."""
        return _translate(name, self._to_here)


def _pattern(template: str) -> re.Pattern[str]:
    """Return the pattern of a layer's name; its groups are the placeholders and what follows it."""
    pieces = _PLACEHOLDER.split(template)  # text and placeholders by turns
    pattern = re.escape(pieces[0])
    seen: set[str] = set()
    for placeholder, text in zip(pieces[1::2], pieces[2::2]):
        pattern += f"(?P={placeholder})" if placeholder in seen else f"(?P<{placeholder}>{_WORD})"
        pattern += re.escape(text)
        seen.add(placeholder)
    return re.compile(rf"{pattern}(?P<_rest>(?:\..*)?)", re.DOTALL)


def _translate(name: str, rows: Iterable[tuple[re.Pattern[str], str]]) -> str:
    for pattern, template in rows:
        if match := pattern.fullmatch(name):
            return template.format(**match.groupdict()) + match["_rest"]
    return name
