"""Programs for Paddle Inference: written so that it fuses biases and shortcuts, and the same."""

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_oct import OctaveConv, create_model
from paddle_oct.base.private import read_program
from paddle_oct.deploy import export, load
from paddle_oct.deploy.engines.program_file import program_input, write_program
from paddle_oct.deploy.paddle_program import tidy_program
from paddle_oct.deploy.paddle_writing import old_programs, save_program
from paddle_oct.nn import add, split


class Residual(nn.Layer):
    """An octave convolution with a shortcut, and a sum that only looks like one."""

    def __init__(self):
        super().__init__()
        self.conv = OctaveConv(8, 8, 3, padding=1, alpha_in=0.5, alpha_out=0.5)
        self.other = nn.Conv2D(4, 4, 3, padding=1)

    def forward(self, x):
        pair = split(x, 0.5)
        high, low = add(self.conv(pair), pair)
        return self.other(high) + (high + self.other(high)), low


def save(network, path, size, tidy):
    network.eval()
    with old_programs():
        save_program(network, path, size)
    program = path.with_suffix(".pdmodel")
    if tidy:
        tidy_program(program)
    return program


def operations(path):
    program = read_program(path.read_bytes())
    block = program.block(0)
    return [(op.type(), op) for op in map(block.op, range(block.op_size()))], program


def outputs(path, x):
    result = load(path, threads=1)(x)
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("size", [(2, 8, 16, 16), (1, 8, 9, 7), (1, 8, 10, 11)])
def test_the_same_is_computed(tmp_path, size):
    network = Residual()
    path = save(network, tmp_path / "net", size, tidy=True)
    x = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    for ours, theirs in zip(outputs(path, x), network(paddle.to_tensor(x))):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-5)


def test_biases_are_added_along_the_channels(tmp_path):
    kinds, _ = operations(save(Residual(), tmp_path / "plain", (2, 8, 16, 16), tidy=False))
    assert [kind for kind, _ in kinds].count("reshape2") == 2
    kinds, _ = operations(save(Residual(), tmp_path / "tidied", (2, 8, 16, 16), tidy=True))
    names = [kind for kind, _ in kinds]
    assert "reshape2" not in names
    assert [op.attr("axis") for kind, op in kinds if kind == "elementwise_add"].count(1) == 2


def test_the_shortcut_is_added_to_the_convolution_first(tmp_path):
    path = save(Residual(), tmp_path / "net", (2, 8, 16, 16), tidy=True)
    kinds, _ = operations(path)
    makers = {name: kind for kind, op in kinds for name in op.output_arg_names()}
    last = [
        {makers[name] for name in op.input_arg_names()}
        for kind, op in kinds
        if kind == "elementwise_add" and op.attr("axis") == -1
    ]
    assert {"elementwise_add", "nearest_interp_v2"} in last  # (conv + shortcut) + up-sampled


def test_folded_networks_have_no_bias_apart(tmp_path):
    network = create_model("oct_resnet26", num_classes=10)
    network.eval()
    path = export(network, tmp_path / "net", "paddle", (1, 3, 64, 64))
    kinds, _ = operations(path)
    assert "reshape2" not in [kind for kind, _ in kinds]
    assert program_input(path) == (None, 3, None, None)
    write_program(path, tmp_path / "fixed.pdmodel", (2, 3, 65, 49), mark=".1")
    assert program_input(tmp_path / "fixed.pdmodel") == (2, 3, 65, 49)


def test_fixed_odd_sizes(tmp_path):
    network = create_model("oct_mobilenet_v1", scale=0.25, num_classes=10)
    network.eval()
    size = (1, 3, 65, 50)
    path = export(network, tmp_path / "net", "paddle", size, dynamic=False)  # which checks it
    assert load(path).input_shape == size
