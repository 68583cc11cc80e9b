import os
import subprocess
import sys

import pytest

from paddle_oct.base import threads
from paddle_oct.base.threads import use_threads

SHARE = threads._share


@pytest.fixture
def chosen(monkeypatch):
    """Return a function that says how many threads a process would use by default."""
    monkeypatch.setattr("paddle_oct.base.private.set_threads", lambda number: None)
    monkeypatch.setattr(threads, "_share", SHARE)  # not that of the other tests

    def choose(variables=(), at_start=(), processors=8, quota=float("inf")):
        variables = dict(variables)
        for name in ("OMP_NUM_THREADS", "PADDLE_LOCAL_SIZE", "PADDLE_TRAINERS_NUM"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(threads, "_environment_at_start", lambda process: dict(at_start))
        affinity = lambda process: range(processors)  # noqa: E731
        monkeypatch.setattr(os, "sched_getaffinity", affinity, raising=False)
        monkeypatch.setattr(threads, "_quota", lambda: quota)
        return use_threads()

    return choose


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, 8),
        ({"quota": 3}, 3),
        ({"processors": 5000}, 1024),
        ({"variables": {"OMP_NUM_THREADS": "3"}}, 3),
        ({"variables": {"OMP_NUM_THREADS": "1"}}, 8),  # Paddle set it
        ({"variables": {"OMP_NUM_THREADS": "1"}, "at_start": {"OMP_NUM_THREADS": "1"}}, 1),
        ({"variables": {"OMP_NUM_THREADS": "0"}}, 8),
        ({"variables": {"OMP_NUM_THREADS": "2,1"}}, 8),
        ({"variables": {"PADDLE_LOCAL_SIZE": "3"}}, 2),
        ({"variables": {"PADDLE_LOCAL_SIZE": "20"}}, 1),
        ({"variables": {"PADDLE_LOCAL_SIZE": "2", "PADDLE_TRAINERS_NUM": "4"}}, 4),
        ({"variables": {"PADDLE_TRAINERS_NUM": "4"}}, 2),
    ],
)
def test_the_default(chosen, arguments, expected):
    assert chosen(**arguments) == expected


def test_the_quota_of_a_container(tmp_path):
    assert threads._quota(str(tmp_path)) == float("inf")
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert threads._quota(str(tmp_path)) == float("inf")
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    assert threads._quota(str(tmp_path)) == 3
    older = tmp_path / "older"
    (older / "cpu").mkdir(parents=True)
    (older / "cpu/cpu.cfs_quota_us").write_text("200000\n")
    (older / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert threads._quota(str(older)) == 2
    (older / "cpu/cpu.cfs_quota_us").write_text("-1\n")
    assert threads._quota(str(older)) == float("inf")


@pytest.mark.parametrize(
    ("number", "error"), [(0, ValueError), (10**20, ValueError), (2.0, TypeError)]
)
def test_a_wrong_number(number, error):
    with pytest.raises(error, match="threads must be"):
        use_threads(number)


@pytest.mark.parametrize("given", [None, "1"])
def test_paddle_does_not_hide_what_the_user_has_set(given):
    """Paddle writes to the environment when it is imported."""
    if not os.path.isdir("/proc/self"):
        pytest.skip("only Linux tells what a process was started with")
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    if given:
        environment["OMP_NUM_THREADS"] = given
    script = "import paddle; from paddle_oct.base.threads import _asked_for as a; print(a())"
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == str(given)
