"""Fixtures that several rooms share."""

import pytest

from paddle_oct import cli


@pytest.fixture
def run(capsys):
    """Return a function that runs the command line: its exit status, output and errors."""

    def run_command(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return run_command
