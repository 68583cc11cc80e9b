"""What every engine returns for a file that it opens."""

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
        shape: the shape of the input.
        run: takes inputs of one shape, runs as many of them at the same time as there are lanes,
            and returns the outputs of each.
        lanes: how many inputs it can run at the same time.
        separable: whether it takes any batch, and its outputs for a sample do not depend on the
            other samples of the batch. If not, there is only one lane.
    """

    shape: Shape
    run: Callable[[List[np.ndarray]], List[List[np.ndarray]]]
    lanes: int
    separable: bool


#: Opens a file. Its arguments are the path, the number of threads, the only shape that will be
#: given (None if any may be), and into how many pieces a batch will be split. If there are several
#: pieces and the file is separable, the result has a lane for every thread.
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
