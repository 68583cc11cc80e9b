"""A VisualDL record: reading its scalars, and cutting off what a killed process wrote last."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Mapping

from paddle_oct.base.errors import first_line


def record_files(folder: str | Path) -> list[Path]:
    """Return the record files in a VisualDL folder, oldest first."""
    return sorted(path for path in Path(folder).glob("*vdlrecords*") if path.is_file())


def record_lengths(folder: str | Path) -> dict[str, int]:
    """Return the length in bytes of the record files in a VisualDL folder by their names."""
    return {path.name: path.stat().st_size for path in record_files(folder)}


def cut_record(folder: str | Path, lengths: Mapping[str, int]) -> None:
    """Cut the record files in a VisualDL folder to the lengths that they had.

    So an epoch that a process left incomplete is not there twice once it has been trained again.

    Raises:
        OSError: a file can't be changed.
    """
    for path in record_files(folder):
        length = lengths.get(path.name)
        if length is not None and path.stat().st_size > length:
            os.truncate(path, length)


def read_scalars(folder: str | Path) -> dict[str, list[tuple[int, float]]]:
    """Read the scalars of a VisualDL folder.

    Args:
        folder: the ``log_dir`` of ``paddle.callbacks.VisualDL``, or a run's ``visualdl`` folder.

    Returns:
        ``(step, value)`` pairs in the order they were written, by tag, such as ``"train/loss"``.

    Raises:
        ValueError: there is no record in the folder, or it is damaged.
    """
    from visualdl import LogReader

    files = record_files(folder)
    if not files:
        raise ValueError(f"{folder}: no VisualDL record (*vdlrecords*) in this folder")
    scalars: dict[str, list[tuple[int, float]]] = {}
    for file in files:
        _check_lengths(file)
        try:
            reader = LogReader(file_path=str(file))
        except Exception as error:  # VisualDL's reader trusts the file
            raise ValueError(f"{file} is no VisualDL record ({first_line(error)})") from error
        for tag in reader.get_tags().get("scalar", []):
            points = [(item.id, item.value) for item in reader.get_data("scalar", tag)]
            scalars.setdefault(tag, []).extend(points)
    return scalars


def _check_lengths(path: Path) -> None:
    """Check that a file is a sequence of records, each after its length in eight bytes.

    VisualDL's reader allocates what a length says, whatever the file holds.
    """
    with open(path, "rb") as file:
        size, at = path.stat().st_size, 0
        while at < size:
            file.seek(at)
            at += 8 + int.from_bytes(file.read(8), "little")
    if at != size:
        raise ValueError(f"{path} is damaged: it ends within a record")
