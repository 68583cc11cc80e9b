"""Running an exported network: one callable, whatever the engine."""

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Sequence

import numpy as np

from paddle_oct.base.extras import need
from paddle_oct.base.names import look_up

from ..programs import fix_input, program_input
from .predictor import Opened, Predictor

# What export says in an ONNX file of any batch, and how it calls the axes that are of any length.
SEPARABLE = "paddle_oct.separable"
INPUT_AXES = ("batch", "channels", "height", "width")


def load(
    path: str | Path,
    engine: str | None = None,
    threads: int | None = None,
    input_size: Sequence[int] | None = None,
) -> Predictor:
    """Load a file that :func:`export` wrote.

    Args:
        path: the ``.pdmodel`` or ``.onnx`` file.
        engine: for ``.pdmodel`` ``"paddle"`` (Paddle Inference with oneDNN, the default) or
            ``"paddle-openvino"`` (Paddle Inference with the OpenVINO that Paddle brings along,
            where it does); for ``.onnx`` ``"onnxruntime"`` (the default) or ``"openvino"``.
        threads: how many threads to use, by default as many as there are cores. They compute an
            image together; the images of a batch they share out, if their number is a multiple and
            the file is an ONNX file of any batch that :func:`export` wrote.
        input_size: the one shape ``[N, C, H, W]`` that will be given. A file that takes any size is
            then prepared for this one, and as fast as one that was exported for it.

    Returns:
        A callable that takes an array of float32 and returns one, or a tuple of several.

    Raises:
        ValueError: there is no such file or engine, the engine does not read this format or is not
            installed (the message names the extra), the file is damaged, or no input of
            ``input_size`` fits it.
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
    if size is not None and min(size, default=0) < 1:
        raise ValueError(f"input_size must be of lengths of 1 or more, got {list(size)}")
    try:
        return Predictor(path, engine, threads, size, partial(ENGINES[engine], path, threads, size))
    except (ValueError, TypeError):
        raise
    except Exception as error:  # of the engine, all kinds
        reason = str(error).strip().splitlines()
        raise ValueError(f"{path}: {engine} can't load it ({' '.join(reason[:3])})") from error


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _fits(
    path: Path, shape: tuple[int | None, ...], size: tuple[int, ...] | None
) -> tuple[int | None, ...]:
    """Return the shape that the input will have."""
    if size is None:
        return shape
    if len(shape) != len(size) or any(n not in (None, m) for n, m in zip(shape, size)):
        raise ValueError(
            f"{path}: input_size {list(size)} does not fit an input of shape {list(shape)}"
        )
    return size


def _load_paddle(
    path: Path, threads: int, size: tuple[int, ...] | None, pieces: int, cache: Path | None = None
) -> Opened:
    """Load a program into Paddle Inference, with oneDNN; with OpenVINO if it is given a folder."""
    from paddle import inference

    shape = _fits(path, program_input(path), size)
    config = inference.Config(str(path), str(_parameters(path)))
    config.disable_gpu()
    config.disable_glog_info()
    config.set_cpu_math_library_num_threads(threads)
    if cache is not None:
        use_openvino(config)
        config.set_optim_cache_dir(str(cache))  # or it leaves what it compiled where it was called
    else:
        config.enable_mkldnn()
        config.set_mkldnn_cache_capacity(0)  # a cache of shapes gives wrong results if they change
        config.enable_memory_optim()
    predictor = inference.create_predictor(config)
    given = predictor.get_input_handle(predictor.get_input_names()[0])
    results = [predictor.get_output_handle(out) for out in predictor.get_output_names()]

    def run(inputs: list[np.ndarray]) -> list[list[np.ndarray]]:
        (x,) = inputs
        given.copy_from_cpu(x)
        predictor.run()
        return [[result.copy_to_cpu() for result in results]]

    return Opened(shape, run, lanes=1, separable=False)  # which holds Python's lock as it runs


def _load_paddle_openvino(
    path: Path, threads: int, size: tuple[int, ...] | None, pieces: int
) -> Opened:
    shape = program_input(path)
    with tempfile.TemporaryDirectory() as folder:  # all files are read while it is loaded
        cache = Path(folder) / "cache"
        if _fits(path, shape, size) != shape:
            path = _for_one_size(path, size, Path(folder))
        return _load_paddle(path, threads, size, pieces, cache)


def _for_one_size(path: Path, size: tuple[int, ...], folder: Path) -> Path:
    """Return a copy of a program in a folder that takes inputs of one size alone."""
    copy = folder / path.name
    fix_input(path, size, copy)
    parameters, beside = _parameters(path), copy.with_suffix(".pdiparams")
    try:
        beside.symlink_to(parameters.resolve())
    except OSError:  # not everybody may on Windows
        shutil.copyfile(parameters, beside)
    return copy


def _parameters(path: Path) -> Path:
    """Return the file of a program's weights."""
    parameters = path.with_suffix(".pdiparams")
    if not parameters.is_file():
        raise ValueError(f"{path}: there is no {parameters.name} beside it")
    return parameters


