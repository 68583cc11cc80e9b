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


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Let training take one thread where it would take all processors: tests run side by side."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("paddle_oct.base.threads._share", lambda: 1)
        yield


@pytest.fixture
def run(capsys):
    """Return a function that runs the command line: its exit status, output and errors."""

    def run_command(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return run_command


def pytest_terminal_summary(terminalreporter):
    """Say how many proofs were skipped because their files are not in the repository."""
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and "../shared" in report.longrepr[2]
    ]
    if skipped:
        terminalreporter.write_line(
            f"{len(skipped)} tests need ../shared, a folder beside the clone that is not part of "
            "it: golden/ has parameters and outputs of the authors' programs, cifar10/ images.",
            yellow=True,
        )
