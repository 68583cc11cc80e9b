"""Ctrl-C and SIGTERM, which must stay what they are whatever code is running."""

from __future__ import annotations

import contextlib
import signal
from types import FrameType
from typing import Iterator, NoReturn


class Terminated(KeyboardInterrupt):
    """The process was sent SIGTERM, as ``kill`` and batch systems do; it ends as with Ctrl-C."""


_pending: KeyboardInterrupt | None = None


@contextlib.contextmanager
def interrupts_kept() -> Iterator[None]:
    """Let Ctrl-C leave the block as a ``KeyboardInterrupt``, and SIGTERM as :class:`Terminated`.

    Where Paddle calls back into Python, as in a backward pass, it turns the interrupt into an error
    of its own. Python itself loses one that comes while it forks, or in a destructor; then
    :func:`raise_if_interrupted` raises it, which long work is to call now and then. Use this in the
    main thread only, the one that Python gives signals to.

    Raises:
        ValueError: this is not the main thread.
    """
    global _pending

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        global _pending
        _pending = Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
        raise _pending

    previous = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
        raise_if_interrupted()
    except Exception as error:
        if _pending is not None:
            raise _pending from error
        raise
    finally:
        _pending = None
        for number, handler in previous.items():
            signal.signal(number, handler)


def raise_if_interrupted() -> None:
    """Raise the interrupt that came within :func:`interrupts_kept`, if it was lost."""
    if _pending is not None:
        raise _pending


def forget_unhandled_interrupt() -> None:
    """Let ``python -m`` end with the exit status it is given, after an interrupt that was handled.

    When a ``KeyboardInterrupt`` leaves an ``exec`` or ``eval`` of text, CPython assumes that
    nothing will handle it, and sets a flag (``unhandled_keyboard_interrupt`` in ``pythonrun.c``).
    Under ``python -m`` the process then kills itself with SIGINT at its end, whatever ``sys.exit``
    was given. Only the next ``exec`` of text resets the flag.
    """
    exec("")
