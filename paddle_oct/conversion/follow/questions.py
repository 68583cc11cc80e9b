"""What a forward asks about sizes while it is recorded.

A recorded forward is right where the same questions have the same answers: the same code would run
there. So whoever wants to use it for another input evaluates its questions first, and the written
forward checks them once more where they were asked.
"""

from __future__ import annotations

import linecache
import os
import sys
from dataclasses import dataclass
from typing import Any, Sequence

import paddle

from .graph import Value, map_leaves
from .sizes import COMPUTE

_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_LONGEST_LINE = 80


@dataclass(frozen=True)
class Place:
    """A line of somebody's forward.

    Attributes:
        line: its source, shortened; "" if it can't be found.
        where: the file's name and the number of the line.
    """

    line: str
    where: str

    @property
    def is_assertion(self) -> bool:
        """Whether the line is an ``assert``: where it does not hold, there is no output."""
        return self.line.startswith(("assert ", "assert("))

    def __str__(self) -> str:
        return f"`{self.line}` ({self.where})" if self.line else self.where


@dataclass(frozen=True)
class Question:
    """A comparison of sizes that holds where a forward was recorded.

    Attributes:
        symbol: one of ``< <= > >= == !=``.
        left, right: expressions, as in :class:`~.sizes.Size`, or numbers.
        position: how many calls were recorded before it.
        place: where it was asked.
    """

    symbol: str
    left: Any
    right: Any
    position: int
    place: Place

    def numbered(self) -> Question:
        """Return the question with the numbers of its values in place of them."""
        left, right = by_number(self.left), by_number(self.right)
        return Question(self.symbol, left, right, self.position, self.place)

    def same_as(self, other: Question) -> bool:
        """Whether two questions, of two recordings perhaps, ask the same and have one answer."""
        a, b = self.numbered(), other.numbered()
        return (a.symbol, a.left, a.right) == (b.symbol, b.left, b.right)

    def holds(self, shapes: Sequence[Sequence[int]]) -> bool | None:
        """Return whether the comparison holds for inputs of some shapes.

        Args:
            shapes: the shapes of the forward's inputs; -1 stands for a size that is not known.

        Returns:
            None if that can't be told from the inputs' shapes.
        """
        question = self.numbered()
        left, right = _evaluate(question.left, shapes), _evaluate(question.right, shapes)
        return None if left is None or right is None else COMPUTE[self.symbol](left, right)


def ask(symbol: str, left: Any, right: Any, answer: bool, position: int) -> Question | None:
    """Return a question with its answer; None if the answer is the same everywhere."""
    if by_number(left) == by_number(right):
        return None
    place = _place_in_source()
    return Question(symbol if answer else _OPPOSITE[symbol], left, right, position, place)


def by_number(expression: Any) -> Any:
    """Return an expression with the numbers of its values, which recordings share."""
    return map_leaves(lambda leaf: leaf.index if isinstance(leaf, Value) else leaf, expression)


def _evaluate(expression: Any, shapes: Sequence[Sequence[int]]) -> Any:
    if not isinstance(expression, tuple):
        return expression
    if expression[0] == "size":
        _, value, axis = expression
        size = shapes[value][axis] if value < len(shapes) else -1  # the inputs are numbered first
        return None if size == -1 else size
    symbol, left, right = expression
    left, right = _evaluate(left, shapes), _evaluate(right, shapes)
    return None if left is None or right is None else COMPUTE[symbol](left, right)


def _place_in_source() -> Place:
    """Return the line outside this package that asks."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
        frame = frame.f_back
    path, number = frame.f_code.co_filename, frame.f_lineno
    line = linecache.getline(path, number, frame.f_globals).strip()
    if len(line) > _LONGEST_LINE:
        line = f"{line[:_LONGEST_LINE]}..."
    return Place(line, f"{os.path.basename(path)}, line {number}")


@paddle.jit.not_to_static
def check_answer(holds: Any, place: str) -> None:
    """Check in a written forward that a question has the answer that was recorded.

    Args:
        holds: the comparison: a bool, or a Tensor where a size is not known while a program is
            built.
        place: where it was asked.

    Raises:
        ValueError: it does not hold, or that can't be told.
    """
    if isinstance(holds, bool):
        if not holds:
            raise ValueError(
                f"the octave network's forward was recorded with another answer to {place}"
            )
    else:
        raise ValueError(
            f"the forward asks about a size that is not known here: {place}; give the program "
            f"that is built a fixed size, such as InputSpec([None, 3, 224, 224])"
        )
