"""The NumPy arrays of a pickle, made by functions of our own in place of those that it names."""

from __future__ import annotations

import math
import re
from typing import Any, BinaryIO, Literal, Mapping

import numpy as np

from paddle_oct.base.reading import Budget

from .pickles import Function, StandIn, Unpickler, set_items

_MOST_DIMENSIONS = 32  # of an array, in all versions of NumPy


def unpickle(file: BinaryIO, size: int, budget: Budget) -> Any:
    """Read a pickle of containers, numbers, texts and NumPy arrays; no code in it is run.

    Args:
        file: the file, at the start of the pickle.
        size: the bytes of the pickle, or more.
        budget: what reading may cost.

    Raises:
        Exception: of any kind, if the pickle is damaged, or holds or calls anything else.
    """
    machine = Unpickler(file, size, budget, NUMPY_FUNCTIONS)
    return machine.finish(machine.load())


def check_shape(shape: Any) -> None:
    """Check the shape of an array in a file.

    Raises:
        ValueError: it is no tuple of a few integers of at least 0.
    """
    if not isinstance(shape, tuple) or len(shape) > _MOST_DIMENSIONS:
        raise ValueError("it holds an array without a shape")
    if not all(type(n) is int and 0 <= n < 2**63 for n in shape):
        raise ValueError("it holds an array of a broken shape")


class _Dtype(StandIn):
    def __init__(self, _: Budget, code: Any, *__: Any) -> None:
        if not isinstance(code, str) or not re.fullmatch(r"[<>|=]?(b1|[iu][1248]|f[248])", code):
            said = repr(code[:20]) if isinstance(code, str) else "of no known type"
            raise ValueError(f"its elements are {said}, no numbers")
        self.dtype = np.dtype(code)

    def build(self, state: Any, budget: Budget) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array(StandIn):
    value: np.ndarray | None = None

    def __init__(self, *_: Any) -> None:
        """Take what ``numpy`` makes an empty array of."""

    def build(self, state: Any, budget: Budget) -> None:
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], _Dtype):
            raise ValueError("it holds a broken array")
        _, shape, kind, fortran, data = state
        self.value = _make_array(data, kind.dtype, shape, "F" if fortran else "C", budget)

    def result(self, budget: Budget) -> np.ndarray:
        if self.value is None:
            raise ValueError("it holds an unfinished array")
        return self.value


def _make_array(
    data: Any, dtype: np.dtype, shape: Any, order: Literal["C", "F"], budget: Budget
) -> np.ndarray:
    check_shape(shape)
    if isinstance(data, str):  # written by Python 2
        data = _encode(budget, data, "latin1")
    if not isinstance(data, bytes) or len(data) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"an array of shape {list(shape)} has other elements")
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _scalar(budget: Budget, kind: Any, data: Any) -> Any:
    if not isinstance(kind, _Dtype):
        raise ValueError("it holds a broken number")
    return _make_array(data, kind.dtype, (), "C", budget).item()


def _encode(budget: Budget, text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or not isinstance(encoding, str):
        raise ValueError("it encodes what is no text")
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"it encodes a text as {encoding[:20]!r}")
    budget.charge(len(text))
    return text.encode("latin1")


def _tuple(budget: Budget, items: Any) -> tuple:
    if not isinstance(items, (list, tuple)):
        raise ValueError("it holds a broken tuple")
    budget.charge(8 * len(items))
    return tuple(items)


def _dictionary(budget: Budget, pairs: Any = ()) -> dict:
    made: dict = {}
    if not isinstance(pairs, (list, tuple)):
        raise ValueError("it holds a broken dictionary")
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError("it holds a broken dictionary")
        set_items(made, list(pair), budget)
    return made


#: What Paddle's and NumPy's pickles call, for :class:`Unpickler`.
NUMPY_FUNCTIONS: Mapping[str, Function | None] = {
    "numpy.ndarray": None,
    "numpy.dtype": _Dtype,
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy._core.multiarray._reconstruct": _Array,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "collections.OrderedDict": _dictionary,
    "builtins.tuple": _tuple,
    "__builtin__.tuple": _tuple,
    "_codecs.encode": _encode,
    "__builtin__.bytes": lambda _: b"",
}
