"""The engine ``paddle-openvino``: Paddle Inference with the OpenVINO that Paddle brings along."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from .opened import Opened, Size, fitted
from .paddle_inference import new_config, predictor_of
from .program_file import fix_input, parameters_of, program_input


def check_installed() -> None:
    """Raise a ``ValueError`` if Paddle brings no OpenVINO along."""
    from paddle.inference import Config

    enable_openvino(Config())


def enable_openvino(config: Any) -> None:
    """Have Paddle Inference compute with OpenVINO.

    Args:
        config: a ``paddle.inference.Config``.

    Raises:
        ValueError: the Paddle that is installed brings none.
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
    with tempfile.TemporaryDirectory() as folder:  # all files are read while it is loaded
        if size is not None and wanted != shape:
            path = _for_one_size(path, size, Path(folder))
        config = new_config(path, threads)
        enable_openvino(config)
        # Or it leaves what it compiled in the working directory.
        config.set_optim_cache_dir(str(Path(folder) / "cache"))
        return predictor_of(config, wanted)


def _for_one_size(path: Path, size: Size, folder: Path) -> Path:
    """Return a copy of a program in a folder that takes inputs of one size alone."""
    copy = folder / path.name
    fix_input(path, size, copy)
    parameters, beside = parameters_of(path), copy.with_suffix(".pdiparams")
    try:
        beside.symlink_to(parameters.resolve())
    except OSError:  # not everybody may on Windows
        shutil.copyfile(parameters, beside)
    return copy
