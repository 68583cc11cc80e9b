"""Zip archives whose members unfold to no more than the archive's size allows."""

from __future__ import annotations

import zipfile
from typing import BinaryIO, cast

from paddle_oct.base.errors import shortened
from paddle_oct.base.reading import most_inflated, size_of


class Zipped:
    """The members of a zip archive.

    Args:
        file: the open archive.

    Raises:
        Exception: of any kind, if the archive is damaged.
        ValueError: two members have one name, one is encrypted or compressed in an unusual way, or
            all together unfold to more than :func:`~paddle_oct.base.reading.most_inflated`.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._archive = zipfile.ZipFile(file)
        self._members = {}
        total = 0
        for member in self._archive.infolist():
            name = member.filename
            if name in self._members:
                raise ValueError(f"two members are called '{shortened(name)}'")
            if member.flag_bits & 1:
                raise ValueError(f"'{shortened(name)}' is encrypted")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"'{shortened(name)}' is compressed in an unusual way")
            self._members[name] = member
            total += member.file_size  # a member never yields more than it says here
        most = most_inflated(size_of(file))
        if total > most:
            raise ValueError(
                f"it unfolds to {total} bytes; a file of its size may hold {most} at most"
            )

    def names(self) -> list[str]:
        """Return the names of the members, in the archive's order."""
        return list(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def size(self, name: str) -> int:
        """Return how many bytes a member has, at most."""
        return self._members[name].file_size

    def open(self, name: str) -> BinaryIO:
        """Open a member for reading. To read it without saying how much may unfold anything."""
        return cast("BinaryIO", self._archive.open(self._members[name]))

    def read(self, name: str) -> bytes:
        """Return the content of a member."""
        with self.open(name) as member:
            return member.read(self.size(name))
