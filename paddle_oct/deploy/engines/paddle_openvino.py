"""The engine ``paddle-openvino``: Paddle Inference with OpenVINO, where Paddle is built with it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from .opened import Opened, Size, fitted
from .paddle_inference import new_config, predictor_of
from .program_file import fix_input, parameters_of, program_input


def check_installed() -> None:
    """Raise a ``ValueError`` if Paddle is built without OpenVINO."""
    from paddle.inference import Config

    enable_openvino(Config())


def enable_openvino(config: Any) -> None:
    """Have Paddle Inference compute with OpenVINO.

    Args:
        config: a ``paddle.inference.Config``.

    Raises:
        ValueError: the installed Paddle is built without OpenVINO.
    """
    from paddle.inference import PrecisionType

    if hasattr(config, "enable_openvino_engine"):
        config.enable_openvino_engine(PrecisionType.Float32)
        if config.openvino_engine_enabled():
            return
    raise ValueError("this paddlepaddle is built without OpenVINO; use the engine paddle")


def open_file(path: Path, threads: int, size: Size | None, pieces: int) -> Opened:
    """Open a ``.pdmodel`` file; see :data:`~paddle_oct.deploy.engines.opened.OpenFile`."""
    shape = program_input(path)
    wanted = fitted(path, shape, size)
    with tempfile.TemporaryDirectory() as folder:  # its files are read before this returns
        if size is not None and wanted != shape:
            path = _for_one_size(path, size, Path(folder))
        config = new_config(path, threads)
        enable_openvino(config)
        # By default what it compiles is left in the working directory.
        config.set_optim_cache_dir(str(Path(folder) / "cache"))
        return predictor_of(config, wanted)


def _for_one_size(path: Path, size: Size, folder: Path) -> Path:
    """Write a copy of a program that takes one input size alone into a folder; return its path."""
    copy = folder / path.name
    fix_input(path, size, copy)
    parameters, beside = parameters_of(path), copy.with_suffix(".pdiparams")
    try:
        beside.symlink_to(parameters.resolve())
    except OSError:  # on Windows not everybody may make links
        shutil.copyfile(parameters, beside)
    return copy
