"""Reading ``.pdparams`` files, which are pickles, without running any code that they name.

A pickle is a program: it may name any function of any module and call it. What ``paddle.save``
writes needs no more than plain containers, numbers, texts and NumPy arrays, so this reader knows
the opcodes of those alone, and for the few names that occur in them it has functions of its own,
which check their arguments.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from pathlib import Path
from typing import Any, Callable, Literal

import numpy as np

from paddle_oct.base.errors import first_line
from paddle_oct.base.private import PythonUnpickler

_NAME_TABLE = "StructuredToParameterName@@"  # the key of a table that paddle.save adds


def read_paddle(path: str | Path) -> dict[str, np.ndarray]:
    """Read the tensors of a ``.pdparams`` file by name.

    Raises:
        ValueError: it is no such file, is damaged, or holds anything but tensors.
        OSError: it can't be read.
    """
    state = read_pickle(path)
    if not isinstance(state, dict):
        raise ValueError(f"{path}: holds no parameters but {type(state).__name__}")
    tensors = {}
    for key, value in state.items():
        if isinstance(value, tuple) and len(value) == 2:  # (name, array): a Tensor in a container
            value = value[1]
        if not isinstance(key, str) or not isinstance(value, np.ndarray):
            raise ValueError(
                f"{path}: holds more than parameters: {key!r} is {type(value).__name__}"
            )
        tensors[key] = from_bfloat16(value) if value.dtype == np.uint16 else value
    return tensors


def read_pickle(path: str | Path) -> Any:
    """Read what ``paddle.save`` wrote: containers, numbers, texts, and tensors as NumPy arrays.

    Raises:
        ValueError: it is no pickle, is damaged, or holds or calls anything else; nothing was
            called.
        OSError: it can't be read.
    """
    data = Path(path).read_bytes()
    try:
        value = _finish(_Reader(io.BytesIO(data), encoding="latin1").load(), {})
    except Exception as error:  # a damaged pickle fails in all kinds of ways
        reason = "it ends too early" if isinstance(error, EOFError) else first_line(error)
        raise ValueError(f"{path}: can't be read as Paddle parameters ({reason})") from error
    if isinstance(value, dict):
        value.pop(_NAME_TABLE, None)
    return value


def from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """Return bfloat16 numbers, whose bits are the upper half of a float32's, as float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


class _Dtype:
    """The stand-in for a NumPy dtype while a pickle is read."""

    def __init__(self, code: str, *_: Any) -> None:
        if not re.fullmatch(r"[<>|=]?(b1|[iu][1248]|f[248])", code):
            raise ValueError(f"its elements are {code!r}, no numbers")
        self.dtype = np.dtype(code)

    def set_state(self, state: tuple) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """The stand-in for a NumPy array."""

    value: np.ndarray | None = None

    def set_state(self, state: tuple) -> None:
        _, shape, kind, fortran, data = state
        if not isinstance(kind, _Dtype) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError("it holds a broken array")
        self.value = _make_array(data, kind.dtype, shape, "F" if fortran else "C")


def _make_array(
    data: Any, dtype: np.dtype, shape: tuple[int, ...], order: Literal["C", "F"]
) -> np.ndarray:
    data = data.encode("latin1") if isinstance(data, str) else data  # written by Python 2
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"an array of shape {list(shape)} has {len(data)} bytes")
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _scalar(kind: _Dtype, data: Any) -> Any:
    return _make_array(data, kind.dtype, (), "C").item()


def _encode(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"it encodes a text as {encoding!r}")
    return text.encode("latin1")


_NDARRAY = object()
_FUNCTIONS: dict[str, Any] = {
    "numpy.ndarray": _NDARRAY,  # an argument only
    "numpy.dtype": _Dtype,
    "collections.OrderedDict": dict,
    "builtins.tuple": tuple,
    "__builtin__.tuple": tuple,
    "_codecs.encode": _encode,
    "__builtin__.bytes": lambda: b"",
}
for _numpy in ("numpy.core", "numpy._core"):
    _FUNCTIONS[f"{_numpy}.multiarray._reconstruct"] = lambda *_: _Array()
    _FUNCTIONS[f"{_numpy}.multiarray.scalar"] = _scalar

_OPCODES = (
    *("PROTO", "FRAME", "STOP", "MARK", "POP", "GLOBAL", "STACK_GLOBAL"),
    *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    *("EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_LIST", "APPEND", "APPENDS"),
    *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    *("BINGET", "LONG_BINGET", "BINPUT", "LONG_BINPUT", "MEMOIZE"),
)


class _Opcodes(dict):
    def __missing__(self, code: int) -> Callable:
        raise pickle.UnpicklingError(f"opcode {bytes([code])!r} has no place in it")


class _Reader(PythonUnpickler):
    """Python's unpickler with a table of the allowed opcodes."""

    stack: list[Any]  # the values read so far; append adds one
    append: Callable[[Any], None]

    dispatch = _Opcodes(
        (getattr(pickle, name)[0], PythonUnpickler.dispatch[getattr(pickle, name)[0]])
        for name in _OPCODES
    )

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _FUNCTIONS[f"{module}.{name}"]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it refers to {module}.{name}, which is no array; nothing of it was run"
            ) from None

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        function = self.stack.pop()
        if not any(function is known for known in _FUNCTIONS.values()) or function is _NDARRAY:
            raise pickle.UnpicklingError("it calls what is no function")
        self.append(function(*arguments))

    dispatch[pickle.REDUCE[0]] = load_reduce

    def load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], (_Array, _Dtype)):
            raise pickle.UnpicklingError("it changes what is no array")
        self.stack[-1].set_state(state)

    dispatch[pickle.BUILD[0]] = load_build


def _finish(value: Any, done: dict[int, Any]) -> Any:
    """Replace the stand-ins by their arrays; each container is visited once."""
    if isinstance(value, _Array):
        if value.value is None:
            raise ValueError("it holds an unfinished array")
        return value.value
    if isinstance(value, (_Dtype, type)) or callable(value) or value is _NDARRAY:
        raise ValueError("it holds more than arrays")
    if not isinstance(value, (dict, list, tuple)):
        return value
    if id(value) not in done:
        done[id(value)] = None  # in case a container holds itself
        if isinstance(value, dict):
            made: Any = {key: _finish(item, done) for key, item in value.items()}
        else:
            made = type(value)(_finish(item, done) for item in value)
        done[id(value)] = made
    return done[id(value)]
