"""Profiles against Paddle's own counts, measured memory, and the paper's Table 1."""

import contextlib
import gc
import io
import re

import paddle
import paddle.nn.functional as F
import pytest
from helpers import slow_but
from paddle import nn

from paddle_oct import Conv_BN, OctaveConv, create_model
from paddle_oct.base.private import (
    allocated_bytes,
    operators,
    peak_of_allocated,
    reset_peak_of_allocated,
)
from paddle_oct.bench import compare, sweep
from paddle_oct.cost import count_macs, profile

TEN = {
    "squeezenet1_1": 64,
    "vgg11": 32,
    "resnet18": 64,
    "resnet34": 32,
    "shufflenet_v2_swish": 32,
    "mobilenet_v1": 64,
    "mobilenet_v2": 64,
    "mobilenet_v3_small": 64,
    "shufflenet_v2_x0_25": 64,
    "densenet121": 64,
}


def nothing(*_):
    return None


def convolution(layer, inputs, output):
    """Count for paddle.flops as it does, but without the bias."""
    kernel = layer.weight.shape[1] * layer.weight.shape[2] * layer.weight.shape[3]
    layer.total_ops += abs(output.numel().item() * kernel)


@pytest.mark.parametrize("name", slow_but(["squeezenet1_1", "shufflenet_v2_x0_25"], TEN))
def test_as_paddle_counts(name):
    net = getattr(paddle.vision.models, name)(num_classes=10)
    size = [1, 3, TEN[name], TEN[name]]
    others = {type(layer) for layer in net.sublayers()} - {nn.Conv2D}
    custom = {**dict.fromkeys(others, nothing), nn.Conv2D: convolution}
    result = profile(net, size, training=False)
    ours = sum(layer.macs for layer in result.layers if layer.kind == "Conv2D")
    assert ours == paddle.flops(net, size, custom_ops=custom) > 0
    with contextlib.redirect_stdout(io.StringIO()):
        assert result.parameters == paddle.summary(net, tuple(size))["total_params"]


class Functional(nn.Layer):
    """A convolution and a linear layer that no Layer object computes."""

    def __init__(self):
        super().__init__()
        self.kernel = self.create_parameter([8, 3, 3, 3])
        self.weight = self.create_parameter([8, 5])

    def forward(self, x):
        x = F.relu(F.conv2d(x, self.kernel, padding=1)).mean([2, 3])
        return F.linear(x, self.weight) + x @ self.weight + paddle.matmul(x, self.weight)


@pytest.mark.parametrize(
    ("layer", "size", "expected"),
    [
        (Functional(), (2, 3, 6, 6), 2 * (36 * 8 * 27 + 3 * 40)),
        (nn.Conv1DTranspose(4, 6, 3, stride=2, groups=2), (2, 4, 9), 2 * 9 * 4 * 3 * 3),
        (nn.Conv2DTranspose(4, 6, 3, stride=2), (2, 4, 5, 7), 2 * 35 * 4 * 6 * 9),
        (nn.Conv2DTranspose(4, 4, (2, 3), groups=4), (1, 4, 5, 5), 25 * 4 * 6),
        (nn.Conv3DTranspose(2, 3, 2), (1, 2, 3, 4, 5), 60 * 2 * 3 * 8),
        (nn.Conv3D(2, 4, 3, padding=1, groups=2), (1, 2, 4, 4, 4), 64 * 4 * 27),
        (nn.Conv2D(3, 8, 1, data_format="NHWC"), (1, 5, 5, 3), 25 * 24),
        (nn.MultiHeadAttention(8, 2), (1, 6, 8), 4 * 6 * 64 + 2 * 6 * 6 * 8),
        (nn.LSTM(3, 5), (2, 7, 3), 2 * 7 * 20 * (3 + 5)),
    ],
    ids=lambda v: type(v).__name__,
)
def test_formulas(layer, size, expected):
    assert count_macs(layer, size) == expected


TABLE_1 = {0: (100, 100), 0.125: (82, 91), 0.25: (67, 81), 0.5: (44, 63), 0.75: (30, 44),
           0.875: (26, 35), 1: (25, 25)}  # fmt: skip


