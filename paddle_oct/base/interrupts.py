"""Ctrl-C: that it stays an interrupt, whatever code it lands in."""

from __future__ import annotations

import contextlib
import signal
from types import FrameType
from typing import Iterator, NoReturn


@contextlib.contextmanager
def interrupts_kept() -> Iterator[None]:
    """Let Ctrl-C leave the block as a ``KeyboardInterrupt``, and as nothing else.

    Where Paddle calls back into Python, as in a backward pass, it makes an error of its own of the
    interrupt. Works in the main thread only, the one that Python gives signals to.
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

    When a ``KeyboardInterrupt`` leaves an ``exec`` or ``eval`` of text, CPython takes it for one
    that nobody will handle, and notes that (``unhandled_keyboard_interrupt`` in ``pythonrun.c``).
    Under ``python -m`` the process then kills itself with SIGINT at its end, whatever
    ``sys.exit`` was given. Only the next ``exec`` of text takes the note back.
    """
    exec("")
