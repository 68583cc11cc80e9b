"""Writing files: whole or not at all, and replacing an existing one only on request."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Sequence


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees either the old content or the new, never a part."""
    # Named after the process, as two processes may write the same file.
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def check_output(path: str | Path, force: bool = False, suffixes: Sequence[str] = ()) -> Path:
    """Check that a file can be written, before the work whose result it will hold.

    Args:
        path: the file.
        force: whether an existing file may be replaced.
        suffixes: what its name may end in; without any, the name may end in anything.

    Returns:
        The path.

    Raises:
        ValueError: it is a folder, its name ends in something else, the file exists already, or its
            folder does not exist or can't be written.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it")
    if suffixes and path.suffix.lower() not in suffixes:
        raise ValueError(f"{path}: the file's name must end in {' or '.join(suffixes)}")
    if path.exists() and not force:
        raise ValueError(f"{path} already exists; choose another name, or overwrite with --force")
    if not path.parent.is_dir():
        raise ValueError(f"{path} can't be written: there is no folder {path.parent}")
    trial = path.with_name(f".{path.name}.{os.getpid()}.trial")
    try:
        trial.touch()
    except OSError as error:
        raise ValueError(f"{path} can't be written ({error.strerror})") from error
    finally:
        with contextlib.suppress(OSError):
            trial.unlink()
    return path
