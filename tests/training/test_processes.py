"""Training in several processes, which Paddle's launcher starts."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import in_processes
import numpy as np
import paddle
import pytest
from helpers import slow_but
from paddle import nn

from paddle_oct import create_model
from paddle_oct.training import Recipe, from_first_process, is_first_process, load_data
from paddle_oct.training.processes import average_statistics, sum_over_processes
from paddle_oct.training.sync_norms import synchronise_norms

SCRIPT = Path(in_processes.__file__)
PADDLE_OCT = (sys.executable, "-m", "paddle_oct")


def launch(folder, *command, limit=240):
    """Run a command in two processes; return the launcher's exit status, and what each printed."""
    launcher = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*launcher, "--log_dir", str(folder / "log"), *map(str, command)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=limit,
    )
    return done.returncode, [(folder / f"log/workerlog.{rank}").read_text() for rank in (0, 1)]


def answers(folder):
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path):
    status, printed = launch(tmp_path, SCRIPT, "train", tmp_path)
    assert status == 0, printed
    first, second = answers(tmp_path)
    assert first == second  # weights, running statistics, history
    last = first["history"][-1]
    for measured in (
        {"loss": last["eval_loss"], "acc_top1": last["eval_acc_top1"]},
        first["evaluate"],
    ):
        assert first["images"] == 69
        assert measured["loss"] == pytest.approx(first["loss"], rel=1e-4)
        assert measured["acc_top1"] == pytest.approx(first["accuracy"], abs=1e-6)
    data = load_data("digits", image_size=16, limit=69)
    for key, value in in_processes.without_norms(data, tmp_path / "alone", batch_size=16).items():
        np.testing.assert_allclose(first["weights"][key], value, rtol=1e-3, atol=1e-6)
    rows = (tmp_path / "run/history.csv").read_text().splitlines()
    assert len(rows) == 1 + 2
    lines = [line for line in printed[0].splitlines() if line.startswith("epoch ")]
    assert [line[:10] for line in lines] == ["epoch 1/2:", "epoch 2/2:"]
    assert "8 images a step in each of 2 processes" in printed[0]
    assert "epoch" not in printed[1]  # one of them speaks


@pytest.mark.slow
def test_the_measurements_are_of_all_images(tmp_path):
    status, printed = launch(tmp_path, SCRIPT, "measure", tmp_path)
    assert status == 0, printed
    first, second = answers(tmp_path)
    assert first == second
    assert first["row"]["train_loss"] == pytest.approx(first["loss"], rel=1e-4)
    assert first["row"]["train_acc_top1"] == pytest.approx(first["accuracy"], abs=1e-6)


@pytest.mark.slow
def test_a_process_that_fails_ends_all(tmp_path):
    started = time.monotonic()
    status, printed = launch(tmp_path, SCRIPT, "diverge", tmp_path)
    assert status != 0
    assert "FloatingPointError: the loss in epoch 1, step 1 is nan" in printed[1]
    assert time.monotonic() - started < 120


@pytest.mark.slow
def test_no_process_waits_for_ever(tmp_path, monkeypatch):
    monkeypatch.setenv("PADDLE_PG_TIMEOUT", "2000")
    status, printed = launch(tmp_path, SCRIPT, "leave", tmp_path)
    assert status == 0, printed


@pytest.mark.slow
def test_the_command_line(tmp_path):
    """The automatic folder is one; it is resumed; it is refused by all processes alike."""
    options = ["--limit", 40, "--image-size", 32, "-o", "scale=0.25", "--batch-size", 8]
    (tmp_path / "runs/oct_mobilenet_v1-digits/of_others").mkdir(parents=True)
    status, printed = launch(tmp_path, *PADDLE_OCT, "train", *options, "--epochs", 2)
    assert status == 0, printed
    run = tmp_path / "runs/oct_mobilenet_v1-digits-2"
    assert sorted(path.name for path in run.parent.iterdir()) == [run.name[:-2], run.name]
    assert printed[0].count(": test accuracy ") == 1
    assert "test accuracy" not in printed[1]

    config = json.loads((run / "config.json").read_text())
    config["recipe"]["epochs"] = 3
    (run / "config.json").write_text(json.dumps(config))
    status, printed = launch(tmp_path, *PADDLE_OCT, "train", "--resume", run)
    assert status == 0, printed
    assert "which goes on after epoch 2" in printed[0]
    assert len((run / "history.csv").read_text().splitlines()) == 1 + 3

    for arguments, message in (
        (["--resume", run], "is complete (3 of 3 epochs)"),
        (["--run", run, *options], "already holds a run"),
        ([*options, "--sync-batch-norm"], "Paddle has no SyncBatchNorm for the CPU"),
    ):
        (tmp_path / "log/workerlog.0").unlink()
        (tmp_path / "log/workerlog.1").unlink()
        status, printed = launch(tmp_path, *PADDLE_OCT, "train", *arguments)
        assert status != 0  # the launcher may end one before it ends itself
        assert printed[0].count(message) + printed[1].count(message) in (1, 2), printed
        assert "Traceback" not in printed[0] + printed[1]
    assert len(list(run.parent.iterdir())) == 2


