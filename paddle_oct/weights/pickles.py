"""A reader of pickles that runs nothing of them, and costs no more than their size allows.

A pickle is a program for a small machine with a stack. It may name any function of any module and
call it, and a few bytes can describe something without end. :class:`Unpickler` is that machine with
the opcodes of plain containers, numbers and texts alone. Its cost has bounds of their own:

- Every opcode is charged to a budget, with the size of what it makes.
- A length is compared with the bytes that are left before anything is read or allocated.
- The functions that may be called are given by a table; they charge what they copy.
- The keys of dictionaries are texts, bytes or short integers. The hash of the first two costs no
  more than their length, and nobody can make many with the same hash. With integers one can, so
  every one is charged as if it collided with all that are there.
- The result is a tree: what the pickle holds once and refers to from several places is charged for
  every place. So whoever walks through it, copies, compares or prints it pays no more than that.
"""

from __future__ import annotations

import pickle
import struct
import sys
from typing import Any, BinaryIO, Callable, Mapping

import numpy as np

from paddle_oct.base.errors import shortened
from paddle_oct.base.reading import Budget

_STEP = 24  # what an opcode costs, in bytes: the place on the stack, and the time
_VISIT = 64  # what a value costs in :meth:`Unpickler.finish`, for every place it is in
_ENTRY = 48  # of a dictionary
_REFERENCE = 16  # to what is in a list or in the memo
_MOST_LEVELS = 32  # of containers within containers
_MOST_ARGUMENTS = 8
_LONGEST_NAME = 100  # of a function with its module
_LONGEST_INTEGER = 16  # bytes

Function = Callable[..., Any]  # it takes the budget and the arguments


class StandIn:
    """What a function returned that becomes a value only when the pickle has been read."""

    def build(self, state: Any, budget: Budget) -> None:
        """Take the state that the pickle has for it."""
        raise ValueError("it changes what is no array")

    def result(self, budget: Budget) -> Any:
        """Return the value."""
        raise ValueError("it holds more than arrays")


class Named(StandIn):
    """A function that the pickle refers to; one without ``call`` is an argument only."""

    def __init__(self, name: str, call: Function | None) -> None:
        self.name = name
        self.call = call


class Unknown(StandIn):
    """What a pickle refers to and no table knows, and whatever it would make with it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def build(self, state: Any, budget: Budget) -> None:
        """Take no notice of it."""

    def result(self, budget: Budget) -> Any:
        """Refuse to be a value."""
        raise ValueError(f"it refers to {self.name}, which is no array; nothing of it was run")


class Unpickler:
    """The machine that a pickle is a program for.

    Args:
        file: the file, at the start of the pickle.
        size: the bytes that there are in the file from here on, at most.
        budget: what reading may cost.
        functions: what the pickle may call, by module and name; None: an argument only.
        persistent: returns what a persistent id stands for, where such ids are allowed.
        lenient: whether the pickle may refer to other functions, too, where :meth:`finish` is not
            called. They are not called either.
    """

    def __init__(
        self,
        file: BinaryIO,
        size: int,
        budget: Budget,
        functions: Mapping[str, Function | None],
        persistent: Function | None = None,
        lenient: bool = False,
    ) -> None:
        self.file = file
        self.left = size
        self.budget = budget
        self.functions = functions
        self.persistent = persistent
        self.lenient = lenient
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: list[Any] = []

    def load(self) -> Any:
        """Read the pickle and return its value, with stand-ins in it; see :meth:`finish`.

        Raises:
            Exception: of any kind, if the pickle is damaged.
            ValueError: it holds or calls what is not allowed, or exceeds the budget.
        """
        while (code := self.file.read(1)) != pickle.STOP:
            self.left -= 1
            self.budget.charge(_STEP)
            if self.left < 0 or not code:
                raise ValueError("it ends too early")
            action = _ACTIONS.get(code)
            if action is None:
                raise ValueError(f"opcode {code!r} has no place in it")
            action(self)
        return self.stack.pop()

    def finish(self, value: Any, level: int = 0) -> Any:
        """Return a value with its stand-ins replaced, as a tree of new containers.

        Raises:
            ValueError: it is no tree of plain values and arrays, or exceeds the budget.
        """
        self.budget.charge(_VISIT)
        if isinstance(value, StandIn):
            value = value.result(self.budget)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, (str, bytes)):
            self.budget.charge(len(value))
            return value
        if isinstance(value, np.ndarray):
            self.budget.charge(value.nbytes)
            return value
        if level == _MOST_LEVELS:
            raise ValueError(f"it nests more than {_MOST_LEVELS} containers")
        self.budget.charge(sys.getsizeof(value))
        if isinstance(value, dict):
            return {key: self.finish(item, level + 1) for key, item in value.items()}
        return type(value)(self.finish(item, level + 1) for item in value)

    def read(self, size: int) -> bytes:
        """Read ``size`` bytes of the file."""
        if not 0 <= size <= self.left:
            raise ValueError("it ends too early")
        data = self.file.read(size)
        if len(data) != size:
            raise ValueError("it ends too early")
        self.left -= size
        return data

    def number(self, layout: str) -> Any:
        """Read a number; ``layout`` as in :mod:`struct`."""
        return struct.unpack(layout, self.read(struct.calcsize(layout)))[0]

    def push(self, value: Any) -> None:
        """Put a new value on the stack."""
        self.budget.charge(sys.getsizeof(value))
        self.stack.append(value)

    def take(self, count: int) -> list[Any]:
        """Take the last ``count`` values off the stack."""
        start = len(self.stack) - count
        if start < 0:
            raise ValueError("it takes more than it holds")
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def take_marked(self) -> list[Any]:
        """Take the values since the last mark off the stack."""
        return self.take(max(0, len(self.stack) - self.marks.pop()))

    def refer(self, module: Any, name: Any) -> None:
        """Put a function on the stack by its name."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("it refers to what is no name")
        known = self.functions if len(module) + len(name) < _LONGEST_NAME else {}
        full = f"{shortened(module)}.{shortened(name)}"
        if full in known:
            self.push(Named(full, known[full]))
        elif self.lenient:
            self.push(Unknown(full))
        else:
            Unknown(full).result(self.budget)


