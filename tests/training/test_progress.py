"""What a run says: on a terminal, in a file, and when it is asked for silence."""

import io
import sys

import paddle
import pytest
from paddle import nn

from paddle_oct.training import Recipe, fit, load_data
from paddle_oct.training.progress import can_draw_bars, describe_epoch

ROW = {
    "epoch": 3,
    "train_loss": 0.41234,
    "train_acc_top1": 0.88196,
    "train_acc_top5": 0.97,
    "images_per_second": 412.4,
    "eval_loss": 0.38,
    "eval_acc_top1": 1.0,
    "eval_acc_top5": 1.0,
}


@pytest.fixture
def say(tmp_path, capsys, monkeypatch):
    """Return a function that trains for two epochs and returns what is printed."""
    monkeypatch.setattr("paddle_oct.training.callbacks.add_graph", lambda *arguments: None)
    data = load_data("digits", image_size=8, limit=20)

    def train(**options):
        paddle.seed(1)
        network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 10))
        fit(network, data, Recipe(epochs=2, batch_size=8), tmp_path / "run", threads=1, **options)
        captured = capsys.readouterr()
        assert captured.err == ""
        return captured.out

    return train


def test_a_file_gets_a_line_per_epoch(say, tmp_path):
    printed = say()
    assert "\b" not in printed
    assert "\r" not in printed
    what, on_what, how, where, *epochs = printed.splitlines()
    assert what == "Sequential: 1,930 trainable parameters"
    assert on_what == "digits: 20 training and 20 test images of 3x8x8 in 10 classes"
    assert how == "2 epochs of 2 steps, 8 images a step, on the CPU with 1 thread"
    assert where == f"run {tmp_path / 'run'}"
    assert [line.partition(":")[0] for line in epochs] == ["epoch 1/2", "epoch 2/2"]


def test_a_terminal_gets_progress_bars(say, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert can_draw_bars()
    printed = say()
    assert printed.startswith("Sequential: 1,930 trainable parameters\n")
    assert "step 2/2 [====" in printed
    assert "train loss" not in printed


def test_progress_bars_can_be_refused(say, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    printed = say(progress_bars=False)
    assert "\b" not in printed
    assert printed.count("train loss") == 2


def test_a_notebook_gets_progress_bars(monkeypatch):
    monkeypatch.delenv("PYCHARM_HOSTED", raising=False)
    assert not can_draw_bars()
    of_a_kernel = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})
    monkeypatch.setattr(sys, "stdout", of_a_kernel())
    assert can_draw_bars()


def test_silence(say):
    assert say(verbose=0) == ""


def test_the_line_of_an_epoch():
    assert describe_epoch(ROW, 20, 12.34) == (
        "epoch  3/20: train loss 0.4123, accuracy 88.20%; test loss 0.3800, accuracy 100.00%; "
        "412 images/s, 12.3 s"
    )
