"""Nothing in a run folder is ever half-written, and no two processes write one."""

import json
import os
import resource
import signal
import subprocess
import sys
import warnings
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


def row(epoch):
    return {
        "epoch": epoch,
        "train_loss": 2.0 / epoch,
        "train_acc_top1": 0.5,
        "eval_loss": 2.5 / epoch,
        "eval_acc_top1": 0.4,
        "images_per_second": 100.0,
    }


def save(run, epoch, best, content="weights", then=lambda: None):
    run.save([row(number + 1) for number in range(epoch)], best, FakeModel(content, then))


def killed(action):
    """Run an action in a process that is killed by it or at its end."""
    pid = os.fork()
    if pid == 0:
        action()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)


def create(path):
    """Return the folder of a run that is not being trained in."""
    config = {"network": "x", "classes": ["a"], "preprocessing": {}, "recipe": {}}
    with RunFolder.create(path, config) as run:
        return run


def resume(path):
    with RunFolder.resume(path):
        pass


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def draw_quickly(history, path):
    """Write the numbers that the curves would show."""
    write_atomically(path, json.dumps([row["eval_loss"] for row in history]))


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr("paddle_oct.training.run_folder.draw_curves", draw_quickly)
    run = create(tmp_path / "run")
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
    header, *rows = run.history_path.read_text().splitlines()
    assert header == "epoch,train_loss,train_acc_top1,eval_loss,eval_acc_top1,images_per_second"
    assert [line.split(",")[0] for line in rows] == ["1", "2", "3", "4"]


def test_the_ten_thousandth_epoch_follows_the_one_before(run):
    for name in ("epoch-9999", "epoch-10000"):
        (run.checkpoints_path / "epoch-0001").rename(run.checkpoints_path / name)
        (run.checkpoints_path / "epoch-0001").mkdir()
    assert run._found()[0].folder.name == "epoch-10000"


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
    before = files(run.path)
    killed(lambda: save(run, 2, 2, "half of i", lambda: os.kill(os.getpid(), signal.SIGKILL)))
    assert run.last.weights.read_text() == run.best.weights.read_text() == "first"
    assert files(run.path) != before
    with RunFolder.resume(run.path):
        assert files(run.path) == before
    save(run, 2, 2, "second")
    assert run.last.weights.read_text() == "second"
    assert [p.name for p in run.checkpoints_path.iterdir()] == ["epoch-0002"]


def test_what_follows_a_checkpoint_is_made_up_for(run):
    save(run, 2, 2)
    whole = {name: (run.path / name).read_bytes() for name in files(run.path)}
    for name in ("curves.png", "history.csv"):
        (run.path / name).unlink()
    superseded = run.checkpoints_path / "epoch-0001"
    superseded.mkdir()
    for stray in (".history.csv.123.partial", "checkpoints/.partial/x", "checkpoints/.removed/x"):
        (run.path / stray).parent.mkdir(exist_ok=True)
        (run.path / stray).touch()
    with RunFolder.resume(run.path) as resumed:
        assert resumed.last.state["epoch"] == 2
    assert {name: (run.path / name).read_bytes() for name in files(run.path)} == whole
    assert not superseded.exists()


def test_the_order_in_which_an_epoch_is_saved(run, monkeypatch):
    # What is removed must be superseded by something that is on the disk already.
    done = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor):
        done.append(("sync", Path(os.readlink(f"/proc/self/fd/{descriptor}")).name))
        fsync(descriptor)

    def note_replace(source, target):
        done.append(("rename", Path(target).name))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    save(run, 2, 2)
    at = done.index
    assert at(("sync", "model.pdparams")) < at(("rename", "state.json"))
    assert at(("rename", "state.json")) < at(("sync", ".partial")) < at(("rename", "epoch-0002"))
    assert at(("rename", "epoch-0002")) < at(("sync", "checkpoints")) < at(("rename", "curves.png"))
    assert at(("rename", "curves.png")) < at(("rename", "history.csv")) < at(("rename", ".removed"))


