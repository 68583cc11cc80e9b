"""``paddle-oct octavize``."""

import numpy as np
import paddle
import pytest

from paddle_oct import create_model, octavize

SMALL = ["squeezenet1_1", "--image-size", "64", "--classes", "10"]


def test_it_reports_and_saves_the_converted_weights(run, tmp_path):
    net = create_model("squeezenet1_1", num_classes=10)
    paddle.save(net.state_dict(), str(tmp_path / "old.pdparams"))
    given = [*SMALL, "--alpha", ".25", "--weights", tmp_path / "old.pdparams"]
    status, out, _ = run("octavize", *given, "--output", tmp_path / "new.pdparams")
    assert status == 0
    assert "SqueezeNet: 13 of 26 convolutions replaced" in out
    assert f"weights: {tmp_path / 'new.pdparams'}" in out
    octave = octavize(net, 0.25, input_size=(1, 3, 64, 64))
    saved = paddle.load(str(tmp_path / "new.pdparams"))
    assert set(saved) == set(octave.state_dict())
    for name, tensor in octave.state_dict().items():
        np.testing.assert_array_equal(saved[name].numpy(), tensor.numpy())


def test_it_never_overwrites_unasked(run, tmp_path):
    path = tmp_path / "kept.pdparams"
    path.write_text("precious")
    status, _, err = run("octavize", *SMALL, "--output", path)
    assert (status, path.read_text()) == (2, "precious")
    assert "already exists" in err
    assert run("octavize", *SMALL, "--output", path, "--force")[0] == 0
    assert "_conv1._conv._conv.conv_h2h.weight" in paddle.load(str(path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["squezenet1_1"], "did you mean squeezenet1_1"),
        ([*SMALL, "--exclude", "_conv99"], "'_conv99' matches no convolution; did you mean _conv9"),
        ([*SMALL, "--alpha", "2"], "alpha must be in [0, 1], got 2.0"),
        ([*SMALL, "--alpha", ".5,.5,.5"], "2 of them, one per stage (15x15, 7x7), got 3"),
        ([*SMALL, "--layer-alpha", "_conv2=much"], "alpha['_conv2'] must be a number"),
        ([*SMALL, "--weights", "nowhere.pdparams"], "nowhere.pdparams: no such file"),
    ],
)
def test_errors_are_one_line(run, arguments, message):
    status, out, err = run("octavize", *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_alpha_of_some_layers(run):
    status, out, _ = run("octavize", *SMALL, "--layer-alpha", "_conv2=.25", "--exclude", "_conv4")
    assert status == 0
    rows = {line.split()[0]: line for line in out.splitlines() if line.startswith("_conv")}
    assert "0.5 -> 0.25" in rows["_conv2._conv._conv"]
    assert "excluded by '_conv4'" in rows["_conv4._conv._conv"]
