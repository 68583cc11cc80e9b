"""Running an exported network: one callable, whatever the engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, Sequence, Union

import numpy as np

from paddle_oct.names import look_up

from .extras import need
from .programs import program_input

Arrays = Union[np.ndarray, "tuple[np.ndarray, ...]"]
_Run = Callable[[np.ndarray], "list[np.ndarray]"]


class Predictor:
    """An exported network, ready to run: ``predict(x)``.

    Made by :func:`load`.

    Attributes:
        path (Path): the file.
        engine (str): what runs it.
        threads (int): how many threads it may use.
        input_shape (tuple): what it takes; None for an axis of any length.
    """

    def __init__(
        self, path: Path, engine: str, threads: int, shape: tuple[int | None, ...], run: _Run
    ) -> None:
        self.path = path
        self.engine = engine
        self.threads = threads
        self.input_shape = shape
        self._run = run

    def __call__(self, x: np.ndarray) -> Arrays:
        """Run the network on an array of float32 and return an array, or a tuple of several.

        Raises:
            TypeError: it is not an array of float32.
            ValueError: its shape is not one that the network takes.
        """
        if not isinstance(x, np.ndarray):
            raise TypeError(f"{self.path.name}: expected a NumPy array, got {type(x).__name__}")
        if x.dtype != np.float32:
            raise TypeError(
                f"{self.path.name}: expected float32, got {x.dtype}; use x.astype('float32')"
            )
        wanted = self.input_shape
        shown = "[" + ", ".join("any" if n is None else str(n) for n in wanted) + "]"
        if x.ndim != len(wanted) or any(n not in (None, m) for n, m in zip(wanted, x.shape)):
            raise ValueError(
                f"{self.path.name}: expected an input of shape {shown}, got {list(x.shape)}"
            )
        if not x.size:
            raise ValueError(f"{self.path.name}: the input of shape {list(x.shape)} is empty")
        results = self._run(np.ascontiguousarray(x))
        return results[0] if len(results) == 1 else tuple(results)

    def __repr__(self) -> str:
        return f"Predictor({str(self.path)!r}, engine={self.engine!r}, threads={self.threads})"


def load(
    path: str | Path,
    engine: str | None = None,
    threads: int | None = None,
    input_size: Sequence[int] | None = None,
) -> Predictor:
    """Load a file that :func:`export` wrote.

    Args:
        path: the ``.pdmodel`` or ``.onnx`` file.
        engine: ``"paddle"`` (Paddle Inference with oneDNN), ``"onnxruntime"`` or ``"openvino"``. By
            default Paddle for its own format and ONNX Runtime for ONNX.
        threads: how many threads to use, by default as many as there are cores.
        input_size: the one shape ``[N, C, H, W]`` that will be given. A file that takes any size is
            then prepared for this one, and as fast as one that was exported for it.

    Returns:
        A callable that takes an array of float32 and returns one, or a tuple of several.

    Raises:
        ValueError: there is no such file or engine, the engine does not read this format or is not
            installed (the message names the extra), or the file is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    if path.suffix not in _BY_SUFFIX:
        raise ValueError(f"{path}: expected a .pdmodel or an .onnx file")
    readers = _BY_SUFFIX[path.suffix]
    engine = engine or next(iter(readers))
    look_up(engine, ENGINES, "engine")
    if engine not in readers:
        raise ValueError(f"{path}: {engine} does not read this format; use {' or '.join(readers)}")
    threads = _cores() if threads is None else threads
    if threads < 1:
        raise ValueError(f"threads must be 1 or more, got {threads}")
    size = None if input_size is None else tuple(int(n) for n in input_size)
    try:
        shape, run = ENGINES[engine](path, threads, size)
    except (ValueError, TypeError):
        raise
    except Exception as error:  # of the engine, all kinds
        reason = str(error).strip().splitlines()
        raise ValueError(f"{path}: {engine} can't load it ({' '.join(reason[:3])})") from error
    return Predictor(path, engine, threads, shape, run)


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _fits(path: Path, shape: tuple[int | None, ...], size: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) != len(size) or any(n not in (None, m) for n, m in zip(shape, size)):
        raise ValueError(
            f"{path}: input_size {list(size)} does not fit an input of shape {list(shape)}"
        )
    return size


def _load_paddle(path: Path, threads: int, size: tuple[int, ...] | None):
    from paddle import inference

    parameters = path.with_suffix(".pdiparams")
    if not parameters.is_file():
        raise ValueError(f"{path}: there is no {parameters.name} beside it")
    config = inference.Config(str(path), str(parameters))
    config.disable_gpu()
    config.disable_glog_info()
    config.enable_mkldnn()
    config.set_mkldnn_cache_capacity(0)  # a cache of shapes gives wrong results when they change
    config.set_cpu_math_library_num_threads(threads)
    config.enable_memory_optim()
    predictor = inference.create_predictor(config)
    name = predictor.get_input_names()[0]
    shape = program_input(path, name)
    if size is not None:
        shape = _fits(path, shape, size)
    given = predictor.get_input_handle(name)
    results = [predictor.get_output_handle(out) for out in predictor.get_output_names()]

    def run(x: np.ndarray) -> list[np.ndarray]:
        given.copy_from_cpu(x)
        predictor.run()
        return [result.copy_to_cpu() for result in results]

    return shape, run


def _load_onnxruntime(path: Path, threads: int, size: tuple[int, ...] | None):
    onnxruntime = need("onnxruntime", "the engine onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Its threads wait for the next run in a loop, in the way of whatever else the process does.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if size is not None:
        for name, length in zip(("batch", "channels", "height", "width"), size):
            options.add_free_dimension_override_by_name(name, length)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    shape = tuple(n if isinstance(n, int) else None for n in given.shape)
    if size is not None:
        shape = _fits(path, shape, size)
    return shape, lambda x: session.run(None, {given.name: x})


def _load_openvino(path: Path, threads: int, size: tuple[int, ...] | None):
    openvino = need("openvino", "the engine openvino")
    core = openvino.Core()
    model = core.read_model(str(path))
    shape = tuple(n.get_length() if n.is_static else None for n in model.input(0).partial_shape)
    if size is not None:
        shape = _fits(path, shape, size)
        model.reshape(list(size))
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = core.compile_model(model, "CPU", options).create_infer_request()

    def run(x: np.ndarray) -> list[np.ndarray]:
        results = request.infer([x])
        return [results[i].copy() for i in range(len(results))]

    return shape, run


ENGINES = {"paddle": _load_paddle, "onnxruntime": _load_onnxruntime, "openvino": _load_openvino}
_BY_SUFFIX = {".pdmodel": ("paddle",), ".onnx": ("onnxruntime", "openvino")}
