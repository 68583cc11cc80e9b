"""Reading ``.npz`` files, in which ``numpy.savez`` and ``numpy.savez_compressed`` store arrays."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from paddle_oct.base.errors import first_line, shortened
from paddle_oct.base.reading import open_regular

from .zipped import Zipped

_LONGEST_HEADER = 2000  # NumPy writes 118 bytes, and more only for many dimensions
_HEADERS = {
    (1, 0): (2, npy.read_array_header_1_0),
    (2, 0): (4, npy.read_array_header_2_0),
}


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays of a ``.npz`` file by name.

    Raises:
        ValueError: the file can't be read, is not in this format, holds anything but arrays of
            numbers, or unfolds to far more than its size.
    """
    with open_regular(path) as file:
        if not zipfile.is_zipfile(file):
            raise ValueError(f"{path}: not a .npz file, or truncated")
        try:
            archive = Zipped(file)
            return dict(_read_member(archive, name) for name in archive.names())
        except Exception as error:  # from zip, zlib or NumPy's header
            raise ValueError(f"{path}: can't be read as .npz ({first_line(error)})") from error


def _read_member(archive: Zipped, name: str) -> tuple[str, np.ndarray]:
    if not name.endswith(".npy"):
        raise ValueError(f"'{shortened(name)}' is no array")
    with archive.open(name) as member:
        try:
            shape, fortran, dtype = _read_header(member)
        except Exception as error:  # NumPy evaluates the text of a header
            raise ValueError(f"'{shortened(name)}' is no array ({first_line(error)})") from error
        if dtype.kind not in "biufc" or dtype.hasobject:
            raise ValueError(f"'{shortened(name)}' has elements of type {shortened(str(dtype))}")
        data = member.read(archive.size(name))
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or size != len(data):
        raise ValueError(f"'{shortened(name)}' does not have the elements of its shape")
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return name[: -len(".npy")], array


def _read_header(member: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy.read_magic(member)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of the format")
    size, read = _HEADERS[version]
    length = member.read(size)
    count = int.from_bytes(length, "little")
    if count > _LONGEST_HEADER:
        raise ValueError(f"a header of {count} bytes")
    return read(io.BytesIO(length + member.read(count)))
