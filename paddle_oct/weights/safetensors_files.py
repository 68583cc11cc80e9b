"""Reading ``.safetensors`` files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paddle_oct.base.errors import first_line, shortened
from paddle_oct.base.reading import read_regular

from .paddle_params import from_bfloat16

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def read_safetensors(path: str | Path) -> dict[str, np.ndarray]:
    """Read the tensors of a ``.safetensors`` file by name.

    Raises:
        ValueError: the package ``safetensors`` is not installed, or the file can't be read or is
            not in this format.
    """
    try:
        from safetensors import deserialize
    except ImportError as error:
        raise ValueError(
            f"{path}: reading it needs safetensors (pip install 'paddle_oct[safetensors]')"
        ) from error
    data = read_regular(path)
    tensors = {}
    try:
        for name, entry in deserialize(data):
            kind = entry["dtype"]
            if kind not in _DTYPES:
                raise ValueError(f"'{shortened(name)}' has elements of type {kind}")
            array = np.frombuffer(entry["data"], _DTYPES[kind]).reshape(entry["shape"])
            tensors[name] = from_bfloat16(array) if kind == "BF16" else array
    except Exception as error:
        raise ValueError(f"{path}: can't be read as safetensors ({first_line(error)})") from error
    return tensors
