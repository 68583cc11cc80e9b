"""The engine ``openvino``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from paddle_oct.base.extras import need

from .formats import SEPARABLE
from .opened import Opened, Size, fitted


def check_installed() -> None:
    """Raise a ``ValueError`` if OpenVINO is not installed."""
    need("openvino", "the engine openvino")


def open_file(path: Path, threads: int, size: Size | None, pieces: int) -> Opened:
    """Open an ``.onnx`` file; see :data:`~paddle_oct.deploy.engines.opened.OpenFile`."""
    core = need("openvino", "the engine openvino").Core()
    model = core.read_model(str(path))
    shape = tuple(n.get_length() if n.is_static else None for n in model.input(0).partial_shape)
    shape = fitted(path, shape, size)
    separable = model.has_rt_info(["framework", SEPARABLE])
    pieces = pieces if separable else 1
    lanes = threads if pieces > 1 else 1
    if size is not None:
        model.reshape([size[0] // pieces, *size[1:]])
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "NUM_STREAMS": lanes,
    }
    compiled = core.compile_model(model, "CPU", options)
    requests: list[Any] = []

    def run(inputs: list[np.ndarray]) -> list[list[np.ndarray]]:
        # Not infer() in several Python threads: two first calls at the same time deadlock.
        while len(requests) < len(inputs):
            requests.append(compiled.create_infer_request())
        used = requests[: len(inputs)]
        for request, x in zip(used, inputs):
            request.start_async([x], share_inputs=True)
        for request in used:
            request.wait()
        return [[tensor.data.copy() for tensor in request.output_tensors] for request in used]

    return Opened(shape, run, lanes, separable)
