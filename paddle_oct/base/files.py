"""Writing files: whole or not at all, and replacing an existing one only on request."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Iterator, Sequence


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees either the old content or the new, never a part.

    When this returns, the new content survives a power failure too.

    Raises:
        OSError: it can't be written; the error names the file, and the old content remains.
    """
    # Named after the process, as two processes may write the same file.
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with errors_naming(path):
        try:
            with open(partial, "wb") as file:
                file.write(content.encode("utf-8") if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise
        sync_folder(path.parent)


@contextlib.contextmanager
def errors_naming(path: str | Path) -> Iterator[None]:
    """Let an ``OSError`` leave the block with this path: those of writing and syncing name none."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # it has no more than a message
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def sync_file(path: Path) -> None:
    """Wait until what was written to a file is on the disk, and would survive a power failure."""
    with errors_naming(path), open(path, "rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk: files that were made, renamed or removed.

    Windows has nothing like it, nor have some file systems; then nothing is done.
    """
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


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