def test_sweep_of_one_layer_is_table_1():
    result = sweep(
        lambda alpha: OctaveConv(64, 64, 3, alpha, alpha, padding=1),
        list(TABLE_1),
        input_size=(1, 64, 56, 56),
    )
    assert result.alphas == tuple(TABLE_1)
    for row, (macs, memory) in zip(result.rows(), TABLE_1.values()):
        alpha = row["alpha"]
        assert row["macs_ratio"] == pytest.approx(1 - 0.75 * alpha * (2 - alpha), abs=1e-12)
        assert row["features_ratio"] == pytest.approx(1 - 0.75 * alpha, abs=1e-12)
        assert int(100 * row["macs_ratio"] + 0.5) == macs
        # The paper prints 35% for 34.4%.
        assert int(100 * row["features_ratio"] + 0.5) == memory - (alpha == 0.875)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("resnet50", {}, marks=pytest.mark.slow),
        pytest.param("oct_resnet50", {"alpha": 0.25}, marks=pytest.mark.slow),
        ("oct_resnet50", {"alpha": 0.5}),
        ("mobilenet_v1", {}),
        pytest.param("oct_mobilenet_v1", {"alpha": 0.25}, marks=pytest.mark.slow),
        ("oct_mobilenet_v1", {"alpha": 0.5}),
    ],
)
def test_memory_is_what_a_step_holds(name, options):
    """The second step: gradients and optimiser exist, and stay allocated."""
    size = [4, 3, 64, 64]
    gc.collect()  # what other tests left must not go away in the middle
    start = allocated_bytes()
    net = create_model(name, **options)
    cost = profile(net, size).memory
    images, labels = paddle.rand(size), paddle.randint(0, 1000, [size[0]])
    optimizer = paddle.optimizer.Momentum(0.01, parameters=net.parameters())
    net.train()
    for _ in range(2):
        before = allocated_bytes() - images.size * 4
        reset_peak_of_allocated()
        loss = F.cross_entropy(net(images), labels)
        held = allocated_bytes() - before
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        del loss
        peak = peak_of_allocated()
    assert cost.training == pytest.approx(held, rel=0.02)
    assert cost.step == pytest.approx(peak - before, rel=0.15)
    assert cost.training_total(slots=1) == pytest.approx(peak - start, rel=0.15)
    net.eval()
    before = allocated_bytes() - images.size * 4
    reset_peak_of_allocated()
    with paddle.no_grad():
        net(images)
    peak = peak_of_allocated() - before
    # Octave networks need a little less: they overwrite what nobody watches, as a profile does.
    assert 0.85 * peak < cost.inference < 1.2 * peak


def test_a_profile_leaves_everything_as_it_was():
    net = nn.Sequential(nn.Conv2D(3, 4, 3), nn.BatchNorm2D(4), nn.Dropout(0.5))
    net[1].eval()
    before = {n: v.numpy().copy() for n, v in net.state_dict().items()}
    paddle.seed(3)
    expected = paddle.rand([4]).numpy()
    paddle.seed(3)
    before_operators = dict(operators())
    add = paddle.Tensor.__add__
    profile(net, (2, 3, 8, 8))
    assert (paddle.rand([4]).numpy() == expected).all()
    assert [net.training, *(layer.training for layer in net)] == [True, True, False, True]
    assert all((before[n] == v.numpy()).all() for n, v in net.state_dict().items())
    assert dict(operators()) == before_operators
    assert paddle.Tensor.__add__ is add
    assert all(p.grad is None for p in net.parameters())


def test_rows_add_up_and_turn_into_plain_data():
    net = create_model("oct_mobilenet_v1", scale=0.25)
    result = profile(net, (1, 3, 33, 47), repeats=2)
    assert sum(layer.parameters for layer in result.layers) == result.parameters
    assert sum(layer.macs for layer in result.layers) == result.macs
    assert sum(layer.kept_bytes for layer in result.layers) == result.memory.training
    assert "features.1.0.conv" in result.table("markdown")
    plain = result.to_dict()
    assert plain["layers"][0]["name"] == "features.0.0"
    assert plain["latency"]["images_per_second"] == pytest.approx(
        1000 / plain["latency"]["milliseconds"]
    )
    assert f"{result.macs:,}" in repr(result)


def test_a_layer_that_takes_a_pair_is_given_one():
    assert profile(Conv_BN(8, 8, 1), (1, 8, 6, 6)).macs == 36 * 64 * 0.4375


@pytest.mark.parametrize(
    ("net", "size", "message"),
    [
        (nn.Conv2D(3, 4, 3), (1, 3, 0, 8), "positive integers"),
        (nn.Conv2D(3, 4, 3), (1, 3, -8, 8), "positive integers"),
        (nn.Conv2D(3, 4, 3), 224, "must be a shape"),
        (nn.Conv2D(3, 4, 3), (1, 3, 8.0, 8), "must hold integers"),
        ("resnet50", (1, 3, 8, 8), "expected a paddle.nn.Layer"),
        (nn.Sequential(nn.Conv2D(3, 4, 3), nn.Linear(6, 3), nn.Conv2D(5, 4, 3)), (1, 3, 8, 8),
         r"layer '2', Conv2D\(5, 4.*given \[1, 4, 6, 3\].*channels"),
        (nn.Sequential(nn.Conv2D(3, 4, 7)), (1, 3, 4, 4), r"layer '0'.*given \[1, 3, 4, 4\].*fit"),
        (OctaveConv(4, 4, 1), (1, 5, 8, 8), r"takes \[N, 4, H, W\]"),
    ],
)  # fmt: skip
def test_bad_input(net, size, message):
    with pytest.raises((TypeError, ValueError), match=message):
        profile(net, size)


def test_bad_comparisons():
    for call, message in (
        (lambda: compare(), "at least one model"),
        (lambda: compare("resnet5"), "did you mean"),
        (lambda: compare("oct_resnet50@half"), "after the @ comes alpha"),
        (lambda: compare("resnet18@0.5"), "unknown option of resnet18 'alpha'"),
        (lambda: compare("resnet18", labels=["a", "b"]), "1 models but 2 labels"),
        (lambda: sweep("oct_resnet50", [0.5, 2]), "in [0, 1], got 2"),
        (lambda: sweep("oct_resnet50", [0.5], input_size=(1, 3, 0, 1)), "positive"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            call()
