"""Reading files that strangers made: regular files alone, at a cost in proportion to their size."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from .errors import shortened

_MIB = 2**20
_LONGEST_PATH = 300  # in a message


def open_regular(path: str | Path) -> BinaryIO:
    """Open a regular file for reading.

    A pipe would block for ever, and a device may never end. So neither is opened.

    Raises:
        ValueError: there is no such file, it is no regular file, or it can't be read.
    """

    def opener(name: str, flags: int) -> int:
        # Without blocking, opening a pipe returns at once; regular files are read as usual.
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))

    try:
        file = open(path, "rb", opener=opener)  # noqa: SIM115
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ValueError(f"{path}: is a folder, no file") from None
    except (OSError, ValueError) as error:  # a name with a null character is a ValueError
        shown = shortened(str(path), _LONGEST_PATH)
        said = getattr(error, "strerror", None) or error
        raise ValueError(f"{shown}: can't be read ({said})") from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ValueError(f"{path}: is a pipe or a device, no regular file")
    return file


def size_of(file: BinaryIO) -> int:
    """Return the size of an open file in bytes."""
    return os.fstat(file.fileno()).st_size


def read_regular(path: str | Path) -> bytes:
    """Return the content of a regular file.

    Raises:
        ValueError: as :func:`open_regular`.
    """
    with open_regular(path) as file:
        try:
            return file.read(size_of(file))  # no more: some files of the system have no end
        except OSError as error:
            raise ValueError(f"{path}: can't be read ({error.strerror})") from error


class Budget:
    """What reading a file may cost: a multiple of its size, and something for the smallest.

    Whoever makes something out of the file, or visits it again, says so with :meth:`charge`.

    Args:
        size: the size of the file in bytes.
        factor: what each of its bytes may cost.
        least: what a file of any size may cost.
    """

    def __init__(self, size: int, factor: int, least: int = _MIB) -> None:
        self.left = least + factor * size

    def charge(self, amount: int) -> None:
        """Spend some of it.

        Raises:
            ValueError: there is not as much left.
        """
        self.left -= amount
        if self.left < 0:
            raise ValueError("it unfolds to far more than its size")


def most_inflated(size: int, factor: int = 32) -> int:
    """Return how many bytes a compressed file may hold: 64 MiB, or a multiple of its size.

    Weights and photographs hardly shrink; a file of 4 MB that unfolds to 4 GB is an attack.
    """
    return max(64 * _MIB, factor * size)
