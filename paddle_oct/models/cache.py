"""Weights that were downloaded: a file gets its name once it is whole and has been read.

The authors of octave convolution publish no checksums. So the SHA-256 of a file is kept beside it
at its first use, and what is changed afterwards is noticed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, TypeVar

from paddle_oct.base.files import write_atomically
from paddle_oct.base.private import download, weights_folder

T = TypeVar("T")

_PARTIAL = ".download-"  # begins the name of a folder with an unfinished download
_DAY = 24 * 60 * 60  # seconds after which such a folder is of a process that was killed


class Sum(NamedTuple):
    """A published checksum of a file."""

    kind: str
    digest: str


def place_of(address: str) -> Path:
    """Return where the file at an address is kept."""
    return weights_folder() / address.rpartition("/")[2]


def fetch(address: str, read: Callable[[Path], T], published: Sum | None = None) -> T:
    """Read the file at an address, downloaded with a progress bar unless it is in the cache.

    Args:
        address: where the file is published.
        read: reads a file; raises ValueError if it is not the right one.
        published: its checksum; without one, that of its first use is kept.

    Returns:
        What ``read`` returns.

    Raises:
        ValueError: the file could not be downloaded or read, or was changed.
    """
    place = place_of(address)
    if place.is_file() and (published is None or _sum_of(place, published.kind) == published):
        if not is_unchanged(place):
            raise ValueError(
                f"{place} was changed since its first use: its SHA-256 is not the one in "
                f"{_beside(place).name}; delete both files to download it again"
            )
        with _explaining(address, place, "delete it, or put another there"):
            result = read(place)
        if published is None and not _beside(place).exists():
            _keep_sum(place, of=place)
        return result
    with _partial_folder(place) as folder:
        partial = folder / place.name
        _download(address, folder, published)
        with _explaining(address, partial, f"or put it at {place} by hand"):
            result = read(partial)
        if published is None:
            _keep_sum(partial, of=place)
        with contextlib.suppress(OSError):  # a cache that can't be written does no harm
            os.replace(partial, place)
    return result


def keep(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file of the cache and the sum beside it; a cache that can't be written is left."""
    with contextlib.suppress(OSError):
        _beside(path).unlink(missing_ok=True)
        write(path)
        _keep_sum(path, of=path)


def is_unchanged(path: Path) -> bool:
    """Whether a file is there and has the sum beside it, if there is one."""
    try:
        kept = _beside(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return path.is_file()
    return path.is_file() and kept == _line(path, path)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _keep_sum(content: Path, of: Path) -> None:
    with contextlib.suppress(OSError):
        write_atomically(_beside(of), _line(content, of))


def _line(content: Path, of: Path) -> str:
    """Return what ``sha256sum`` prints of a file."""
    return f"{_sum_of(content, 'sha256').digest}  {of.name}\n"


def _sum_of(path: Path, kind: str) -> Sum:
    digest = hashlib.new(kind)
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(2**20), b""):
            digest.update(block)
    return Sum(kind, digest.hexdigest())


def _download(address: str, folder: Path, published: Sum | None) -> None:
    place = place_of(address)
    try:
        download(address, folder)
    except Exception as error:  # from the internet or the disk
        reason = f" ({error})" if isinstance(error, OSError) else ""
        raise ValueError(
            f"{address} could not be downloaded{reason}; fetch it by hand and put it at {place}"
        ) from error
    if published is not None and _sum_of(folder / place.name, published.kind) != published:
        raise ValueError(
            f"{address} could not be downloaded: its {published.kind} is not {published.digest}; "
            f"try again, or fetch it by hand and put it at {place}"
        )


@contextlib.contextmanager
def _explaining(address: str, path: Path, advice: str) -> Iterator[None]:
    """Say in an error of reading a file whose it should be."""
    try:
        yield
    except ValueError as error:
        text = str(error)
        if path != place_of(address):
            text = text.replace(str(path), path.name)
        raise ValueError(
            f"{text}; this is not the file of {address}: try again, {advice}"
        ) from error


@contextlib.contextmanager
def _partial_folder(place: Path) -> Iterator[Path]:
    """Make a folder for one download, which no other process uses; remove those left by kills."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        for left in place.parent.glob(f"{_PARTIAL}*"):
            if time.time() - left.stat().st_mtime > _DAY:
                shutil.rmtree(left, ignore_errors=True)
        folder = tempfile.mkdtemp(prefix=_PARTIAL, dir=place.parent)
    except OSError as error:
        raise ValueError(f"{place} can't be written ({error.strerror})") from error
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
