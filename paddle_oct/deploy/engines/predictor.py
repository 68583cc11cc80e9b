"""What :func:`paddle_oct.deploy.load` returns, and how it uses its threads."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Callable, Tuple, Union

import numpy as np

from .opened import Opened, Size
from .runners import Runners

Arrays = Union[np.ndarray, Tuple[np.ndarray, ...]]

IMAGES_AT_A_TIME = 2  # of 1, 2 and 4 the fastest, or as fast (benchmarks/RESULTS.md)


class Predictor:
    """An exported network, ready to run: ``predict(x)``.

    Made by :func:`~paddle_oct.deploy.load`. It may be called in several threads at the same time,
    with inputs of different sizes, too. ONNX Runtime computes in these threads, as many at once as
    there are cores; OpenVINO shares its threads out among the calls; Paddle Inference holds
    Python's lock, and computes one call after the other.

    The threads compute one image together. Where the images of a batch can be shared out among
    them, each thread computes its own images from the first layer to the last, two at a time where
    its share is even: then no map passes from one core to another.

    Attributes:
        path (Path): the file.
        engine (str): the name of the engine that runs it.
        threads (int): how many threads it may use.
        input_shape (tuple): the shape of its input; None for an axis of any length.
    """

    def __init__(
        self,
        path: Path,
        engine: str,
        threads: int,
        size: Size | None,
        open_file: Callable[[int], Opened],
    ) -> None:
        """Open the file.

        Args:
            path, engine, threads: see above.
            size: the only shape that will be given; None if any may be.
            open_file: opens the file; its argument says into how many pieces a batch is split.
        """
        self.path = path
        self.engine = engine
        self.threads = threads
        self._open = open_file
        opened = open_file(1 if size is None else self._pieces(size[0]))
        self.input_shape = opened.shape
        self._separable = opened.separable
        self._runners = Runners(opened)
        self._lanes = self._runners if opened.lanes == threads else None
        self._opening = threading.Lock()

    def __call__(self, x: np.ndarray) -> Arrays:
        """Run the network on an array of float32 and return an array, or a tuple of several.

        Raises:
            TypeError: it is not an array of float32.
            ValueError: its shape is not one that the network takes.
        """
        self._check(x)
        x = np.ascontiguousarray(x)
        pieces = self._pieces(len(x)) if self._separable else 1
        if pieces > 1:
            parts = self._in_lanes(pieces).run_all(np.split(x, pieces))
            results = [np.concatenate(arrays) for arrays in zip(*parts)]
        else:
            results = self._runners.run(x)
        return results[0] if len(results) == 1 else tuple(results)

    def __repr__(self) -> str:
        return f"Predictor({str(self.path)!r}, engine={self.engine!r}, threads={self.threads})"

    def _in_lanes(self, pieces: int) -> Runners:
        """Return the runners for pieces of a batch; the first call opens the file for that."""
        with self._opening:
            if self._lanes is None:
                self._lanes = Runners(self._open(pieces))
            return self._lanes

    def _pieces(self, batch: int) -> int:
        """Return into how many equal parts a batch is split."""
        share, rest = divmod(batch, self.threads)
        if rest:
            return 1
        return batch // IMAGES_AT_A_TIME if share % IMAGES_AT_A_TIME == 0 else self.threads

    def _check(self, x: np.ndarray) -> None:
        if not isinstance(x, np.ndarray):
            raise TypeError(f"{self.path.name}: expected a NumPy array, got {type(x).__name__}")
        if x.dtype != np.float32:
            raise TypeError(
                f"{self.path.name}: expected float32, got {x.dtype}; use x.astype('float32')"
            )
        wanted = self.input_shape
        shown = "[" + ", ".join("any" if n is None else str(n) for n in wanted) + "]"
        if x.ndim != len(wanted) or any(n not in (None, m) for n, m in zip(wanted, x.shape)):
            raise ValueError(
                f"{self.path.name}: expected an input of shape {shown}, got {list(x.shape)}"
            )
        if not x.size:
            raise ValueError(f"{self.path.name}: the input of shape {list(x.shape)} is empty")
