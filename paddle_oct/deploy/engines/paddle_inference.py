"""The engine ``paddle``: Paddle Inference with oneDNN."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from .digests import Files
from .opened import Opened, Run, Size, fitted
from .program_file import program_input


def check_installed() -> None:
    """Import Paddle Inference, which comes with Paddle."""
    import_module("paddle.inference")


def open_file(files: Files, threads: int, size: Size | None, pieces: int) -> Opened:
    """Open a ``.pdmodel`` file; see :data:`~paddle_oct.deploy.engines.opened.OpenFile`."""
    from paddle import inference

    shape = fitted(files[0], program_input(files[0]), size)
    config = new_config(files, threads)
    config.enable_mkldnn()
    config.set_mkldnn_cache_capacity(0)  # with a cache of shapes, results are wrong if they change
    config.enable_memory_optim()
    predictor = inference.create_predictor(config)
    # Not clones of it: Paddle holds Python's lock while it runs, so they would run in turns, too;
    # and when one of them is freed, the others compute something else.
    return Opened(shape, lambda: runner_of(predictor), parallel=False)


def new_config(files: Files, threads: int) -> Any:
    """Return a ``paddle.inference.Config`` of a pair of files on the CPU."""
    from paddle import inference

    config = inference.Config(*map(str, files))
    config.disable_gpu()
    config.disable_glog_info()
    config.set_cpu_math_library_num_threads(threads)
    return config


def runner_of(predictor: Any) -> Run:
    """Return what runs a predictor of Paddle's, which has one input."""
    given = predictor.get_input_handle(predictor.get_input_names()[0])
    results = [predictor.get_output_handle(name) for name in predictor.get_output_names()]

    def run(x: np.ndarray) -> list[np.ndarray]:
        given.copy_from_cpu(x)
        predictor.run()
        return [result.copy_to_cpu() for result in results]

    return run
