"""Reading the ``.params`` files of MXNet, the format of the weights that the authors published.

A file is a list of arrays and their names, all numbers little-endian::

    uint64 0x112, uint64 0                  magic number, reserved
    uint64 count, count arrays
    uint64 count, count names               uint64 length, UTF-8 bytes

An array is ``uint32`` 0xF993FAC9 (version 2; 0xF993FAC8: version 1), in version 2 the ``int32``
storage type (0: dense), the shape (``uint32`` rank, an ``int64`` each), ``int32`` device type and
number, the ``int32`` element type, and the elements.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from pathlib import Path
from typing import NoReturn

import numpy as np

from paddle_oct.base.errors import shortened
from paddle_oct.base.reading import read_regular

_LIST_MAGIC = 0x112
_ARRAY_VERSIONS = {0xF993FAC8: 1, 0xF993FAC9: 2}
_DTYPES = {0: "<f4", 1: "<f8", 2: "<f2", 3: "u1", 4: "<i4", 5: "i1", 6: "<i8"}
_DENSE = 0
_MOST_DIMENSIONS = 32  # of a NumPy array


def read_mxnet(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays of a file by name, in the file's order.

    Raises:
        ValueError: it can't be read, is not such a file, or is damaged; the message says where.
    """
    return parse_mxnet(read_regular(path), str(path))


def parse_mxnet(data: bytes | memoryview, origin: str = "data") -> dict[str, np.ndarray]:
    """Read the arrays of a file's content by name; ``origin`` is what error messages call it.

    Every length is compared with the bytes that are left before it is used, and the arrays are
    views of ``data``, so a damaged file costs neither time nor memory.

    Raises:
        ValueError: it is not such a file, or it is damaged; the message says where.
    """
    cursor = _Cursor(data, origin)
    if len(data) < 8 or cursor.number("Q", "the magic number") != _LIST_MAGIC:
        raise ValueError(
            f"{origin}: not an MXNet parameter file (it begins with {bytes(data[:8])!r})"
        )
    cursor.number("Q", "the reserved field")
    arrays = [_read_array(cursor, i) for i in range(cursor.count("arrays"))]
    names = [_read_name(cursor, i) for i in range(cursor.count("names"))]
    if cursor.left:
        cursor.fail(f"{cursor.left} bytes follow the last name")
    if len(names) != len(arrays):
        cursor.fail(f"{len(arrays)} arrays but {len(names)} names")
    named = dict(zip(names, arrays))
    if len(named) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        cursor.fail(f"two arrays are called '{shortened(twice)}'")
    return named


class _Cursor:
    """A position in the data, which never goes beyond its end."""

    def __init__(self, data: bytes | memoryview, origin: str) -> None:
        self.data = data
        self.origin = origin
        self.at = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def fail(self, what: str) -> NoReturn:
        raise ValueError(f"{self.origin}: damaged MXNet parameter file, {what} (byte {self.at})")

    def skip(self, size: int, what: str) -> int:
        """Step over ``size`` bytes and return where they begin."""
        if size > self.left:
            self.fail(f"truncated in {what}: {size} bytes needed, {self.left} left")
        start = self.at
        self.at += size
        return start

    def number(self, kind: str, what: str) -> int:
        start = self.skip(struct.calcsize(kind), what)
        return struct.unpack_from(f"<{kind}", self.data, start)[0]

    def count(self, what: str) -> int:
        number = self.number("Q", f"the number of {what}")
        if number > self.left // 8:  # each takes at least 8 bytes
            self.fail(f"{number} {what} can't be in {self.left} bytes")
        return number


def _read_array(cursor: _Cursor, index: int) -> np.ndarray:
    what = f"array {index}"
    version = _ARRAY_VERSIONS.get(cursor.number("I", what))
    if version is None:
        cursor.fail(f"{what} has an unknown version")
    if version == 2 and cursor.number("i", what) != _DENSE:
        cursor.fail(f"{what} is sparse, which no network here has a use for")
    rank = cursor.number("I", what)
    if not 1 <= rank <= _MOST_DIMENSIONS:
        cursor.fail(f"{what} has {rank} dimensions")
    shape = [cursor.number("q", what) for _ in range(rank)]
    if min(shape) < 1:
        cursor.fail(f"{what} is of shape {shape}")
    cursor.skip(8, what)  # the device that held it
    code = cursor.number("i", what)
    if code not in _DTYPES:
        cursor.fail(f"{what} has the unknown element type {code}")
    dtype, size = np.dtype(_DTYPES[code]), math.prod(shape)
    start = cursor.skip(size * dtype.itemsize, f"{what} of shape {shape}")
    return np.frombuffer(cursor.data, dtype, size, start).reshape(shape)


def _read_name(cursor: _Cursor, index: int) -> str:
    length = cursor.number("Q", f"name {index}")
    start = cursor.skip(length, f"name {index}")
    try:
        name = bytes(cursor.data[start : start + length]).decode("utf-8")
    except UnicodeDecodeError:
        cursor.fail(f"name {index} is not text")
    # The names of an exported graph begin with the kind: trained (arg) or statistics (aux).
    return name[4:] if name.startswith(("arg:", "aux:")) else name
