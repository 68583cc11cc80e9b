"""What must work on every Python: ``python .ci/smoke.py``, with the package and nothing optional.

Octave networks in ``paddle.jit.to_static`` (both tracers, inference and training) against eager
mode, a run of the command line, and an exported file against the network.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("GLOG_minloglevel", "2")
warnings.filterwarnings("ignore")

import numpy as np
import paddle
from paddle import nn
from paddle.static import InputSpec

from paddle_oct import (
    Conv_BN,
    Conv_BN_ACT,
    OctaveConv,
    OctaveMerge,
    OctaveNorm,
    PerBand,
    create_model,
)
from paddle_oct.cli import cli
from paddle_oct.deploy import load
from paddle_oct.training import find_network

DYNAMIC = [InputSpec([None, 3, None, None], "float32")]


def layers():
    paddle.seed(1)
    return nn.Sequential(
        OctaveConv(3, 16, 3, 0, 0.5, padding=1),
        OctaveNorm(16),
        PerBand(nn.ReLU()),
        Conv_BN_ACT(16, 16, 3, stride=2, padding=1),
        Conv_BN(16, 8, 1),
        OctaveMerge(),
    )


def assert_close(actual, expected, what):
    atol = 2e-5 * max(np.abs(expected).max(), 1e-3)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol, err_msg=what)


def gradients_of(net, x):
    net.train()
    (net(x) ** 2).sum().backward()
    return {name: p.grad.numpy() for name, p in net.named_parameters() if p.trainable}


def check_to_static(full_graph: bool) -> None:
    """Compare inference, training and inference again with eager mode."""
    eager = layers()
    static = paddle.jit.to_static(layers(), input_spec=DYNAMIC, full_graph=full_graph)
    x = paddle.randn([2, 3, 21, 18])
    for _ in range(2):
        for net in (eager, static):
            net.eval()
        assert_close(static(x).numpy(), eager(x).numpy(), f"full_graph={full_graph}")
        actual, expected = gradients_of(static, x), gradients_of(eager, x)
        for name, gradient in expected.items():
            assert_close(actual[name], gradient, f"{name}, full_graph={full_graph}")


def check_a_static_network() -> None:
    paddle.seed(1)
    net = create_model("oct_mobilenet_v1", scale=0.25, num_classes=5)
    net.eval()
    x = paddle.randn([1, 3, 64, 64])
    expected = net(x).numpy()
    assert_close(paddle.jit.to_static(net, input_spec=DYNAMIC)(x).numpy(), expected, "a network")


def check_command_line(folder: Path) -> None:
    """Train and export through ``paddle-oct``, and run what it wrote."""
    run, program = folder / "run", folder / "net.pdmodel"
    train = "train oct_mobilenet_v1 -o scale=0.25 --epochs 1 --limit 64 --image-size 32"
    for words in (
        [*train.split(), "--run", str(run)],
        ["export", str(run), "--output", str(program)],
    ):
        cli.main(words, "paddle-oct", standalone_mode=False)
    x = np.random.default_rng(0).random((3, 3, 33, 41), np.float32)
    trained, _ = find_network(str(run), {})
    trained.eval()
    assert_close(load(program)(x), trained(paddle.to_tensor(x)).numpy(), "the exported file")


def main() -> None:
    for full_graph in (False, True, False):  # what ran before must not matter
        check_to_static(full_graph)
    check_a_static_network()
    with tempfile.TemporaryDirectory() as folder:
        check_command_line(Path(folder))
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"Python {version}, Paddle {paddle.__version__}: to_static, training and export work")


if __name__ == "__main__":
    main()