def test_a_run_is_created_whatever_a_killed_start_left(tmp_path):
    for leave in (
        lambda folder: folder.mkdir(),
        lambda folder: (folder / ".lock").touch(),
        lambda folder: (folder / "checkpoints").mkdir(),
        lambda folder: (folder / ".config.json.1.partial").write_text('{"net'),
    ):
        leave(tmp_path / "run")
        with pytest.raises(ValueError, match="holds no run"):
            RunFolder.open(tmp_path / "run")
        assert RunFolder(tmp_path / "run").is_unstarted
    with pytest.raises(ValueError, match="was stopped before it began, start it again"):
        RunFolder.open(tmp_path / "run")
    run = create(tmp_path / "run")
    assert not run.is_unstarted
    assert files(run.path) == [".lock", "config.json"]


def test_folders_that_are_in_use_or_cannot_be_written(tmp_path, run):
    with pytest.raises(ValueError, match=r"already holds a run; resume it \(--resume"):
        create(run.path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    with pytest.raises(ValueError, match="is not empty"):
        create(tmp_path / "photos")
    assert files(tmp_path / "photos") == ["a.jpg"]
    with pytest.raises(ValueError, match="can't be written here"):
        create(tmp_path / "photos" / "a.jpg" / "run")
    for folder in ("photos", "nowhere"):
        with pytest.raises(ValueError, match=r"holds no run \(there is no config\.json in it\)"):
            RunFolder.open(tmp_path / folder)
    run.config_path.write_text("{")
    with pytest.raises(ValueError, match=r"config\.json can't be read"):
        _ = run.config


# -- the lock ------------------------------------------------------------------------------------

HOLD = """
import sys, time
from paddle_oct.base.locks import locked
from pathlib import Path
with locked(Path(sys.argv[1]) / ".lock"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_run_belongs_to_one_process(run):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, run.path], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ValueError, match="is in use: another process"):
            resume(run.path)
        with pytest.raises(ValueError, match="is in use: another process"):
            create(run.path)
        assert run.last.weights.read_text() == "first"  # which may be read meanwhile
    finally:
        holder.kill()
        holder.communicate()
    with RunFolder.resume(run.path) as resumed:
        assert resumed.last.state["epoch"] == 1


def test_a_run_belongs_to_one_cell_of_a_process(run):
    with RunFolder.resume(run.path):
        with pytest.raises(ValueError, match="another cell of this one"):
            resume(run.path)
        with open(run.path / ".lock"):  # a lock of lockf would end when this is closed
            pass
        with pytest.raises(ValueError, match="another cell of this one"):
            resume(run.path)
    resume(run.path)


# -- damaged files -------------------------------------------------------------------------------


def test_an_older_checkpoint_is_taken_for_a_damaged_one(run):
    save(run, 2, 1, "second")
    state = run.checkpoints_path / "epoch-0002" / "state.json"
    state.write_text(state.read_text()[:-1])
    with pytest.warns(UserWarning, match=r"0002/state\.json can't be read .*; taking an older"):
        assert run.last.state["epoch"] == 1
    with pytest.warns(UserWarning, match="taking an older"), RunFolder.resume(run.path):
        assert len(run.history_path.read_text().splitlines()) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run.last.weights.read_text() == "first"


def test_the_last_checkpoint_is_taken_for_a_best_that_vanished(run):
    save(run, 2, 1, "second")
    (run.checkpoints_path / "epoch-0001" / "model.pdparams").unlink()
    with pytest.warns(
        UserWarning, match="epoch-0001, the best epoch, is missing; taking epoch-0002"
    ):
        assert run.best.weights.read_text() == "second"


def test_a_file_that_a_checkpoint_lacks_is_named(run):
    run.last.weights.unlink()
    with pytest.raises(ValueError, match=r"epoch-0001 is damaged: it lacks model\.pdparams"):
        _ = run.last.state


CONFIG = {
    "network": "Net",
    "classes": ["a", "b"],
    "preprocessing": {"size": 32, "mean": [0.5] * 3, "std": [0.5] * 3, "short_side": None},
    "recipe": {"epochs": 2},
    "model": "oct_mobilenet_v1",
    "model_options": {},
    "data": "digits",
    "data_options": {"limit": 5},
}


def use(run):
    """Read all that ``config.json`` says."""
    return run.classes, run.preprocessing, run.recipe, run.origin


def test_a_config_that_is_whole(run):
    run.config_path.write_text(json.dumps(CONFIG))
    classes, preprocessing, recipe, origin = use(run)
    assert (classes, preprocessing.size, recipe.epochs) == (("a", "b"), 32, 2)
    assert origin == {key: CONFIG[key] for key in origin}


def preprocessing(**changes):
    return {"preprocessing": {**CONFIG["preprocessing"], **changes}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": None}, "classes must be a list of at least one, each a text, got None"),
        ({"classes": []}, "classes must be"),
        ({"network": ["x"]}, "network must be a name"),
        ({"preprocessing": [1]}, "preprocessing must be a dictionary"),
        ({"preprocessing": {"size": 32, "mean": [0.5] * 3}}, "it lacks preprocessing.std"),
        (preprocessing(size="32"), "size must be a whole number"),
        (preprocessing(size=10**400), "size must be a whole number"),
        (preprocessing(mean=[1, 2]), "mean must be a list of 3"),
        (preprocessing(std=[True] * 3), "std must be a list of 3"),
        (preprocessing(sice=1), "unknown entry 'sice'"),
        ({"recipe": {"epochs": "2"}}, "epochs must be of type int"),
        ({"recipe": {"epochs": 0}}, "epochs must be in"),
        ({"recipe": {"epoch": 2}}, "unknown recipe field 'epoch'"),
        ({"model": 5}, "model must be a name"),
        ({"model": "x" * 10**6}, "model must be a name"),
        ({"model_options": []}, "model_options must be a dictionary"),
        ({"data_options": {"limit": "x" * 10**6}}, "data_options.limit must be a whole number"),
        ({"data_options": {"x" * 10**6: 1}}, "unknown entry"),
    ],
)
def test_a_config_of_the_wrong_kind(run, change, message):
    run.config_path.write_text(json.dumps({**CONFIG, **change}))
    with pytest.raises(ValueError, match=r"config\.json is damaged: ") as caught:
        use(run)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("key", ["model_options", "data", "data_options"])
def test_an_incomplete_origin_is_named(run, key):
    run.config_path.write_text(json.dumps({k: v for k, v in CONFIG.items() if k != key}))
    with pytest.raises(ValueError, match=rf"config\.json is damaged: it lacks {key}$"):
        use(run)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "is damaged: it lacks network, classes, preprocessing, recipe"),
        ('{"network": "Net"}', "is damaged: it lacks classes"),
        ('{"network"', "can't be read"),
        ("[" * 100_000, "can't be read"),
        ("\xff", "can't be read"),
    ],
)
def test_a_config_that_is_no_such_file(run, text, message):
    run.config_path.write_bytes(text.encode("latin1"))
    with pytest.raises(ValueError, match=rf"config\.json {message}"):
        use(run)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": 0}, "epoch must be a whole number"),
        ({"epoch": 2**31 - 1}, "its history does not fit its epoch"),
        ({"best_epoch": 2}, "its history does not fit its epoch"),
        ({"history": [{**row(1), "eval_loss": float("nan")}]}, "NaN is no number"),
        ({"history": [{**row(1), "eval_loss": "0.5"}]}, "history must be a list"),
        ({"history": [{"epoch": 1}]}, "its history does not fit its epoch"),
        ({"history": [row(1), row(2)]}, "its history does not fit its epoch"),
        ({"history": {}}, "history must be a list"),
        ({"parameter_names": []}, "parameter_names must be a dictionary"),
        ({"parameter_names": {"a": 1}}, "parameter_names must be a dictionary"),
        ({"record": {"vdlrecords": -1}}, "record must be a dictionary"),
    ],
)
def test_a_state_of_the_wrong_kind(run, change, message):
    path = run.last.folder / "state.json"
    path.write_text(json.dumps({**run.last.state, **change}))
    with pytest.raises(ValueError, match=r"state\.json ") as caught:
        _ = run.last.state
    assert message in str(caught.value)


def test_a_fifo_in_place_of_a_file(run):
    (run.last.folder / "state.json").unlink()
    os.mkfifo(run.last.folder / "state.json")
    with pytest.raises(ValueError, match="no regular file"):
        _ = run.last.state
