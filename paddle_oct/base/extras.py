"""Packages that only some users need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_EXTRA = {"onnx": "onnx", "onnxruntime": "onnx", "paddle2onnx": "onnx", "openvino": "openvino"}


def need(package: str, why: str) -> Any:
    """Import a package of an extra.

    Raises:
        ValueError: it is not installed; the message says which extra has it.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise ValueError(
            f"{why} needs {package}, which can't be imported ({error}); "
            f'pip install "paddle_oct[{_EXTRA[package]}]"'
        ) from error
