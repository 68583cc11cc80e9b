"""The engine ``openvino``."""

from __future__ import annotations

import numpy as np

from paddle_oct.base.extras import need

from .digests import Files
from .formats import SEPARABLE
from .opened import Opened, Run, Size, fitted


def check_installed() -> None:
    """Raise a ``ValueError`` if OpenVINO is not installed."""
    need("openvino", "the engine openvino")


def open_file(files: Files, threads: int, size: Size | None, pieces: int) -> Opened:
    """Open an ``.onnx`` file; see :data:`~paddle_oct.deploy.engines.opened.OpenFile`."""
    (path,) = files
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

    def new_runner() -> Run:
        request = compiled.create_infer_request()

        def run(x: np.ndarray) -> list[np.ndarray]:
            # Not infer(): two of them that run for the first time at the same time deadlock.
            request.start_async([x], share_inputs=True)
            request.wait()
            return [tensor.data.copy() for tensor in request.output_tensors]

        return run

    return Opened(shape, new_runner, lanes=lanes, separable=separable)
