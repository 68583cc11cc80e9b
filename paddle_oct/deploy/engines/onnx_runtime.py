"""The engine ``onnxruntime``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from paddle_oct.base.extras import need

from .digests import Files
from .formats import INPUT_AXES, SEPARABLE
from .opened import Opened, Size, fitted


def check_installed() -> None:
    """Raise a ``ValueError`` if ONNX Runtime is not installed."""
    need("onnxruntime", "the engine onnxruntime")


def open_file(files: Files, threads: int, size: Size | None, pieces: int) -> Opened:
    """Open an ``.onnx`` file; see :data:`~paddle_oct.deploy.engines.opened.OpenFile`."""
    (path,) = files
    lanes = threads if pieces > 1 else 1
    session = _session(path, threads // lanes, size and (size[0] // pieces, *size[1:]))
    separable = SEPARABLE in session.get_modelmeta().custom_metadata_map
    if pieces > 1 and not separable:
        return open_file(files, threads, size, 1)
    given = session.get_inputs()[0]
    shape = tuple(n if isinstance(n, int) else None for n in given.shape)
    if size is not None:  # the session takes one piece of it
        shape = fitted(path, (shape[0] and shape[0] * pieces, *shape[1:]), size)

    def run(x: np.ndarray) -> list[np.ndarray]:  # in several threads, if need be
        return session.run(None, {given.name: x})

    return Opened(shape, lambda: run, lanes=lanes, separable=separable)


def _session(path: Path, threads: int, size: Size | None) -> Any:
    """Return an ``onnxruntime.InferenceSession`` that uses ``threads`` threads for one run."""
    onnxruntime = need("onnxruntime", "the engine onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Run nodes in the order of the file; the default, backwards from the output, is slower.
    options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
    # Else its threads wait for the next run in a busy loop, and slow the rest of the process.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    for name, length in zip(INPUT_AXES, size or ()):
        options.add_free_dimension_override_by_name(name, length)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