def test_a_single_process_is_the_first():
    assert is_first_process()
    assert from_first_process(lambda: 3) == 3
    with pytest.raises(KeyError):
        from_first_process(lambda: {}["a"])
    assert sum_over_processes([1, 0.1]) == [1, 0.1]
    average_statistics(nn.BatchNorm2D(2))


# -- batch norms over all processes: Paddle computes them on GPUs alone ---------------------------


@pytest.fixture
def on_gpu(monkeypatch):
    monkeypatch.setattr("paddle.device.get_device", lambda: "gpu:0")


class Norms(nn.Layer):
    def __init__(self):
        super().__init__()
        self.plain = nn.BatchNorm2D(3, momentum=0.7, epsilon=1e-3)
        self.bare = nn.BatchNorm2D(3, weight_attr=False, bias_attr=False)
        self.scaled = nn.BatchNorm2D(3, bias_attr=False)
        self.frozen = nn.BatchNorm2D(3, use_global_stats=True)
        self.inner = nn.Sequential(("a.b", nn.BatchNorm1D(3)), ("again", self.plain))


def test_norms_are_synchronised_with_the_same_parameters(on_gpu):
    network = Norms()
    network.scaled.weight.set_value(paddle.to_tensor([1.0, 2.0, 3.0]))
    network.plain.eval()
    before, parameters = network.state_dict(), network.parameters()
    synchronise_norms(network)
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(after[key] is before[key] for key in before)
    assert all(a is b for a, b in zip(network.parameters(), parameters))
    assert len(network.parameters()) == len(parameters)
    kinds = {name: type(layer).__name__ for name, layer in network.named_sublayers()}
    assert kinds == {
        "plain": "SyncBatchNorm",
        "bare": "SyncBatchNorm",
        "scaled": "SyncBatchNorm",
        "frozen": "BatchNorm2D",
        "inner": "Sequential",
        "inner.a.b": "SyncBatchNorm",
    }
    assert network.inner["again"] is network.plain
    assert (network.plain._momentum, network.plain._epsilon) == (0.7, 1e-3)
    assert (network.plain.training, network.bare.training) == (False, True)
    assert network.bare.weight.tolist() == [1, 1, 1]
    assert network.bare.bias.tolist() == network.scaled.bias.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "name", slow_but(["oct_mobilenet_v1"], ["oct_mobilenet_v1", "oct_se_resnet152_v1e"])
)
def test_networks_keep_the_keys_of_their_state(on_gpu, name):
    network = create_model(name)
    keys = list(network.state_dict())
    synchronise_norms(network)
    assert list(network.state_dict()) == keys
    assert not any(isinstance(layer, nn.BatchNorm2D) for layer in network.sublayers())


@pytest.mark.parametrize(
    ("norm", "message"),
    [
        (nn.BatchNorm(3), re.escape("has a paddle.nn.BatchNorm; use BatchNorm2D")),
        (nn.BatchNorm2D(3, use_global_stats=False), "use_global_stats=False"),
    ],
)
def test_norms_that_cannot_be_synchronised(on_gpu, norm, message):
    network = nn.Sequential(nn.BatchNorm2D(3), norm)
    with pytest.raises(ValueError, match=message):
        synchronise_norms(network)
    assert type(network[0]) is nn.BatchNorm2D


def test_the_cpu_has_no_synchronised_norms():
    with pytest.raises(ValueError, match="Paddle has no SyncBatchNorm for the CPU"):
        synchronise_norms(nn.BatchNorm2D(3))
    Recipe(sync_batch_norm=True)  # of use elsewhere
