"""Every engine that runs exported files."""

from __future__ import annotations

from types import ModuleType
from typing import Callable, Mapping, NamedTuple

from . import onnx_runtime, openvino_runtime, paddle_inference, paddle_openvino
from .opened import OpenFile


class Engine(NamedTuple):
    """An engine that runs exported files.

    Attributes:
        format: the format of the files that it reads.
        package: the Python package of the engine.
        open_file: opens a file.
        check_installed: raises a ``ValueError`` if the engine is not installed; the message says
            what to do.
    """

    format: str
    package: str
    open_file: OpenFile
    check_installed: Callable[[], None]


def _engine(format: str, package: str, module: ModuleType) -> Engine:
    return Engine(format, package, module.open_file, module.check_installed)


#: The engines by name; the first one of a format is its default.
ENGINES: Mapping[str, Engine] = {
    "paddle": _engine("paddle", "paddle.inference", paddle_inference),
    "paddle-openvino": _engine("paddle", "paddle.inference", paddle_openvino),
    "onnxruntime": _engine("onnx", "onnxruntime", onnx_runtime),
    "openvino": _engine("onnx", "openvino", openvino_runtime),
}


def readers(format: str) -> list[str]:
    """Return the names of the engines that read a format, the default first."""
    return [name for name, engine in ENGINES.items() if engine.format == format]
