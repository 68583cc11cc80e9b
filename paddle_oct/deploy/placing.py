"""Placing the files of an export: all of them, or none."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import Iterator

from paddle_oct.base.files import errors_naming, sync_folder

from .engines.digests import Files, sha256_of, waiting


def place(written: Files, targets: Files) -> None:
    """Copy the files of an export to where they belong, so that a crash leaves the old or the new.

    All are written beside their targets first. Then the first file gets its name, and the export is
    the new one: that file carries the digests of the others, and ``load`` finds them until they get
    their names, too. What an interrupted call has left is removed by the next one.

    Args:
        written: the files, sealed.
        targets: their new paths, in one folder.

    Raises:
        OSError: there is no room for them, or they can't be written; nothing has changed then. It
            names the target.
    """
    folder = targets[0].parent
    with _alone_in(folder):
        partials = [waiting(target, sha256_of(file)) for file, target in zip(written, targets)]
        try:
            for file, partial, target in zip(written, partials, targets):
                with errors_naming(target):
                    _copy(file, partial)
            with errors_naming(targets[0]):
                os.replace(partials[0], targets[0])
        except BaseException:
            if partials[0].exists():  # or else it has its name, and needs the others
                for partial in reversed(partials):
                    partial.unlink(missing_ok=True)
            raise
        sync_folder(folder)
        for partial, target in zip(partials[1:], targets[1:]):
            with errors_naming(target):
                os.replace(partial, target)
        sync_folder(folder)
        _remove_remains(targets)


def _copy(source: Path, path: Path) -> None:
    """Copy a file, and wait until the copy is on the disk."""
    with open(source, "rb") as old, open(path, "wb") as new:
        shutil.copyfileobj(old, new)
        new.flush()
        os.fsync(new.fileno())


def _remove_remains(targets: Files) -> None:
    """Remove what interrupted exports to the same paths have left."""
    for target in targets:
        for path in target.parent.iterdir():
            if path.name.startswith(f".{target.name}.") and path.suffix in (".partial", ".trial"):
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until nobody else places an export in a folder, where the system has such locks."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # of some file systems
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
