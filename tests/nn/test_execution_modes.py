"""Octave layers in everything that Paddle does with a layer."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from helpers import slow_but
from paddle import nn
from paddle.static import InputSpec

from paddle_oct import (
    Conv_BN,
    Conv_BN_ACT,
    OctaveAdd,
    OctaveAvgPool2D,
    OctaveConv,
    OctaveGlobalAvgPool2D,
    OctaveMaxPool2D,
    OctaveMerge,
    OctaveNorm,
    OctaveSE,
    PerBand,
)
from paddle_oct.nn import fast

DYNAMIC = [InputSpec([None, 3, None, None], "float32", "x")]
INPUTS = [(1, 3, 16, 16), (2, 3, 17, 23), (3, 3, 9, 32), (1, 3, 5, 5)]


class Residual(nn.Layer):
    """A user's own layer around octave ones."""

    def __init__(self):
        super().__init__()
        self.conv1 = Conv_BN_ACT(8, 8, 3, 0.5, 0.5, padding=1, groups=8)
        self.conv2 = Conv_BN(8, 8, 1)
        self.add = OctaveAdd()

    def forward(self, x):
        return self.add(self.conv2(self.conv1(x)), x)


def build():
    paddle.seed(4)
    return nn.Sequential(
        OctaveConv(3, 8, 3, 0, 0.5, padding=1, bias_attr=True),
        OctaveNorm(8),
        PerBand(nn.ReLU()),
        OctaveMaxPool2D(3, 2, 1),
        Residual(),
        OctaveAvgPool2D(2, ceil_mode=True),
        Conv_BN_ACT(8, 12, 3, 0.5, 0.25, stride=2, padding=1),
        OctaveSE(12, 0.25, 4),
        OctaveConv(12, 16, 3, 0.25, 1, padding=1, downsample="strided_conv"),
        OctaveConv(16, 6, 3, 1, 0.5, padding=1),
        OctaveMerge(),
    )


def trained(net):
    """Give the norms statistics of their own, so that evaluation is no formality."""
    net.train()
    with paddle.no_grad():
        for shape in INPUTS[:2]:
            net(paddle.randn(shape))
    net.eval()
    return net


def assert_same_outputs(actual, expected):
    for shape in INPUTS:
        x = paddle.randn(shape)
        y = expected(x).numpy()
        assert np.abs(y).max() > 1e-3
        np.testing.assert_allclose(actual(x).numpy(), y, rtol=1e-5, atol=1e-6)


# -- to_static: by bytecode (SOT, the default), and by source (full_graph) -------------------------

FAMILIES = tuple(
    f"oct_{name}"
    for name in ("mobilenet_v1", "mobilenet_v2", "densenet121", "resnet18", "se_resnet50")
)
by_both_tracers = pytest.mark.parametrize("full_graph", [False, True], ids=["bytecode", "source"])


