"""Reading the files of ``torch.save``, ``.pth`` and ``.pt``, without PyTorch.

Since PyTorch 1.6 such a file is a zip archive::

    NAME/data.pkl      a pickle, in which tensors refer to storages by key
    NAME/data/KEY      the elements of a storage
    NAME/byteorder     "little" or "big"; not in older ones

Before, it was a row of pickles: a magic number, a version, a table about the machine, the pickle
as above, and a list of keys. The storages follow in the order of the list, each as an ``int64``
count and its elements.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, Callable, Mapping

import numpy as np

from paddle_oct.base.errors import first_line, shortened
from paddle_oct.base.reading import Budget, open_regular, size_of

from .paddle_params import from_bfloat16
from .pickled_arrays import NUMPY_FUNCTIONS, check_shape
from .pickles import Function, Named, StandIn, Unknown, Unpickler
from .zipped import Zipped

_COST_FACTOR = 24
_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_DTYPES = {
    "torch.DoubleStorage": "<f8",
    "torch.FloatStorage": "<f4",
    "torch.HalfStorage": "<f2",
    "torch.BFloat16Storage": "<u2",
    "torch.LongStorage": "<i8",
    "torch.IntStorage": "<i4",
    "torch.ShortStorage": "<i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "?",
}


def read_torch(path: str | Path) -> dict[str, np.ndarray]:
    """Read a state dict that ``torch.save`` wrote, also one wrapped as ``{"state_dict": ...}``.

    Raises:
        ValueError: the file can't be read, is no such file, is damaged, or its state dict holds
            anything but dense tensors. Nothing in it is run, whatever there is beside the state
            dict.
    """
    with open_regular(path) as file:
        try:
            budget = Budget(size_of(file), _COST_FACTOR)
            state = (_read_zip if zipfile.is_zipfile(file) else _read_row)(file, budget)
        except Exception as error:  # a damaged pickle fails in all kinds of ways
            raise ValueError(
                f"{path}: can't be read as a PyTorch state dict, weights only ({first_line(error)})"
            ) from error
    for name, value in state.items():
        if not isinstance(value, np.ndarray):
            raise ValueError(
                f"{path}: holds more than a state dict: "
                f"'{shortened(name)}' is {type(value).__name__}"
            )
    return state


def _unwrap(machine: Unpickler, state: Any) -> dict[str, Any]:
    """Return the state dict, also that within a checkpoint which holds other things, too."""
    if not isinstance(state, dict):
        raise ValueError(f"it holds no state dict but {type(machine.finish(state)).__name__}")
    keys = ("state_dict", "model_state_dict", "model")
    state = next((state[key] for key in keys if isinstance(state.get(key), dict)), state)
    if not all(isinstance(name, str) for name in state):
        raise ValueError("it holds no state dict but a dictionary with other keys")
    return machine.finish(state)


def _read_zip(file: BinaryIO, budget: Budget) -> dict[str, Any]:
    archive = Zipped(file)
    pickles = [name for name in archive.names() if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ValueError(f"it holds {len(pickles)} pickles called data.pkl")
    folder = pickles[0][: -len("data.pkl")]
    if f"{folder}byteorder" in archive and archive.read(f"{folder}byteorder") != b"little":
        raise ValueError("it was written by a computer with another byte order")
    storages = _Storages()
    with archive.open(pickles[0]) as content:
        machine = _unpickler(content, archive.size(pickles[0]), budget, storages)
        state = machine.load()
    storages.read = lambda key: archive.read(f"{folder}data/{key}")
    return _unwrap(machine, state)


def _read_row(file: BinaryIO, budget: Budget) -> dict[str, Any]:
    size = size_of(file)
    file.seek(0)
    storages = _Storages()

    def load() -> Any:
        machine = _unpickler(file, size - file.tell(), budget, storages)
        return machine, machine.load()

    if load()[1] != _MAGIC:
        raise ValueError("it does not begin with PyTorch's magic number")
    if load()[1] != _VERSION:
        raise ValueError("it is of another version of the format")
    computer = load()[1]
    if not isinstance(computer, dict) or computer.get("little_endian") is not True:
        raise ValueError("it was written by a computer with another byte order")
    machine, state = load()
    keys = load()[1]
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("it has no list of its storages")
    content: dict[str, bytes] = {}
    for key in keys:
        if key not in storages.by_key:
            raise ValueError(f"it holds a storage '{shortened(key)}' of another kind")
        storage = storages.by_key[key]
        if file.read(8) != storage.count.to_bytes(8, "little", signed=True) or key in content:
            raise ValueError(f"storage '{shortened(key)}' has other elements")
        if not 0 <= storage.nbytes <= size - file.tell():
            raise ValueError("it ends too early")
        content[key] = file.read(storage.nbytes)
    storages.read = content.__getitem__
    return _unwrap(machine, state)


class _Storage(StandIn):
    """The elements that tensors are made of; they are read when the first tensor asks for them."""

    def __init__(self, key: str, kind: str, count: int, storages: _Storages) -> None:
        self.key = key
        self.is_bfloat16 = kind == "torch.BFloat16Storage"
        self.dtype = np.dtype(_DTYPES[kind])
        self.count = count
        self.storages = storages
        self._elements: np.ndarray | None = None

    @property
    def nbytes(self) -> int:
        return self.count * self.dtype.itemsize

    @property
    def elements(self) -> np.ndarray:
        if self._elements is None:
            data = self.storages.read(self.key)
            if len(data) != self.nbytes:
                raise ValueError(f"storage '{shortened(self.key)}' has other elements")
            self._elements = np.frombuffer(data, self.dtype)
        return self._elements


class _Storages:
    """The storages of a file by key."""

    read: Callable[[str], bytes]

    def __init__(self) -> None:
        self.by_key: dict[str, _Storage] = {}

    def named(self, _: Budget, identity: Any) -> _Storage | Unknown:
        """Return the storage that a persistent id in the pickle stands for."""
        if not isinstance(identity, tuple) or not 5 <= len(identity) <= 6:
            raise ValueError("it refers to a broken storage")
        word, kind, key, _, count = identity[:5]
        if isinstance(kind, Unknown):
            return kind
        if (
            word != "storage"
            or not isinstance(kind, Named)
            or kind.name not in _DTYPES
            or not isinstance(key, str)
            or type(count) is not int
            or identity[5:] not in ((), (None,))
        ):
            raise ValueError("it refers to a broken storage")
        if key not in self.by_key:
            self.by_key[key] = _Storage(key, kind.name, count, self)
        storage = self.by_key[key]
        if (storage.dtype, storage.count) != (np.dtype(_DTYPES[kind.name]), count):
            raise ValueError(f"storage '{shortened(key)}' is of two kinds")
        return storage


class _Tensor(StandIn):
    """A tensor: a part of a storage, seen with a shape and strides."""

    def __init__(
        self, _: Budget, storage: Any, start: Any, shape: Any, strides: Any, *more: Any
    ) -> None:
        for numbers in ((start,), shape, strides):
            check_shape(numbers)
        if not isinstance(storage, _Storage) or len(shape) != len(strides):
            raise ValueError("it holds a broken tensor")
        if len(more) > 2 and more[2]:
            raise ValueError("it holds a tensor that is conjugate or negated")
        self.storage = storage
        self.start, self.shape, self.strides = start, shape, strides
        self._array: np.ndarray | None = None

    def result(self, budget: Budget) -> np.ndarray:
        if self._array is None:
            self._array = self._read(budget)
        return self._array

    def _read(self, budget: Budget) -> np.ndarray:
        dtype, count = self.storage.dtype, math.prod(self.shape)
        budget.charge(4 * count * dtype.itemsize)  # strides of 0 repeat elements
        if not count:
            return np.zeros(self.shape, np.float32 if self.storage.is_bfloat16 else dtype)
        last = self.start + sum((n - 1) * step for n, step in zip(self.shape, self.strides))
        if last >= self.storage.count:
            raise ValueError("a tensor is larger than its storage")
        array = np.lib.stride_tricks.as_strided(
            self.storage.elements[self.start :],
            self.shape,
            [step * dtype.itemsize for step in self.strides],
            writeable=False,
        )
        return from_bfloat16(array) if self.storage.is_bfloat16 else array


def _tensor(budget: Budget, storage: Any, *arguments: Any) -> StandIn:
    return storage if isinstance(storage, Unknown) else _Tensor(budget, storage, *arguments)


def _parameter(_: Budget, tensor: Any, *__: Any) -> Any:
    return tensor


_FUNCTIONS: Mapping[str, Function | None] = {
    **NUMPY_FUNCTIONS,
    **dict.fromkeys(_DTYPES),
    "torch.Size": NUMPY_FUNCTIONS["builtins.tuple"],
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
}


def _unpickler(file: BinaryIO, size: int, budget: Budget, storages: _Storages) -> Unpickler:
    # A checkpoint may hold what is no tensor beside the state dict, such as a learning rate's.
    return Unpickler(file, size, budget, _FUNCTIONS, storages.named, lenient=True)
