"""Functions that are written as source, and what their global names stand for."""

from __future__ import annotations

import itertools
import linecache
import math
import weakref
from dataclasses import dataclass, field
from typing import Any, Callable

import paddle
import paddle.nn.functional as F

from paddle_oct.nn import down2, merge, up2

from .questions import check_answer

# What every written function finds under these names.
_GLOBALS = {
    "F": F,
    "check_answer": check_answer,
    "down2": down2,
    "merge": merge,
    "paddle": paddle,
    "up2": up2,
}
_NUMBER = itertools.count()


@dataclass(frozen=True)
class Source:
    """The source of a function.

    Attributes:
        name: the function's name.
        text: its source.
        constants: the objects that its other global names stand for.
    """

    name: str
    text: str
    constants: dict[str, Any] = field(repr=False)

    def compile(self) -> Callable:
        """Return the function.

        ``inspect`` finds its source as long as it lives, as ``to_static`` needs it.
        """
        path = f"<{self.name} {next(_NUMBER)}>"
        names = {**_GLOBALS, **self.constants, "__name__": __name__}
        exec(compile(self.text, path, "exec"), names)
        function = names[self.name]
        linecache.cache[path] = (len(self.text), None, self.text.splitlines(True), path)
        weakref.finalize(function, linecache.cache.pop, path, None).atexit = False
        return function


class Constants:
    """Global names ``_k0``, ``_k1``, ... for objects that have no literal.

    Attributes:
        by_name: the objects so far.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, Any] = {}

    def code(self, value: Any) -> str:
        """Return the code of an object: a literal, or a name."""
        if value is Ellipsis:
            return "..."
        if value is None or type(value) in (bool, int, str):
            return repr(value)
        if type(value) is float and math.isfinite(value):
            return repr(value)
        return self.name(value)

    def name(self, value: Any) -> str:
        """Return the global name of an object."""
        for name, known in self.by_name.items():
            if known is value:
                return name
        name = f"_k{len(self.by_name)}"
        self.by_name[name] = value
        return name