class Nested(nn.Layer):
    """A user's network: octave layers amid others, control flow, and a hook that counts."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2D(3, 3, 3, padding=1)
        self.octave = build()
        self.head = nn.Linear(6, 4)
        self.calls = 0
        self.octave[4].conv2.register_forward_post_hook(self.count)

    def count(self, layer, x, y):
        self.calls += 1

    def forward(self, x):
        x = F.relu(self.stem(x))
        if self.training:
            x = x + 1
        return self.head(self.octave(x).mean([2, 3]))


def gradients_of(net, x):
    net.clear_gradients()
    (net(x) ** 2).sum().backward()
    return {n: p.grad for n, p in net.named_parameters() if p.trainable}


def assert_same_gradients(actual, expected, x):
    actual, expected = gradients_of(actual, x), gradients_of(expected, x)
    assert len(expected) > 20
    for name, gradient in expected.items():
        assert actual[name] is not None, name
        scale = max(float(gradient.abs().max()), 1)
        np.testing.assert_allclose(
            actual[name].numpy(), gradient.numpy(), atol=1e-5 * scale, err_msg=name
        )


@by_both_tracers
@pytest.mark.parametrize("make", slow_but([build], [build, Nested]))
def test_to_static(make, full_graph):
    net = trained(make())
    static = paddle.jit.to_static(make(), input_spec=DYNAMIC, full_graph=full_graph)
    static.set_state_dict(net.state_dict())
    static.eval()
    assert_same_outputs(static, net)
    with paddle.no_grad():
        assert_same_outputs(static, net)


@by_both_tracers
@pytest.mark.parametrize("make", slow_but([Nested], [build, Nested]))
def test_to_static_trains_like_eager(make, full_graph):
    for _ in range(2):  # what was traced before, of another network of the class, must not matter
        eager, static = make(), make()
        static.set_state_dict(eager.state_dict())
        static = paddle.jit.to_static(static, full_graph=full_graph)
        x = paddle.randn([2, 3, 13, 10])
        for net in (static, eager):
            net.eval()
        np.testing.assert_allclose(static(x).numpy(), eager(x).numpy(), rtol=1e-4, atol=1e-5)
        for net in (static, eager):
            net.train()
        assert_same_gradients(static, eager, x)


# In a process of its own, where no piece of the containers' code was traced before.
NO_KERNEL = """
import sys
import numpy as np
import paddle
from test_execution_modes import build
from paddle_oct import create_model
from paddle_oct.nn import fast

answers, may_run = [], fast.may_run

def asked():
    answers.append(may_run())
    return answers[-1]

