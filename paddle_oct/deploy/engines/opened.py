"""What an engine makes of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Tuple

import numpy as np

Size = Tuple[int, ...]
#: The shape of an input; None for an axis of any length.
Shape = Tuple[Optional[int], ...]


class Opened(NamedTuple):
    """A file that an engine has read.

    Attributes:
        shape: of the input.
        run: takes any number of inputs of one shape, runs as many at the same time as there are
            lanes, and returns the outputs of each.
        lanes: how many it can run at the same time.
        separable: whether it takes any batch, and returns for every sample of one what it returns
            for that sample alone. If not there is but one lane.
    """

    shape: Shape
    run: Callable[[List[np.ndarray]], List[List[np.ndarray]]]
    lanes: int
    separable: bool


#: Reads a file: its path, the threads, the only shape that will be given (None if any may be), and
#: into how many pieces a batch will be split. If there are several, it has a lane for every thread.
OpenFile = Callable[[Path, int, Optional[Size], int], Opened]


def fitted(path: Path, shape: Shape, size: Size | None) -> Shape:
    """Return the shape that the input will have.

    Args:
        path: of the file, for the message.
        shape: what the file takes.
        size: the only shape that will be given, if that is known.

    Raises:
        ValueError: the size does not fit the shape.
    """
    if size is None:
        return shape
    if len(shape) != len(size) or any(n not in (None, m) for n, m in zip(shape, size)):
        raise ValueError(
            f"{path}: input_size {list(size)} does not fit an input of shape {list(shape)}"
        )
    return size
