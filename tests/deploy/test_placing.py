"""An export is placed whole or not at all, wherever it is interrupted and however full the disk."""

import errno
import os
import shutil
import signal
import sys

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_oct.deploy import export, exporting, load, placing

SIZE = (1, 3, 8, 8)
X = np.random.default_rng(0).standard_normal(SIZE).astype(np.float32)
PAIR = ("net.pdmodel", "net.pdiparams")


def network(seed):
    paddle.seed(seed)
    made = nn.Sequential(nn.Conv2D(3, 4, 3), nn.ReLU(), nn.Conv2D(4, 2, 3))
    made.eval()
    return made


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Return the files of two exports, and what each returns for an input."""
    found = {}
    for seed, name in enumerate(("old", "new")):
        path = export(network(seed), tmp_path_factory.mktemp(name) / "net", "paddle", SIZE)
        found[name] = tuple(path.parent / own for own in PAIR), load(path)(X)
    return found


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def loaded(folder, pairs):
    """Return which of the exports is in a folder, or None if no file has its name."""
    if not (folder / PAIR[0]).exists():
        return None
    y = load(folder / PAIR[0], "paddle", threads=1)(X)
    return next(name for name, (_, expected) in pairs.items() if np.array_equal(y, expected))


def place_and_be_killed(written, targets, at):
    """Place files in another process, kill it at a file event; return whether that happened."""
    child = os.fork()
    if not child:
        left = [at]

        def hook(event, arguments):
            if event in ("open", "os.rename", "os.remove", "os.listdir", "os.scandir") and any(
                str(targets[0].parent) in str(a) for a in arguments
            ):
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        try:
            placing.place(written, targets)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("before", [None, "old"])
def test_a_kill_at_any_file_event(pairs, before, tmp_path):
    seen, found_by_other_name = [], 0
    for at in range(1, 100):
        folder = tmp_path / str(at)
        folder.mkdir()
        targets = tuple(folder / name for name in PAIR)
        if before:
            for file in pairs[before][0]:
                shutil.copy(file, folder)
        killed = place_and_be_killed(pairs["new"][0], targets, at)
        seen.append(loaded(folder, pairs))
        if seen[-1] == "new" and killed:
            found_by_other_name += any(".pdiparams." in name for name in names_in(folder))
        placing.place(pairs["new"][0], targets)  # the same again
        assert loaded(folder, pairs) == "new"
        assert names_in(folder) == sorted(PAIR)
        if not killed:
            break
    assert not killed
    change = seen.index("new")
    assert seen == [before] * change + ["new"] * (len(seen) - change)
    assert change > 3
    assert found_by_other_name


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("force", [False, True])
def test_a_full_disk(pairs, force, number, tmp_path, monkeypatch):
    if force:
        for file in pairs["old"][0]:
            shutil.copy(file, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    copied = []
    copy_all = shutil.copyfileobj

    def copy(source, target):
        target.write(source.read(100))
        copied.append(target)
        if len(copied) == number:
            raise OSError(errno.ENOSPC, "No space left on device")
        copy_all(source, target)

    monkeypatch.setattr(placing.shutil, "copyfileobj", copy)
    with pytest.raises(ValueError, match=rf"{PAIR[number - 1]}: can't be written \(No space left"):
        export(network(1), tmp_path / "net", "paddle", SIZE, force=force)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_full_disk_of_temporary_files(tmp_path, monkeypatch):
    def seal(files):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(exporting, "seal", seal)
    with pytest.raises(ValueError, match=r"^/.+: can't be written \(No space left on device\)"):
        export(network(0), tmp_path / "net", "paddle", SIZE)
    assert not names_in(tmp_path)


def test_an_interrupt(pairs, tmp_path, monkeypatch):
    for file in pairs["old"][0]:
        shutil.copy(file, tmp_path)
    targets = tuple(tmp_path / name for name in PAIR)
    replace, placed = os.replace, []

    def interrupted(source, target):
        if placed:
            replace(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(placing.os, "replace", interrupted)
    for name in ("old", "new"):
        with pytest.raises(KeyboardInterrupt):
            placing.place(pairs["new"][0], targets)
        assert loaded(tmp_path, pairs) == name
        placed.append(name)
