"""A lock ends with its holder, whatever the holder has forked."""

import errno
import os
import signal
import sys
import time

import pytest

from paddle_oct.base import locks
from paddle_oct.base.locks import locked

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is locked on Windows")


def held_in_a_child(path, then):
    """Return a process that holds the lock on a file and does something."""
    ready, tell = os.pipe()
    holder = os.fork()
    if holder == 0:
        with locked(path):
            then()
            os.write(tell, b"x")
            time.sleep(60)
        os._exit(0)
    os.read(ready, 1)
    os.close(ready)
    os.close(tell)
    return holder


def test_a_lock_ends_when_its_holder_is_killed_though_a_worker_lives_on(tmp_path):
    path, noted = tmp_path / "lock", tmp_path / "worker"

    def fork_a_worker():
        worker = os.fork()
        if worker == 0:
            time.sleep(60)
            os._exit(0)
        noted.write_text(str(worker))

    holder = held_in_a_child(path, fork_a_worker)
    with pytest.raises(BlockingIOError), locked(path):
        pass
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    worker = int(noted.read_text())
    try:
        os.kill(worker, 0)  # it lives
        with locked(path):
            pass
    finally:
        os.kill(worker, signal.SIGKILL)


def test_a_child_that_leaves_the_block_closes_no_file_of_its_own(tmp_path):
    path = tmp_path / "lock"
    child = -1
    try:
        with locked(path):
            child = os.fork()
            if child == 0:
                taken = os.open(os.devnull, os.O_RDONLY)  # has the number of the lock's descriptor
            else:
                assert os.waitpid(child, 0)[1] == 0
                with pytest.raises(BlockingIOError), locked(path):
                    pass
        if child == 0:
            os.close(taken)  # which fails if leaving the block has closed it
            os._exit(0)
    finally:
        if child == 0:
            os._exit(1)
    assert not locks._held


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    import fcntl

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.warns(UserWarning, match="this file system has no locks"),
        locked(tmp_path / "lock"),
    ):
        pass


def test_a_file_that_cannot_be_made(tmp_path):
    with pytest.raises(FileNotFoundError), locked(tmp_path / "no" / "lock"):
        pass
    assert not locks._held