def use_openvino(config: Any) -> None:
    """Have Paddle Inference compute with the OpenVINO that Paddle brings along.

    Raises:
        ValueError: the Paddle that is installed brings none.
    """
    from paddle.inference import PrecisionType

    if hasattr(config, "enable_openvino_engine"):
        config.enable_openvino_engine(PrecisionType.Float32)
        if config.openvino_engine_enabled():
            return
    raise ValueError("this paddlepaddle is built without OpenVINO; use the engine paddle")


def _load_onnxruntime(
    path: Path, threads: int, size: tuple[int, ...] | None, pieces: int
) -> Opened:
    onnxruntime = need("onnxruntime", "the engine onnxruntime")
    lanes = threads if pieces > 1 else 1
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads // lanes
    options.inter_op_num_threads = 1
    # By index; by default it orders them backwards from the output, which was measured slower.
    options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
    # Its threads wait for the next run in a loop, in the way of whatever else the process does.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if size is not None:
        for name, length in zip(INPUT_AXES, (size[0] // pieces, *size[1:])):
            options.add_free_dimension_override_by_name(name, length)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    separable = SEPARABLE in session.get_modelmeta().custom_metadata_map
    if pieces > 1 and not separable:
        return _load_onnxruntime(path, threads, size, 1)
    given = session.get_inputs()[0]
    shape = tuple(n if isinstance(n, int) else None for n in given.shape)
    if size is not None:  # of which the session has a piece
        shape = _fits(path, (shape[0] and shape[0] * pieces, *shape[1:]), size)
    pool: ThreadPoolExecutor | None = None

    def run(inputs: list[np.ndarray]) -> list[list[np.ndarray]]:
        nonlocal pool
        feeds = [{given.name: x} for x in inputs]
        if lanes == 1:
            return [session.run(None, feed) for feed in feeds]
        if pool is None:  # at first one by one: what a library sets up once must not meet itself
            pool = ThreadPoolExecutor(lanes)
            return [session.run(None, feed) for feed in feeds]
        return list(pool.map(partial(session.run, None), feeds))

    return Opened(shape, run, lanes, separable)


def _load_openvino(path: Path, threads: int, size: tuple[int, ...] | None, pieces: int) -> Opened:
    openvino = need("openvino", "the engine openvino")
    core = openvino.Core()
    model = core.read_model(str(path))
    shape = tuple(n.get_length() if n.is_static else None for n in model.input(0).partial_shape)
    shape = _fits(path, shape, size)
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
        # Not infer() in several Python threads: two that come first at once wait for each other.
        while len(requests) < len(inputs):
            requests.append(compiled.create_infer_request())
        used = requests[: len(inputs)]
        for request, x in zip(used, inputs):
            request.start_async([x], share_inputs=True)
        for request in used:
            request.wait()
        return [[tensor.data.copy() for tensor in request.output_tensors] for request in used]

    return Opened(shape, run, lanes, separable)


ENGINES = {
    "paddle": _load_paddle,
    "paddle-openvino": _load_paddle_openvino,
    "onnxruntime": _load_onnxruntime,
    "openvino": _load_openvino,
}
_BY_SUFFIX = {
    ".pdmodel": ("paddle", "paddle-openvino"),
    ".onnx": ("onnxruntime", "openvino"),
}
