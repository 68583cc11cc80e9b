"""Sizes of tensors that remember where they were read.

While a network is recorded, ``x.shape`` holds these in place of plain integers. The network
computes with them as with integers. The graph keeps the expression, so that the written forward
reads the shape anew and takes other batches and image sizes.
"""

from __future__ import annotations

import operator
from typing import Any, Callable


class Size(int):
    """An integer that was read from a shape, or computed from such ones.

    Attributes:
        expression: ``("size", value, axis)``, or ``(operator, left, right)`` where ``left`` and
            ``right`` are expressions or integers.
    """

    expression: tuple

    def __new__(cls, number: int, expression: tuple) -> Size:
        size = super().__new__(cls, number)
        size.expression = expression
        return size

    def __deepcopy__(self, memo: dict) -> Size:
        return self


def _expression(number: Any) -> Any:
    return number.expression if isinstance(number, Size) else int(number)


def _arithmetic(symbol: str, compute: Callable[[int, int], int], swapped: bool) -> Callable:
    def method(self: Size, other: Any) -> Any:
        if isinstance(other, bool) or not isinstance(other, int):
            return NotImplemented  # with a float or a Tensor it is a plain number
        left, right = (other, self) if swapped else (self, other)
        expression = (symbol, _expression(left), _expression(right))
        return Size(compute(int.__int__(left), int.__int__(right)), expression)

    return method


for _symbol, _name in (("+", "add"), ("-", "sub"), ("*", "mul"), ("//", "floordiv"), ("%", "mod")):
    _compute = getattr(operator, _name)
    setattr(Size, f"__{_name}__", _arithmetic(_symbol, _compute, swapped=False))
    setattr(Size, f"__r{_name}__", _arithmetic(_symbol, _compute, swapped=True))
