"""Writing files: all or nothing, and never over another one unasked."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees either the old content or the new, never a part."""
    # Named after the process, for two of them may write the same file.
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def check_output(path: str | Path, force: bool = False) -> Path:
    """Return the path of a file that may be written, before the work that it is to hold.

    Args:
        path: the file.
        force: whether it may replace a file.

    Raises:
        ValueError: there is such a file already, or no such folder.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it")
    if path.exists() and not force:
        raise ValueError(f"{path} already exists; choose another name, or overwrite with --force")
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}")
    return path
