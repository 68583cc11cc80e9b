"""The engine ``paddle``: Paddle Inference with oneDNN."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from .opened import Opened, Shape, Size, fitted
from .program_file import parameters_of, program_input


def check_installed() -> None:
    """Import Paddle Inference, which comes with Paddle."""
    import_module("paddle.inference")


def open_file(path: Path, threads: int, size: Size | None, pieces: int) -> Opened:
    """Open a ``.pdmodel`` file; see :data:`~paddle_oct.deploy.engines.opened.OpenFile`."""
    shape = fitted(path, program_input(path), size)
    config = new_config(path, threads)
    config.enable_mkldnn()
    config.set_mkldnn_cache_capacity(0)  # with a cache of shapes, results are wrong if they change
    config.enable_memory_optim()
    return predictor_of(config, shape)


def new_config(path: Path, threads: int) -> Any:
    """Return a ``paddle.inference.Config`` of a file on the CPU."""
    from paddle import inference

    config = inference.Config(str(path), str(parameters_of(path)))
    config.disable_gpu()
    config.disable_glog_info()
    config.set_cpu_math_library_num_threads(threads)
    return config


def predictor_of(config: Any, shape: Shape) -> Opened:
    """Load the file of a ``paddle.inference.Config``.

    Args:
        config: the configuration, of a file with one input.
        shape: the shape of that input.
    """
    from paddle import inference

    predictor = inference.create_predictor(config)
    given = predictor.get_input_handle(predictor.get_input_names()[0])
    results = [predictor.get_output_handle(name) for name in predictor.get_output_names()]

    def run(inputs: list[np.ndarray]) -> list[list[np.ndarray]]:
        (x,) = inputs
        given.copy_from_cpu(x)
        predictor.run()
        return [[result.copy_to_cpu() for result in results]]

    return Opened(shape, run, lanes=1, separable=False)  # it holds Python's lock while it runs
