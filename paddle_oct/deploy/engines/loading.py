"""Loading an exported file: one callable, whatever the engine."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Sequence

from paddle_oct.base.errors import first_line
from paddle_oct.base.names import look_up

from .formats import FORMATS
from .predictor import Predictor
from .table import ENGINES, readers


def load(
    path: str | Path,
    engine: str | None = None,
    threads: int | None = None,
    input_size: Sequence[int] | None = None,
) -> Predictor:
    """Load a file that :func:`~paddle_oct.deploy.export` wrote.

    Args:
        path: the ``.pdmodel`` or ``.onnx`` file.
        engine: for ``.pdmodel`` ``"paddle"`` (Paddle Inference with oneDNN, the default) or
            ``"paddle-openvino"`` (Paddle Inference with OpenVINO, where Paddle is built with it);
            for ``.onnx`` ``"onnxruntime"`` (the default) or ``"openvino"``.
        threads: how many threads to use, by default as many as there are cores. They compute one
            image together. They share out the images of a batch if the batch is a multiple of
            ``threads``, the file is an ONNX file of any batch that ``export`` wrote, and the
            outputs for an image do not depend on the others.
        input_size: the only shape ``[N, C, H, W]`` that will be given. A file that takes any size
            is then prepared for this one, and as fast as one that was exported for it.

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
    engine = _check_engine(path, engine)
    threads = _cores() if threads is None else threads
    if threads < 1:
        raise ValueError(f"threads must be 1 or more, got {threads}")
    size = None if input_size is None else tuple(int(n) for n in input_size)
    if size is not None and min(size, default=0) < 1:
        raise ValueError(f"every length of input_size must be 1 or more, got {list(size)}")
    open_file = partial(ENGINES[engine].open_file, path, threads, size)
    try:
        return Predictor(path, engine, threads, size, open_file)
    except (ValueError, TypeError):
        raise
    except Exception as error:  # engines raise all kinds
        raise ValueError(f"{path}: {engine} can't load it ({first_line(error)})") from error


def _check_engine(path: Path, engine: str | None) -> str:
    """Return the engine for a file: the given one, or the default of the file's format."""
    by_suffix = {suffixes[0]: format for format, suffixes in FORMATS.items()}
    if path.suffix not in by_suffix:
        raise ValueError(f"{path}: expected a .pdmodel or an .onnx file")
    possible = readers(by_suffix[path.suffix])
    if engine is None:
        return possible[0]
    look_up(engine, ENGINES, "engine")
    if engine not in possible:
        raise ValueError(f"{path}: {engine} does not read this format; use {' or '.join(possible)}")
    return engine


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1
