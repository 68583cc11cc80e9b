"""Run the notebooks and keep their outputs: ``python notebooks/build.py [NAME...]``.

The code that the outputs came from goes into each notebook's metadata as a fingerprint, so that a
test can tell outputs that are out of date without running anything.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent


def execute(path: Path, folder: str | Path) -> nbformat.NotebookNode:
    """Run a notebook in ``folder``, with the package of this repository.

    Args:
        path: the notebook.
        folder: its working directory.

    Returns:
        The notebook with its outputs.

    Raises:
        CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=900,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,  # or the same text comes in different pieces every time
        resources={"metadata": {"path": str(folder)}},
    )
    places = [str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return client.execute(env={**os.environ, "PYTHONPATH": os.pathsep.join(places)})


def code_fingerprint(notebook: nbformat.NotebookNode) -> str:
    """Return the SHA-256 of a notebook's code cells, whatever its text and outputs."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\n\0\n".join(sources).encode("utf-8")).hexdigest()


def kept_fingerprint(notebook: nbformat.NotebookNode) -> str | None:
    """Return the fingerprint of the code that the kept outputs came from, if it is known."""
    return notebook.metadata.get("paddle_oct", {}).get("outputs_of_code")


def main() -> None:
    chosen = [HERE / name for name in sys.argv[1:]] or sorted(HERE.glob("*.ipynb"))
    for path in chosen:
        with tempfile.TemporaryDirectory() as folder:  # what it writes is not kept
            notebook = execute(path, folder)
        notebook.metadata = {
            "kernelspec": notebook.metadata["kernelspec"],
            "paddle_oct": {"outputs_of_code": code_fingerprint(notebook)},
        }
        nbformat.write(notebook, path)
        print(path.name)


if __name__ == "__main__":
    main()
