"""The engine ``paddle-openvino``: Paddle Inference with OpenVINO, where Paddle is built with it."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import weakref
from functools import partial
from pathlib import Path
from typing import Any, Callable, Hashable

from .digests import Files, sha256_of
from .opened import Opened, Run, Size, fitted
from .paddle_inference import new_config, runner_of
from .program_file import program_input, write_program


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


def open_file(files: Files, threads: int, size: Size | None, pieces: int) -> Opened:
    """Open a ``.pdmodel`` file; see :data:`~paddle_oct.deploy.engines.opened.OpenFile`."""
    shape = fitted(files[0], program_input(files[0]), size)
    key = (*map(sha256_of, files), threads, shape)
    kept = _Kept(key, partial(_new_predictor, files, threads, size))
    # All clones of a predictor share one request to OpenVINO.
    return Opened(shape, kept.runner, parallel=False)


class _Kept:
    """A predictor that the next one to load the same uses again.

    Paddle never frees what OpenVINO compiled, nor its threads: it keeps them in a table, by the
    names of the program's variables. So two predictors of the same program must differ in a name,
    or the second takes away what the first runs on.
    """

    def __init__(self, key: Hashable, make: Callable[[], Any]) -> None:
        idle = _idle.setdefault(key, [])
        self._predictor = idle.pop() if idle else make()
        weakref.finalize(self, idle.append, self._predictor)

    def runner(self) -> Run:
        """Return what runs the predictor, for as long as this is referred to."""
        return runner_of(self._predictor)


_idle: dict[Hashable, list[Any]] = {}  # changed only where one thread opens files
_numbers = itertools.count()


def _new_predictor(files: Files, threads: int, size: Size | None) -> Any:
    from paddle import inference

    with tempfile.TemporaryDirectory() as name:  # its files are read before this returns
        folder = Path(name)
        pair = (folder / "model.pdmodel", folder / "model.pdiparams")
        write_program(files[0], pair[0], size, mark=f".{next(_numbers)}")
        try:
            pair[1].symlink_to(files[1].resolve())
        except OSError:  # on Windows not everybody may make links
            shutil.copyfile(files[1], pair[1])
        config = new_config(pair, threads)
        enable_openvino(config)
        # By default what it compiles is left in the working directory.
        config.set_optim_cache_dir(str(folder / "cache"))
        return inference.create_predictor(config)
