"""Reading ``.pdparams`` files, which are pickles, without running any code that they name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from paddle_oct.base.errors import first_line, shortened
from paddle_oct.base.reading import Budget, open_regular, size_of

from .pickled_arrays import unpickle

_NAME_TABLE = "StructuredToParameterName@@"  # the key of a table that paddle.save adds
_COST_FACTOR = 24  # networks of single numbers cost 23 times the size of their file


def read_paddle(path: str | Path) -> dict[str, np.ndarray]:
    """Read the tensors of a ``.pdparams`` file by name.

    Raises:
        ValueError: it can't be read, is no such file, is damaged, or holds anything but tensors.
    """
    state = read_pickle(path)
    if not isinstance(state, dict):
        raise ValueError(f"{path}: holds no parameters but {type(state).__name__}")
    tensors = {}
    for key, value in state.items():
        if isinstance(value, tuple) and len(value) == 2:  # (name, array): a Tensor in a container
            value = value[1]
        if not isinstance(key, str) or not isinstance(value, np.ndarray):
            raise ValueError(
                f"{path}: holds more than parameters: '{shortened(key)}' is {type(value).__name__}"
            )
        tensors[key] = from_bfloat16(value) if value.dtype == np.uint16 else value
    return tensors


def read_pickle(path: str | Path) -> Any:
    """Read what ``paddle.save`` wrote: containers, numbers, texts, and tensors as NumPy arrays.

    Raises:
        ValueError: it can't be read, is no pickle, is damaged, holds or calls anything else, or
            would cost more than its size allows; nothing was called.
    """
    with open_regular(path) as file:
        size = size_of(file)
        try:
            value = unpickle(file, size, Budget(size, _COST_FACTOR))
        except Exception as error:  # a damaged pickle fails in all kinds of ways
            raise ValueError(
                f"{path}: can't be read as Paddle parameters ({first_line(error)})"
            ) from error
    if isinstance(value, dict):
        value.pop(_NAME_TABLE, None)
    return value


def from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """Return bfloat16 numbers, whose bits are the upper half of a float32's, as float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
