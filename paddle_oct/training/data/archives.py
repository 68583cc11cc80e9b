"""Reading tar archives as a stream: nothing is extracted, and nothing but files is accepted."""

from __future__ import annotations

import io
import re
import zlib
from typing import BinaryIO, Iterator, NamedTuple, cast

from paddle_oct.base.errors import shortened

_BLOCK = 512  # a tar archive consists of blocks of this many bytes
_CHUNK = 2**16
_NUMBER = re.compile(rb"[ \0]*([0-7]{1,11})[ \0]*")
_FILES = (b"0", b"\0")
_PASSED_OVER = (b"5", b"x", b"g", b"L")  # folders, and further details about the next member


class Member(NamedTuple):
    """A file in an archive.

    Attributes:
        name: its name, without folders.
        size: its size in bytes.
        content: the archive, where the file begins in it.
    """

    name: str
    size: int
    content: BinaryIO


def members(file: BinaryIO, most: int) -> Iterator[Member]:
    """Yield the files of a tar archive, which may be compressed by gzip, in their order.

    Args:
        file: the open archive.
        most: how many bytes it may unfold to.

    Raises:
        Exception: of any kind, if the archive is damaged.
        ValueError: it holds a link or a device, or unfolds to more.
    """
    compressed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    archive = cast("BinaryIO", io.BufferedReader(_Inflated(file, most))) if compressed else file
    while (header := archive.read(_BLOCK)).strip(b"\0"):
        name, kind, size = _read_header(header)
        end = archive.tell() + size + -size % _BLOCK
        if kind in _FILES:
            yield Member(name, size, archive)
        elif kind not in _PASSED_OVER:
            raise ValueError(f"'{shortened(name)}' in it is a link or a device")
        _skip(archive, end - archive.tell())


def _read_header(header: bytes) -> tuple[str, bytes, int]:
    """Return the name without folders, the kind and the size of a member."""
    total = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    if len(header) != _BLOCK or _number(header[148:156]) != total:
        raise ValueError("it is no tar archive, or damaged")
    name = header[:100].split(b"\0")[0].decode("latin1")
    return name.rpartition("/")[2], header[156:157], _number(header[124:136])


def _number(field: bytes) -> int:
    number = _NUMBER.fullmatch(field)
    if number is None:
        raise ValueError("it is no tar archive, or damaged")
    return int(number[1], 8)


def _skip(archive: BinaryIO, size: int) -> None:
    while size > 0:
        passed = len(archive.read(min(size, _CHUNK)))
        if not passed:
            raise ValueError("it ends too early")
        size -= passed


class _Inflated(io.RawIOBase):
    """What a file holds that gzip compressed, up to some number of bytes."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._most = most
        self._inflate = zlib.decompressobj(wbits=31)  # with the header of gzip
        self._position = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer) -> int:
        data = b""
        while not data and not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._file.read(_CHUNK)
            if not packed:
                raise ValueError("it ends too early")
            data = self._inflate.decompress(packed, len(buffer))
        self._position += len(data)
        if self._position > self._most:
            raise ValueError(f"it unfolds to more than {self._most} bytes")
        buffer[: len(data)] = data
        return len(data)
