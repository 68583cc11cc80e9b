"""What a library prints, kept for an error message."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import tempfile
from typing import Callable, Iterator

_LINES = 2


@contextlib.contextmanager
def captured() -> Iterator[Callable[[], str]]:
    """Keep what is printed and logged in the block, from C++ too.

    Yields:
        A function that returns the last two lines so far, joined into one.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as file, contextlib.ExitStack() as stack:
        text = stack.enter_context(io.TextIOWrapper(io.FileIO(os.dup(file.fileno()), "w")))
        # Python's streams too: they need not write to file descriptors 1 and 2.
        stack.enter_context(contextlib.redirect_stdout(text))
        stack.enter_context(contextlib.redirect_stderr(text))

        def said() -> str:
            text.flush()
            file.seek(0)
            lines = file.read().decode("utf-8", "replace").strip().splitlines()
            return " ".join(lines[-_LINES:])

        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        logging.disable(logging.WARNING)
        try:
            yield said
        finally:
            logging.disable(logging.NOTSET)
            sys.stdout.flush()
            sys.stderr.flush()
            for number, fd in enumerate(kept, start=1):
                os.dup2(fd, number)
                os.close(fd)
