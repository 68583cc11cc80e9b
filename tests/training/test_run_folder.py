"""Nothing in a run folder is ever half-written."""

import os
import resource
import signal
from pathlib import Path

import paddle
import pytest

from paddle_oct.base.files import write_atomically
from paddle_oct.training import RunFolder


class FakeModel:
    """As much of ``paddle.Model`` as a checkpoint needs."""

    network = paddle.nn.ReLU()

    def __init__(self, content, then=lambda: None):
        self.content = content
        self.then = then

    def save(self, prefix):
        Path(f"{prefix}.pdparams").write_text(self.content)
        self.then()


def save(run, epoch, best, content="weights", then=lambda: None):
    history = [{"epoch": number + 1, "loss": 1.0} for number in range(epoch)]
    run.save(history, best, FakeModel(content, then))


@pytest.fixture
def run(tmp_path):
    run = RunFolder.create(tmp_path / "run", {"network": "x"})
    save(run, 1, 1, "first")
    return run


@pytest.fixture
def full_disk():
    """Let no file grow beyond 4 KiB, which fails in ``write`` as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_last_and_the_best_checkpoint_are_kept(run):
    for epoch, best in ((2, 2), (3, 2), (4, 2)):
        save(run, epoch, best, f"epoch {epoch}")
    assert run.last.weights.read_text() == "epoch 4"
    assert run.best.weights.read_text() == "epoch 2"
    assert sorted(p.name for p in run.checkpoints_path.iterdir()) == ["epoch-0002", "epoch-0004"]
    assert run.last.state["epoch"] == 4
    assert run.history_path.read_text().splitlines() == [
        "epoch,loss",
        *(f"{i},1.0" for i in (1, 2, 3, 4)),
    ]


def test_a_full_disk_leaves_the_previous_checkpoint(run, full_disk):
    before = sorted(run.path.rglob("*"))
    with pytest.raises(OSError, match=r"File too large: .*epoch-0002"):
        save(run, 2, 2, "x" * 100_000)
    assert sorted(run.path.rglob("*")) == before
    assert run.last.weights.read_text() == run.best.weights.read_text() == "first"


def test_ctrl_c_leaves_the_previous_checkpoint(run):
    with pytest.raises(KeyboardInterrupt):
        save(run, 2, 2, "half of i", then=lambda: signal.raise_signal(signal.SIGINT))
    assert run.last.weights.read_text() == "first"
    assert run.last.state["epoch"] == 1


def test_a_killed_process_leaves_the_previous_checkpoint(run):
    pid = os.fork()
    if pid == 0:
        save(run, 2, 2, "half of i", then=lambda: os.kill(os.getpid(), signal.SIGKILL))
    os.waitpid(pid, 0)
    assert run.last.weights.read_text() == run.best.weights.read_text() == "first"
    save(run, 2, 2, "second")
    assert run.last.weights.read_text() == "second"
    assert [p.name for p in run.checkpoints_path.iterdir()] == ["epoch-0002"]


def test_an_atomic_write_is_all_or_nothing(tmp_path, full_disk):
    path = tmp_path / "file"
    write_atomically(path, "old")
    with pytest.raises(OSError, match="File too large"):
        write_atomically(path, "x" * 100_000)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_that_are_in_use_or_cannot_be_written(tmp_path, run):
    with pytest.raises(ValueError, match=r"already holds a run; resume it \(--resume"):
        RunFolder.create(run.path, {})
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    with pytest.raises(ValueError, match="is not empty"):
        RunFolder.create(tmp_path / "photos", {})
    with pytest.raises(ValueError, match="can't be written here"):
        RunFolder.create(tmp_path / "photos" / "a.jpg" / "run", {})
    with pytest.raises(ValueError, match="holds no run"):
        RunFolder.open(tmp_path / "photos")
    run.config_path.write_text("{")
    with pytest.raises(ValueError, match=r"config\.json can't be read"):
        _ = run.config


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("config.json", "[]", r"config\.json is damaged: it lacks network, classes"),
        ("config.json", '{"network": "Net"}', r"config\.json is damaged: it lacks classes"),
        ("checkpoints/epoch-0001/state.json", "{}", r"state\.json is damaged: it lacks epoch"),
        ("checkpoints/epoch-0001/state.json", '{"epoch"', r"state\.json can't be read"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, file, text, message):
    run = RunFolder.create(tmp_path / "run", dict.fromkeys(("network", "classes", "recipe"), ""))
    path = run.path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        _ = run.last.state if run.last else run.config


def test_an_incomplete_origin_is_named(tmp_path):
    config = {**dict.fromkeys(("network", "classes", "preprocessing", "recipe"), ""), "model": "x"}
    run = RunFolder.create(tmp_path / "run", config)
    with pytest.raises(ValueError, match=r"config\.json is damaged: it lacks model_options, data"):
        _ = run.origin
