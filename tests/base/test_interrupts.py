import signal
import subprocess
import sys

import pytest

from paddle_oct.base.interrupts import Terminated, interrupts_kept, raise_if_interrupted

PROGRAM = """
import sys
from paddle_oct.base.interrupts import forget_unhandled_interrupt
try:
    exec("raise KeyboardInterrupt")
except KeyboardInterrupt:
    if {forget}:
        forget_unhandled_interrupt()
    sys.exit(130)
"""


@pytest.mark.parametrize(
    ("forget", "status"), [(True, 130), (False, -signal.SIGINT)], ids=["forgotten", "noted"]
)
def test_the_exit_status_after_an_interrupt_inside_an_exec(tmp_path, forget, status):
    # Should "noted" fail one day, Python has changed, and nothing needs to be forgotten.
    (tmp_path / "interrupted.py").write_text(PROGRAM.format(forget=forget))
    command = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == status, done.stderr


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_an_error_made_of_an_interrupt_is_an_interrupt(number, kind):
    before = signal.getsignal(number)

    def call_back():
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise OSError("(External) KeyboardInterrupt") from None

    with pytest.raises(KeyboardInterrupt) as caught, interrupts_kept():
        call_back()
    assert caught.type is kind
    assert signal.getsignal(number) is before


def test_other_errors_stay_what_they_are():
    with pytest.raises(OSError, match="full"), interrupts_kept():
        raise OSError("the disk is full")


class Lost:
    """An object whose destructor is interrupted: Python only prints what is raised there."""

    def __del__(self):
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_python_has_lost_is_raised_later():
    reached = []

    def work():
        Lost()
        reached.append("after the destructor")
        raise_if_interrupted()
        reached.append("too far")

    with pytest.raises(Terminated), interrupts_kept():
        work()
    assert reached == ["after the destructor"]
    with pytest.raises(Terminated), interrupts_kept():
        Lost()
    raise_if_interrupted()  # it is over
