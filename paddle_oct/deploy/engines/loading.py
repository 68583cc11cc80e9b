"""Loading an exported file: one callable, whatever the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from paddle_oct.base.errors import first_line
from paddle_oct.base.names import look_up
from paddle_oct.base.threads import available_processors

from .digests import Files, checked_files
from .formats import FORMATS
from .opened import Opened
from .predictor import Predictor
from .runners import PREPARING
from .table import ENGINES, readers


def load(
    path: str | Path,
    engine: str | None = None,
    threads: int | None = None,
    input_size: Sequence[int] | None = None,
) -> Predictor:
    """Load a file that :func:`~paddle_oct.deploy.export` wrote, or another network in its formats.

    What ``export`` wrote carries digests. If one of its files was changed or damaged since, or is
    beside a file of another export, it is refused before an engine reads it. Files of others have
    no digests, and neither have those from which somebody removed them; the engine gets these as
    they are. Paddle Inference ends the process with a segmentation fault on some damaged programs,
    so load those that you do not trust in a process of its own. A digest shows damage and mix-ups,
    not ill will: whoever can write the file can write its digest, too.

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
            installed (the message names the extra), a file was changed after it was exported or is
            damaged, or no input of ``input_size`` fits it.
    """
    path = Path(path)
    engine = _check_engine(path, engine)
    threads = available_processors() if threads is None else threads
    if threads < 1:
        raise ValueError(f"threads must be 1 or more, got {threads}")
    size = None if input_size is None else tuple(int(n) for n in input_size)
    if size is not None and min(size, default=0) < 1:
        raise ValueError(f"every length of input_size must be 1 or more, got {list(size)}")
    files = checked_files(path, FORMATS[ENGINES[engine].format])
    states = _states(files)

    def open_file(pieces: int) -> Opened:
        _check_same(files, states)
        try:
            with PREPARING:
                return ENGINES[engine].open_file(files, threads, size, pieces)
        except (ValueError, TypeError):
            raise
        except Exception as error:  # engines raise all kinds
            raise ValueError(f"{path}: {engine} can't load it ({first_line(error)})") from error
        finally:
            _check_same(files, states)

    return Predictor(path, engine, threads, size, open_file)


def _states(files: Files) -> list[tuple[int, ...]]:
    """Return what changes if any of the files is replaced or written to."""
    found = [file.stat() for file in files if file.exists()]
    return [(s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns) for s in found]


def _check_same(files: Files, states: list[tuple[int, ...]]) -> None:
    if _states(files) != states:
        raise ValueError(f"{files[0]} was replaced or removed since it was read; load it again")


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
