"""Fixtures that several rooms share."""

import numpy as np
import paddle
import pytest

from paddle_oct import cli


@pytest.fixture(autouse=True)
def seeded():
    """Let a test see the same random numbers whatever ran before it."""
    np.random.seed(0)
    paddle.seed(0)


@pytest.fixture
def run(capsys):
    """Return a function that runs the command line: its exit status, output and errors."""

    def run_command(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return run_command