fast.may_run = asked
net = build() if sys.argv[1] == "layers" else create_model(sys.argv[1])
net.eval()
x = paddle.randn([2, 3, 40, 56])
expected = net(x).numpy()
assert len(answers) > 10 and all(answers)
answers.clear()
static = paddle.jit.to_static(net)(x).numpy()
assert len(answers) > 10 and not any(answers), answers
np.testing.assert_allclose(static, expected, atol=1e-4 * np.abs(expected).max())
print("equal")
"""


@pytest.mark.parametrize("name", slow_but(["layers"], ["layers", *FAMILIES]))
def test_no_kernel_of_eager_mode_runs_within_to_static(name):
    """Octave layers are not traced: Python runs them, whatever the version of its bytecode."""
    places = [str(Path(__file__).parent), str(Path(__file__).parents[1]), *sys.path]
    run = subprocess.run(
        [sys.executable, "-c", NO_KERNEL, name],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))},
    )  # fmt: skip
    assert run.stdout.strip().endswith("equal"), run.stderr[-2000:]


def test_a_static_network_is_saved(tmp_path):
    net = trained(build())
    for full_graph in (False, True):
        static = paddle.jit.to_static(build(), input_spec=DYNAMIC, full_graph=full_graph)
        static.set_state_dict(net.state_dict())
        static.eval()
        static(paddle.randn(INPUTS[0]))
        path = str(tmp_path / f"net{full_graph}")
        paddle.jit.save(static, path, input_spec=DYNAMIC)
        assert_same_outputs(paddle.jit.load(path), net)


def test_what_a_program_returned_is_added_to():
    """At inference it is a leaf that wants a gradient: nothing may be written over it."""
    conv, x = nn.Conv2D(4, 4, 1), paddle.randn([1, 4, 6, 6])
    static = paddle.jit.to_static(conv, full_graph=True)
    static.eval()
    y = static(x)
    assert y.is_leaf
    assert not y.stop_gradient
    expected = y.numpy() + x.numpy()
    np.testing.assert_allclose(fast.add(y, x, made_by=nn.Conv2D(4, 4, 1)).numpy(), expected)
    act = nn.ReLU()
    np.testing.assert_array_equal(fast.activate(act, y).numpy(), np.maximum(y.numpy(), 0))


def test_save_and_load_for_inference(tmp_path):
    net = trained(build())
    path = str(tmp_path / "net")
    paddle.jit.save(net, path, input_spec=DYNAMIC)
    assert_same_outputs(paddle.jit.load(path), net)


def test_amp():
    # Paddle computes in bfloat16 only where the device can; elsewhere this must be the identity.
    net, x = build(), paddle.randn([2, 3, 16, 16])
    expected = net(x)
    with paddle.amp.auto_cast(level="O1", dtype="bfloat16"):
        actual = net(x)
        loss = (actual.astype("float32") ** 2).mean()
    loss.backward()
    error = (actual.astype("float32") - expected).abs().max() / expected.abs().max()
    assert float(error) < 0.05
    for name, parameter in net.named_parameters():
        if parameter.trainable:
            assert np.isfinite(parameter.grad.astype("float32").numpy()).all(), name


def test_double_precision():
    net, wide = trained(build()), trained(build())
    wide.set_state_dict(net.state_dict())
    wide.to(dtype="float64")
    x = paddle.randn([2, 3, 13, 10])
    y = wide(x.astype("float64"))
    assert y.dtype == paddle.float64
    np.testing.assert_allclose(net(x).numpy(), y.numpy(), rtol=1e-4, atol=1e-5)


def test_deepcopy_is_independent():
    net = trained(build())
    twin = copy.deepcopy(net)
    assert_same_outputs(twin, net)
    x = paddle.randn([1, 3, 16, 16])
    before = net(x).numpy()
    for parameter in twin.parameters():
        parameter.set_value(parameter + 1)
    np.testing.assert_array_equal(net(x).numpy(), before)
    assert np.abs(twin(x).numpy() - before).max() > 1e-3


def test_state_dict_round_trip(tmp_path):
    net, other = trained(build()), build()
    for parameter in other.parameters():
        parameter.set_value(paddle.randn(parameter.shape))
    other.eval()
    path = str(tmp_path / "net.pdparams")
    paddle.save(net.state_dict(), path)
    missing, unexpected = other.set_state_dict(paddle.load(path))
    assert (missing, unexpected) == ([], [])
    assert_same_outputs(other, net)


def test_repr_says_what_a_layer_is():
    text = repr(OctaveConv(8, 16, 3, 0.25, 0.5, stride=2, padding=1, groups=2))
    first = text.splitlines()[0]
    assert first == (
        "OctaveConv(8, 16, kernel_size=[3, 3], alpha_in=0.25, alpha_out=0.5, stride=[2, 2], "
        "padding=1, groups=2"
    )
    for path in ("h2h", "h2l", "l2h", "l2l"):
        assert f"(conv_{path}): Conv2D(" in text
    text = repr(OctaveConv(8, 8, 3, 0, 0, dilation=2, downsample="strided_conv"))
    assert "dilation=[2, 2], downsample='strided_conv'" in text
    assert "conv_l2l" not in text
    text = repr(build())
    assert "OctaveMaxPool2D(kernel_size=3, stride=2, padding=1" in text
    assert "bn_h" in text


def test_one_optimizer_step_moves_every_parameter():
    net = build()
    before = {n: p.numpy() for n, p in net.named_parameters() if p.trainable}
    optimizer = paddle.optimizer.SGD(0.1, parameters=net.parameters())
    (net(paddle.randn([4, 3, 16, 16])) ** 2).sum().backward()
    optimizer.step()
    for name, parameter in net.named_parameters():
        if parameter.trainable:
            after = parameter.numpy()
            assert np.isfinite(after).all(), name
            assert (after != before[name]).any(), name


def test_summary(capsys):
    net = build()
    size = sum(int(np.prod(p.shape)) for p in net.state_dict().values())
    assert paddle.summary(net, (1, 3, 17, 23))["total_params"] == size
    assert "OctaveConv" in capsys.readouterr().out


def test_flops_of_convolutions():
    net = nn.Sequential(OctaveConv(3, 8, 3, 0, 0.5, padding=1), Conv_BN(8, 4, 1, 0.5, 0))
    # 3 to 4 channels at 8x8 and at 4x4, then 4 to 4 channels from either band; norm: 2 a value.
    expected = 9 * 3 * 4 * (64 + 16) + 4 * 4 * (64 + 16) + 2 * 4 * 64
    assert paddle.flops(net, [1, 3, 8, 8]) == expected


@pytest.mark.parametrize(
    "layer",
    [
        PerBand(nn.ReLU()),
        OctaveNorm(8),
        OctaveMaxPool2D(2),
        OctaveAvgPool2D(2),
        OctaveSE(8, 0.5, 2),
        Residual(),
        nn.Sequential(Conv_BN(8, 8, 1), OctaveGlobalAvgPool2D()),
    ],
    ids=["PerBand", "Norm", "MaxPool", "AvgPool", "SE", "Add", "GlobalAvgPool"],
)
def test_flops_and_summary_with_every_layer(layer):
    net = nn.Sequential(OctaveConv(3, 8, 3, 0, 0.5, padding=1), layer)
    assert paddle.summary(net, (1, 3, 8, 8))["total_params"] >= 9 * 3 * 8
    assert paddle.flops(net, [1, 3, 8, 8]) >= 9 * 3 * 4 * (64 + 16)


def test_flops_with_merge():
    net = nn.Sequential(OctaveConv(3, 8, 3, 0, 0.5, padding=1), OctaveMerge())
    assert paddle.flops(net, [1, 3, 8, 8]) == 9 * 3 * 4 * (64 + 16)


# Static mode is a state of the process, so it gets one of its own. The script builds the network
# in static mode, runs it by the Executor, and compares with an eager network of the same weights.
STATIC = """
import sys
import numpy as np
import paddle
from paddle import nn
from paddle_oct import OctaveConv, OctaveMaxPool2D, OctaveMerge, PerBand

