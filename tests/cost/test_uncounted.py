"""What a profile did not count, and formulas of one's own."""

import shutil

import paddle
import pytest
from helpers import slow_but
from paddle import nn

from paddle_oct import create_model
from paddle_oct.base.private import legacy_operators
from paddle_oct.base.private import operators as paddle_operators
from paddle_oct.bench import compare
from paddle_oct.cost import count_macs, free, operators, profile, register_operator


@pytest.fixture
def table(monkeypatch):
    """Forget afterwards what the test registers."""
    monkeypatch.setattr(operators, "_TABLE", dict(operators._TABLE))


class Forward(nn.Layer):
    """A layer that computes one function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def spectrum(x):
    return paddle.fft.rfft(x, axis=-1).abs()


def fft_macs(args, output):
    """Return 1/2 N log2(N) for every transform of N = 16."""
    assert output.shape[-1] == 9
    return args[0].size // 16 * 32


def test_an_operator_without_a_formula_is_named():
    net = nn.Sequential(nn.Linear(8, 16), Forward(spectrum), nn.Linear(9, 2), Forward(spectrum))
    result = profile(net, (4, 8))
    assert result.macs == 4 * (8 * 16 + 9 * 2)
    assert result.uncounted == {"fft_r2c": 2}
    (line,) = [line for line in repr(result).splitlines() if "not counted" in line]
    assert line.split() == ["not", "counted", "fft_r2c", "(2", "times)"]
    assert result.to_dict()["uncounted"] == {"fft_r2c": 2}


def test_nothing_is_said_where_all_is_counted():
    result = profile(nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.LayerNorm(4)), (4, 8))
    assert result.uncounted == {}
    assert "not counted" not in repr(result)


def test_integers_need_no_formula():
    net = Forward(lambda x: paddle.bincount(x.astype("int32").flatten()) ** 2)
    assert profile(net, (4, 8)).uncounted == {}


def test_a_formula_for_one_profile():
    net = Forward(spectrum)
    result = profile(net, (4, 16), operators={"fft_r2c": fft_macs})
    assert (result.macs, result.uncounted) == (4 * 32, {})
    assert count_macs(net, (4, 16), operators={"fft_r2c": fft_macs}) == 4 * 32
    assert profile(net, (4, 16)).uncounted == {"fft_r2c": 1}


def test_a_formula_for_all_profiles(table):
    register_operator("fft_r2c", fft_macs)
    assert profile(Forward(spectrum), (4, 16)).macs == 4 * 32
    (row,) = compare(Forward(spectrum), input_size=(2, 16)).profiles
    assert row.macs == 2 * 32
    register_operator("fft_r2c", lambda args, output: 0)
    assert profile(Forward(spectrum), (4, 16)).macs == 0


def test_a_formula_that_takes_the_place_of_ours(table):
    register_operator("conv2d", lambda args, output: output.size)  # at least as many
    assert count_macs(nn.Conv2D(3, 4, 3), (2, 3, 8, 8)) == 2 * 4 * 36


def test_the_row_of_an_operator():
    net = nn.Sequential(nn.Linear(16, 16), Forward(spectrum))
    result = profile(net, (4, 16), operators={"fft_r2c": fft_macs})
    assert [layer.macs for layer in result.layers] == [4 * 256, 4 * 32]


class Fast(nn.Layer):
    """A layer whose sub-layers say too much about what it costs."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 8)
        self.b = nn.Linear(8, 8)

    def forward(self, x):
        return self.b(self.a(x)) + spectrum(x).sum()


class Faster(Fast):
    """Inherits the formula of its class."""


@pytest.mark.parametrize("kind", [Fast, Faster])
def test_a_formula_for_a_kind_of_layer(kind):
    seen = []

    def count(args, output):
        seen.append((args, output.shape))
        return 7

    net = nn.Sequential(nn.Linear(8, 8), kind(), nn.Linear(8, 2))
    result = profile(net, (3, 8), operators={Fast: count})
    assert [layer.name for layer in result.layers] == ["0", "1", "2"]
    assert [layer.macs for layer in result.layers] == [3 * 64, 7, 3 * 16]
    assert result.layers[1].parameters == 2 * 72
    assert result.uncounted == {}
    (layer, x), shape = seen[0]
    assert layer is net[1]
    assert list(x.shape) == list(shape) == [3, 8]


def test_a_formula_within_another_does_not_count():
    net = nn.Sequential(Fast())
    formulas = {nn.Sequential: lambda args, output: 100, Fast: lambda args, output: 7}
    assert profile(net, (3, 8), operators=formulas).macs == 100


@pytest.mark.parametrize(
    ("formulas", "message"),
    [
        ({"conv2d": 3}, "expected a function that counts 'conv2d', got 3"),
        ({3: len}, "expected an operator's name or a kind of layer, got 3"),
        ({int: len}, "kind of layer, got <class 'int'>"),
    ],
)
def test_what_is_no_formula(formulas, message):
    with pytest.raises(TypeError, match=message):
        profile(nn.Linear(3, 3), (1, 3), operators=formulas)
    for operator, count in formulas.items():
        with pytest.raises(TypeError, match=message):
            register_operator(operator, count)


