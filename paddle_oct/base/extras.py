"""Packages that only some users need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_EXTRA = {"onnx": "onnx", "onnxruntime": "onnx", "paddle2onnx": "onnx", "openvino": "openvino"}


def need(package: str, why: str) -> Any:
    """Import an optional package, and return it.

    Args:
        package: its name.
        why: what needs it, as the beginning of the error message.

    Raises:
        ValueError: it can't be imported; the message says which extra installs it.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise ValueError(
            f"{why} needs {package}, which can't be imported ({error}); "
            f'pip install "paddle_oct[{_EXTRA[package]}]"'
        ) from error
