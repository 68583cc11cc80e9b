"""``fuzz/kills.py``, which kills runs at their file events, still works; it has the numbers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "fuzz" / "kills.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the script reads /proc")
@pytest.mark.parametrize(
    "kind", ["kill -9", "kill -9, with a worker", "Ctrl-C", "SIGTERM", "two processes"]
)
def test_a_run_that_is_struck_equals_an_undisturbed_one(tmp_path, kind):
    log = tmp_path / "log"
    command = [sys.executable, SCRIPT, "--log", log, "--kind", kind, "--trials", "2"]
    subprocess.run(command, check=True, timeout=300)
    trials = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(trials) == 2
    assert kind == "two processes" or any(trial["struck"] for trial in trials)
    for trial in trials:
        assert not any(trial.get(key) for key in ("dead", "differs", "strays", "missing")), trial
