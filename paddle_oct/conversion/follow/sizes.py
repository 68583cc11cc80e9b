"""Sizes of tensors that remember where they were read, and tell what is asked about them.

While a network is recorded, ``x.shape`` holds these in place of plain integers. Sums, differences,
products, quotients and remainders of them are such sizes too: the graph keeps the expression, so
that the written forward reads the shape anew and takes other batches and image sizes. Whatever else
is done with a size needs its number, and is noted as a :class:`Question`: the recorded forward is
right only where the answer is the same.
"""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any, Callable

import numpy as np
from paddle import Tensor

Asked = Callable[[str, Any, Any, bool], None]  # is told of a comparison and its answer

_ARITHMETIC = ("+", "add"), ("-", "sub"), ("*", "mul"), ("//", "floordiv"), ("%", "mod")
_COMPARISONS = ("<", "lt"), ("<=", "le"), (">", "gt"), (">=", "ge"), ("==", "eq"), ("!=", "ne")
_OTHER_BINARY = ("truediv", "pow", "lshift", "rshift", "and", "or", "xor")
_OTHER_UNARY = ("abs", "invert", "round", "ceil", "floor", "trunc", "format")
COMPUTE = {
    symbol: getattr(operator, name) for symbol, name in [*_ARITHMETIC, *_COMPARISONS]
}  # by the symbol of an expression


class Size:
    """A number that was read from a shape, or computed from such ones.

    It is no ``int``, since C code reads the number of an ``int`` without a word; but ``isinstance``
    takes it for one.

    Attributes:
        number: the number.
        expression: ``("size", value, axis)``, or ``(operator, left, right)`` where ``left`` and
            ``right`` are expressions or integers.
        asked: is told of each question.
    """

    __slots__ = ("asked", "expression", "number")

    def __init__(self, number: int, expression: tuple, asked: Asked) -> None:
        self.number = number
        self.expression = expression
        self.asked = asked

    @property
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return int

    def known(self) -> int:
        """Return the number; that the forward knows it is noted."""
        self.asked("==", self.expression, self.number, True)
        return self.number

    def __bool__(self) -> bool:
        self.asked("!=", self.expression, 0, self.number != 0)
        return self.number != 0

    def __index__(self) -> int:
        return self.known()

    __int__ = __index__

    def __float__(self) -> float:
        return float(self.known())

    def __complex__(self) -> complex:
        return complex(self.known())

    def __hash__(self) -> int:
        return hash(self.known())

    def __repr__(self) -> str:
        return repr(self.known())

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.known(), dtype)

    def __neg__(self) -> Size:
        return Size(-self.number, ("-", 0, self.expression), self.asked)

    def __pos__(self) -> Size:
        return self

    def __divmod__(self, other: Any) -> tuple[Any, Any]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Any, Any]:
        return other // self, other % self

    def __deepcopy__(self, memo: dict) -> Size:
        return self

    def __reduce__(self) -> tuple:
        return int, (self.number,)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.number, name)  # what an int has beside operators: bit_length, real
        self.known()
        return found


def plain(leaf: Any) -> Any:
    """Return a size as its number, and anything else as it is."""
    return leaf.number if isinstance(leaf, Size) else leaf


def _is_integer(number: Any) -> bool:
    return isinstance(number, (Size, numbers.Integral))


def _expression(number: Any) -> Any:
    return number.expression if isinstance(number, Size) else int(number)


def _arithmetic(symbol: str, swapped: bool) -> Callable:
    compute = COMPUTE[symbol]

    def method(self: Size, other: Any) -> Any:
        if isinstance(other, Tensor):
            return NotImplemented  # the Tensor's own operator is recorded with this size
        if not _is_integer(other):
            number = self.known()
            return compute(other, number) if swapped else compute(number, other)
        left, right = (other, self) if swapped else (self, other)
        number = compute(int(plain(left)), int(plain(right)))
        return Size(number, (symbol, _expression(left), _expression(right)), self.asked)

    return method


def _comparison(symbol: str) -> Callable:
    compute = COMPUTE[symbol]

    def method(self: Size, other: Any) -> Any:
        if isinstance(other, float):
            answer = compute(self.number, other)
            if math.isfinite(other):  # else the answer is the same for every size
                self.asked(symbol, self.expression, float(other), answer)
            return answer
        if _is_integer(other):
            answer = compute(self.number, int(plain(other)))
            self.asked(symbol, self.expression, _expression(other), answer)
            return answer
        if isinstance(other, numbers.Number):
            return compute(self.known(), other)
        return NotImplemented

    return method


def _of_number(name: str) -> Callable:
    def method(self: Size, *args: Any) -> Any:
        if any(isinstance(arg, Tensor) for arg in args):
            return NotImplemented
        return getattr(int, name)(self.known(), *map(plain, args))

    return method


def _binary_of_number(name: str, swapped: bool) -> Callable:
    compute = getattr(operator, f"__{name}__")

    def method(self: Size, other: Any) -> Any:
        if isinstance(other, Tensor):
            return NotImplemented
        number = self.known()
        return compute(other, number) if swapped else compute(number, other)

    return method


for _symbol, _name in _ARITHMETIC:
    setattr(Size, f"__{_name}__", _arithmetic(_symbol, swapped=False))
    setattr(Size, f"__r{_name}__", _arithmetic(_symbol, swapped=True))
for _symbol, _name in _COMPARISONS:
    setattr(Size, f"__{_name}__", _comparison(_symbol))
for _name in _OTHER_BINARY:
    setattr(Size, f"__{_name}__", _binary_of_number(_name, swapped=False))
    setattr(Size, f"__r{_name}__", _binary_of_number(_name, swapped=True))
for _name in _OTHER_UNARY:
    setattr(Size, f"__{_name}__", _of_number(f"__{_name}__"))
