"""Reading the scalars of a VisualDL record."""

from __future__ import annotations

from pathlib import Path


def record_files(folder: str | Path) -> list[Path]:
    """Return the record files in a VisualDL folder, oldest first."""
    return sorted(Path(folder).glob("*vdlrecords*"))


def read_scalars(folder: str | Path) -> dict[str, list[tuple[int, float]]]:
    """Read the scalars of a VisualDL folder.

    Args:
        folder: the ``log_dir`` of ``paddle.callbacks.VisualDL``, or a run's ``visualdl`` folder.

    Returns:
        ``(step, value)`` pairs in the order they were written, by tag, such as ``"train/loss"``.

    Raises:
        ValueError: there is no record in the folder.
    """
    from visualdl import LogReader

    files = record_files(folder)
    if not files:
        raise ValueError(f"{folder}: no VisualDL record (*vdlrecords*) in this folder")
    scalars: dict[str, list[tuple[int, float]]] = {}
    for file in files:
        reader = LogReader(file_path=str(file))
        for tag in reader.get_tags().get("scalar", []):
            points = [(item.id, item.value) for item in reader.get_data("scalar", tag)]
            scalars.setdefault(tag, []).extend(points)
    return scalars
