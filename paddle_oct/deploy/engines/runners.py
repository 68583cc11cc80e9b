"""Running one loaded file in several threads at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from paddle_oct.base.threads import available_processors

from .opened import Opened, Run

#: Held while a file is opened, and while a runner is made and runs for the first time: what engines
#: set up then is not always safe for threads, nor apart from file to file.
PREPARING = threading.Lock()


class Runners:
    """The runners of a file, each of which serves one thread at a time.

    A runner is made when all others are busy, and used again. There are no more of them than cores,
    or lanes: more at a time would take memory, and be no faster. Further threads wait.

    Args:
        opened: the file.
    """

    def __init__(self, opened: Opened) -> None:
        self._make = opened.new_runner
        self._idle: list[Run] = []  # append and pop are safe for threads
        most = max(available_processors(), opened.lanes) if opened.parallel else 1
        self._turns = threading.Semaphore(most)
        self._lanes = ThreadPoolExecutor(opened.lanes) if opened.lanes > 1 else None

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """Run one input and return the outputs."""
        with self._turns:
            try:
                runner = self._idle.pop()
            except IndexError:
                with PREPARING:
                    runner = self._make()
                    outputs = runner(x)
            else:
                outputs = runner(x)
            self._idle.append(runner)  # not after an error, which may leave it in any state
            return outputs

    def run_all(self, inputs: list[np.ndarray]) -> list[list[np.ndarray]]:
        """Run several inputs, as many at the same time as there are lanes."""
        run_each = map if self._lanes is None else self._lanes.map
        return list(run_each(self.run, inputs))
