"""Ctrl-C and SIGTERM, which must stay what they are whatever code is running."""

from __future__ import annotations

import contextlib
import signal
from types import FrameType
from typing import Iterator, NoReturn


class Terminated(KeyboardInterrupt):
    """The process was sent SIGTERM, as ``kill`` and batch systems do; it ends as with Ctrl-C."""


@contextlib.contextmanager
def interrupts_kept() -> Iterator[None]:
    """Let Ctrl-C leave the block as a ``KeyboardInterrupt``, and SIGTERM as :class:`Terminated`.

    Where Paddle calls back into Python, as in a backward pass, it turns the interrupt into an error
    of its own. Use it in the main thread only, the one that Python gives signals to.

    Raises:
        ValueError: this is not the main thread.
    """
    interrupted: KeyboardInterrupt | None = None

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        nonlocal interrupted
        interrupted = Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
        raise interrupted

    previous = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    except Exception as error:
        if interrupted is not None:
            raise interrupted from error
        raise
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def forget_unhandled_interrupt() -> None:
    """Let ``python -m`` end with the exit status it is given, after an interrupt that was handled.

    When a ``KeyboardInterrupt`` leaves an ``exec`` or ``eval`` of text, CPython assumes that
    nothing will handle it, and sets a flag (``unhandled_keyboard_interrupt`` in ``pythonrun.c``).
    Under ``python -m`` the process then kills itself with SIGINT at its end, whatever ``sys.exit``
    was given. Only the next ``exec`` of text resets the flag.
    """
    exec("")