@pytest.mark.parametrize(
    ("equation", "shapes", "expected"),
    [
        ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)], 2 * 3 * 4 * 5),
        ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)], 2 * 3 * 4 * 6 * 5),
        ("i,j->ij", [(3,), (4,)], 12),
        ("...ij,...jk->...ik", [(7, 2, 3, 4), (1, 2, 4, 5)], 14 * 60),
        ("...ij,jk->...ik", [(7, 3, 4), (4, 5)], 7 * 60),
        ("ij->ji", [(3, 4)], 0),
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 50)], 2 * 3 * 4 + 2 * 4 * 50),  # the better order
    ],
)
def test_einsum(equation, shapes, expected):
    net = Forward(lambda *inputs: paddle.einsum(equation, *inputs))
    result = profile(net, shapes, training=False)
    assert (result.macs, result.uncounted) == (expected, {})


def test_dot():
    assert count_macs(Forward(lambda x: paddle.dot(x, x)), (3, 5)) == 15


@pytest.mark.parametrize("full_graph", [True, False])
def test_a_static_network_is_counted_as_the_eager_one(full_graph):
    def net():
        return nn.Sequential(nn.Conv2D(3, 4, 3), nn.BatchNorm2D(4), nn.ReLU(), nn.Conv2D(4, 2, 1))

    expected = profile(net(), (2, 3, 8, 8))
    static = paddle.jit.to_static(net(), full_graph=full_graph)
    actual = profile(static, (2, 3, 8, 8))
    assert actual.to_dict() == expected.to_dict()
    assert actual.macs == 2 * 36 * (4 * 27 + 8)


KNOWN = (
    *("alexnet", "densenet121", "googlenet", "inception_v3", "mobilenet_v3_small"),
    *("resnext50_32x4d", "shufflenet_v2_swish", "squeezenet1_1", "vgg11"),
)


@pytest.mark.parametrize("name", slow_but(["densenet121", "mobilenet_v3_small"], KNOWN))
def test_paddles_networks_are_counted_whole(name):
    net = getattr(paddle.vision.models, name)(num_classes=3)
    size = 224 if name in ("alexnet", "googlenet", "inception_v3") else 64
    assert profile(net, (1, 3, size, size), training=False).uncounted == {}


@pytest.mark.parametrize(
    "name",
    slow_but(
        ["oct_mobilenet_v2", "oct_densenet121"],
        ["oct_resnet18", "oct_mobilenet_v2", "oct_se_resnet50", "oct_densenet121"],
    ),
)
def test_our_networks_are_counted_whole(name):
    assert profile(create_model(name), (1, 3, 64, 64)).uncounted == {}


def test_transformers_and_recurrent_layers_are_counted_whole():
    layer = nn.TransformerEncoderLayer(8, 2, 16)
    assert profile(nn.TransformerEncoder(layer, 1), (1, 4, 8)).uncounted == {}
    for recurrent in (nn.LSTM(3, 5), nn.GRU(3, 5), nn.SimpleRNN(3, 5)):
        assert profile(recurrent, (1, 4, 3)).uncounted == {}


def test_the_names_are_paddles():
    known = {name.strip("_") for name in (*paddle_operators(), *legacy_operators())}
    names = {name for name in (*operators._TABLE, *free._FREE) if not name.startswith("__")}
    assert {name.strip("_") for name in names} <= known


SOURCE = """
#include "paddle/extension.h"

std::vector<paddle::Tensor> Forward(const paddle::Tensor& x, float factor) {
  return {paddle::experimental::scale(x, factor, 0.0, true)};
}
std::vector<std::vector<int64_t>> Shape(std::vector<int64_t> x, float) { return {x}; }
std::vector<paddle::DataType> Type(paddle::DataType x) { return {x}; }

PD_BUILD_OP(times_factor)
    .Inputs({"X"}).Outputs({"Out"}).Attrs({"factor: float"})
    .SetKernelFn(PD_KERNEL(Forward))
    .SetInferShapeFn(PD_INFER_SHAPE(Shape)).SetInferDtypeFn(PD_INFER_DTYPE(Type));
"""


@pytest.mark.slow
def test_a_custom_operator_in_cpp(tmp_path):
    if shutil.which("g++") is None:
        pytest.skip("there is no g++")
    (tmp_path / "times_factor.cc").write_text(SOURCE)
    module = paddle.utils.cpp_extension.load(
        name="times_factor",
        sources=[str(tmp_path / "times_factor.cc")],
        build_directory=str(tmp_path),
    )
    net = nn.Sequential(nn.Linear(5, 7), Forward(lambda x: module.times_factor(x, 3.0)))
    assert profile(net, (2, 5)).uncounted == {"times_factor": 1}
    given = []

    def count(args, output):
        given.append((args[1:], output[0].shape))
        return args[0].size

    result = profile(net, (2, 5), training=False, operators={"times_factor": count})
    assert (result.macs, result.uncounted) == (2 * 35 + 2 * 7, {})
    assert given == [([3.0], [2, 7])]
