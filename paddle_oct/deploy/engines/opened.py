"""What every engine returns for a file that it opens."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Tuple

import numpy as np

from .digests import Files

Size = Tuple[int, ...]
#: The shape of an input; None for an axis of any length.
Shape = Tuple[Optional[int], ...]
#: Runs an input and returns the outputs, in one thread at a time.
Run = Callable[[np.ndarray], List[np.ndarray]]


class Opened(NamedTuple):
    """A file that an engine has read.

    Attributes:
        shape: the shape of the input.
        new_runner: returns a runner of the file, whose weights all runners share.
        parallel: whether several runners may run at the same time.
        lanes: how many of them share out the pieces of a batch.
        separable: whether it takes any batch, and its outputs for a sample do not depend on the
            other samples of the batch. If not, there is only one lane.
    """

    shape: Shape
    new_runner: Callable[[], Run]
    parallel: bool = True
    lanes: int = 1
    separable: bool = False


#: Opens a file. Its arguments are its files (those beside the first, too), the number of threads,
#: the only shape that will be given (None if any may be), and into how many pieces a batch will be
#: split. If there are several pieces and the file is separable, there is a lane for every thread.
OpenFile = Callable[[Files, int, Optional[Size], int], Opened]


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