def set_items(target: Any, items: list[Any], budget: Budget) -> None:
    """Put keys and values, which take turns in ``items``, into a dictionary.

    Raises:
        ValueError: ``target`` is no dictionary, or a key is neither a text, nor bytes, nor a short
            integer.
    """
    if type(target) is not dict or len(items) % 2:
        raise ValueError("it holds a broken dictionary")
    for key, value in zip(items[::2], items[1::2]):
        if isinstance(key, (str, bytes)):
            budget.charge(len(key))  # equal keys are compared
        elif type(key) is int and abs(key) < 2**63:
            budget.charge(len(target) // 2)
        else:
            raise ValueError("it holds a dictionary with keys that are no names")
        budget.charge(_ENTRY)
        target[key] = value


# -- the opcodes ---------------------------------------------------------------------------------

_Action = Callable[[Unpickler], None]
_NOTHING = object()  # in the place of what was not remembered


def _constant(value: Any) -> _Action:
    return lambda machine: machine.stack.append(value)


def _number(layout: str) -> _Action:
    return lambda machine: machine.push(machine.number(layout))


def _data(layout: str, decode: Callable[[bytes], Any]) -> _Action:
    """Bytes or a text, after its length."""
    return lambda machine: machine.push(decode(machine.read(machine.number(layout))))


def _as_it_is(data: bytes) -> bytes:
    return data


def _utf8(data: bytes) -> str:
    return data.decode("utf-8")


def _latin1(data: bytes) -> str:
    return data.decode("latin1")  # written by Python 2


def _tuple(length: int) -> _Action:
    return lambda machine: machine.push(tuple(machine.take(length)))


def _long(machine: Unpickler) -> None:
    length = machine.number("<B")
    if length > _LONGEST_INTEGER:
        raise ValueError(f"it holds an integer of {length} bytes")
    machine.push(int.from_bytes(machine.read(length), "little", signed=True))


def _append(machine: Unpickler, items: list[Any]) -> None:
    target = machine.stack[-1]
    if isinstance(target, Unknown):
        return
    if type(target) is not list:
        raise ValueError("it appends to what is no list")
    machine.budget.charge(_REFERENCE * len(items))
    target.extend(items)


def _set(machine: Unpickler, items: list[Any]) -> None:
    if not isinstance(machine.stack[-1], Unknown):
        set_items(machine.stack[-1], items, machine.budget)


def _remember(machine: Unpickler, index: int) -> None:
    if index > len(machine.memo) + 1:  # picklers count from 0, or, in Python 2, from 1
        raise ValueError("it does not count what it refers to")
    machine.budget.charge(_REFERENCE)
    machine.memo += [_NOTHING] * (index + 1 - len(machine.memo))
    machine.memo[index] = machine.stack[-1]


def _recall(machine: Unpickler, index: int) -> None:
    if index >= len(machine.memo) or machine.memo[index] is _NOTHING:
        raise ValueError("it refers to what it does not hold")
    machine.stack.append(machine.memo[index])


def _line(machine: Unpickler) -> str:
    text = b""
    while (byte := machine.read(1)) != b"\n" and len(text) < _LONGEST_NAME:
        text += byte
    return text.decode("latin1")


def _call(machine: Unpickler) -> None:
    function, arguments = machine.take(2)
    if isinstance(function, Unknown):
        machine.stack.append(function)
        return
    if not isinstance(function, Named) or function.call is None:
        raise ValueError("it calls what is no function")
    if type(arguments) is not tuple or len(arguments) > _MOST_ARGUMENTS:
        raise ValueError(f"it calls {function.name} with too many arguments")
    machine.push(function.call(machine.budget, *arguments))


def _build(machine: Unpickler) -> None:
    state = machine.stack.pop()
    target = machine.stack[-1]
    if isinstance(target, StandIn):
        target.build(state, machine.budget)
    elif type(target) is not dict:  # attributes of dictionaries are left out
        raise ValueError("it changes what is no array")


def _refer_outside(machine: Unpickler) -> None:
    identity = machine.stack.pop()
    if machine.persistent is None:
        raise ValueError("it refers to what is outside it")
    machine.push(machine.persistent(machine.budget, identity))


_ACTIONS: dict[bytes, _Action] = {
    pickle.PROTO: lambda machine: machine.number("<B"),
    pickle.FRAME: lambda machine: machine.number("<Q"),
    pickle.MARK: lambda machine: machine.marks.append(len(machine.stack)),
    pickle.POP: lambda machine: machine.stack.pop(),
    pickle.NONE: _constant(None),
    pickle.NEWTRUE: _constant(True),
    pickle.NEWFALSE: _constant(False),
    pickle.BININT: _number("<i"),
    pickle.BININT1: _number("<B"),
    pickle.BININT2: _number("<H"),
    pickle.BINFLOAT: _number(">d"),
    pickle.LONG1: _long,
    pickle.SHORT_BINUNICODE: _data("<B", _utf8),
    pickle.BINUNICODE: _data("<I", _utf8),
    pickle.BINUNICODE8: _data("<Q", _utf8),
    pickle.SHORT_BINSTRING: _data("<B", _latin1),
    pickle.BINSTRING: _data("<i", _latin1),
    pickle.SHORT_BINBYTES: _data("<B", _as_it_is),
    pickle.BINBYTES: _data("<I", _as_it_is),
    pickle.BINBYTES8: _data("<Q", _as_it_is),
    pickle.EMPTY_TUPLE: _tuple(0),
    pickle.TUPLE1: _tuple(1),
    pickle.TUPLE2: _tuple(2),
    pickle.TUPLE3: _tuple(3),
    pickle.TUPLE: lambda machine: machine.push(tuple(machine.take_marked())),
    pickle.EMPTY_LIST: lambda machine: machine.push([]),
    pickle.APPEND: lambda machine: _append(machine, machine.take(1)),
    pickle.APPENDS: lambda machine: _append(machine, machine.take_marked()),
    pickle.EMPTY_DICT: lambda machine: machine.push({}),
    pickle.SETITEM: lambda machine: _set(machine, machine.take(2)),
    pickle.SETITEMS: lambda machine: _set(machine, machine.take_marked()),
    pickle.BINPUT: lambda machine: _remember(machine, machine.number("<B")),
    pickle.LONG_BINPUT: lambda machine: _remember(machine, machine.number("<I")),
    pickle.MEMOIZE: lambda machine: _remember(machine, len(machine.memo)),
    pickle.BINGET: lambda machine: _recall(machine, machine.number("<B")),
    pickle.LONG_BINGET: lambda machine: _recall(machine, machine.number("<I")),
    pickle.GLOBAL: lambda machine: machine.refer(_line(machine), _line(machine)),
    pickle.STACK_GLOBAL: lambda machine: machine.refer(*machine.take(2)),
    pickle.REDUCE: _call,
    pickle.NEWOBJ: _call,
    pickle.BUILD: _build,
    pickle.BINPERSID: _refer_outside,
}
