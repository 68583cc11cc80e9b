"""Run the notebooks and keep their outputs: ``python notebooks/build.py [NAME...]``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def execute(path: Path, folder: str | Path) -> nbformat.NotebookNode:
    """Run a notebook in ``folder`` and return it with its outputs; an error is raised."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=900,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute()


def main() -> None:
    chosen = [HERE / name for name in sys.argv[1:]] or sorted(HERE.glob("*.ipynb"))
    for path in chosen:
        with tempfile.TemporaryDirectory() as folder:  # what it writes is not kept
            notebook = execute(path, folder)
        notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"]}
        nbformat.write(notebook, path)
        print(path.name)


if __name__ == "__main__":
    main()
