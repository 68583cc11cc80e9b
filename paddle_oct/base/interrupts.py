"""Ctrl-C, which must stay an interrupt whatever code is running."""

from __future__ import annotations

import contextlib
import signal
from types import FrameType
from typing import Iterator, NoReturn


@contextlib.contextmanager
def interrupts_kept() -> Iterator[None]:
    """Let Ctrl-C leave the block as a ``KeyboardInterrupt``, and as nothing else.

    Where Paddle calls back into Python, as in a backward pass, it turns the interrupt into an error
    of its own. Use it in the main thread only, the one that Python gives signals to.

    Raises:
        ValueError: this is not the main thread.
    """
    interrupted = False

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except Exception as error:
        if interrupted:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, previous)


def forget_unhandled_interrupt() -> None:
    """Let ``python -m`` end with the exit status it is given, after an interrupt that was handled.

    When a ``KeyboardInterrupt`` leaves an ``exec`` or ``eval`` of text, CPython assumes that
    nothing will handle it, and sets a flag (``unhandled_keyboard_interrupt`` in ``pythonrun.c``).
    Under ``python -m`` the process then kills itself with SIGINT at its end, whatever ``sys.exit``
    was given. Only the next ``exec`` of text resets the flag.
    """
    exec("")