def build():
    pool = [OctaveMaxPool2D(3, 2, 1)] if "pool" in sys.argv else []
    attr = paddle.ParamAttr(initializer=nn.initializer.Uniform(1, 2))
    return nn.Sequential(
        OctaveConv(3, 8, 3, 0, 0.5, padding=1, bias_attr=attr),
        PerBand(nn.ReLU()),
        *pool,
        OctaveConv(8, 8, 3, padding=1, stride=2, weight_attr=nn.initializer.KaimingNormal()),
        OctaveConv(8, 6, 3, padding=1, bias_attr=True),
        OctaveMerge(),
    )

x = np.random.default_rng(0).standard_normal((2, 3, 17, 22)).astype("float32")
paddle.enable_static()
main, startup = paddle.static.Program(), paddle.static.Program()
with paddle.static.program_guard(main, startup):
    shape = [None, 3, None, None] if "dynamic" in sys.argv else list(x.shape)
    net = build()
    y = net(paddle.static.data("x", shape, "float32"))
    assert not paddle.in_dynamic_mode()
executor = paddle.static.Executor()
executor.run(startup)
y, *values = executor.run(main, feed={"x": x}, fetch_list=[y, *net.parameters()])
assert all(np.isfinite(v).all() for v in values)
assert all(v.std() > 0.1 for v in values if v.ndim == 4)
assert values[1].min() >= 1 and values[3].min() >= 1  # the biases of h2h and h2l

paddle.disable_static()
eager = build()
assert len(values) == len(eager.parameters())
for parameter, value in zip(eager.parameters(), values):
    parameter.set_value(value)
expected = eager(paddle.to_tensor(x)).numpy()
assert y.shape == expected.shape, (y.shape, expected.shape)
np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
print("equal")
"""


@pytest.mark.parametrize("sizes", ["fixed", "dynamic"])
@pytest.mark.parametrize("layers", ["plain", "pool"])
def test_static_mode(sizes, layers):
    run = subprocess.run(
        [sys.executable, "-c", STATIC, sizes, layers],
        capture_output=True, text=True, timeout=120, check=False, env=os.environ.copy(),
    )  # fmt: skip
    assert run.stdout.strip().endswith("equal"), run.stderr[-2000:]
