"""The parameters of OctaveConv: those of one ordinary kernel, cut into four blocks."""

import gc

import numpy as np
import paddle
import pytest
from paddle import nn
from paddle.base import core

from paddle_oct import OctaveConv

ALPHA_PAIRS = [(0, 0.25), (0.5, 0.5), (0.25, 0.25), (0.125, 0.75), (0.75, 0), (1, 0.5), (1, 1)]
OUT = 4096  # each output channel is one draw of the weights that feed it
INITIALIZERS = {
    "default": lambda: None,
    "KaimingUniform": nn.initializer.KaimingUniform,
    "XavierNormal": nn.initializer.XavierNormal,
}


def whole_kernel(*shape):
    return np.arange(np.prod(shape), dtype="float32").reshape(shape)


def total_size(layer):
    return sum(int(np.prod(p.shape)) for p in layer.parameters())


@pytest.mark.parametrize("alphas", ALPHA_PAIRS, ids=str)
@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_output_variance_is_that_of_conv2d(alphas, initializer):
    # Plus or minus one per channel: unit variance over the channels of either band, exactly, and
    # constant in space, so that pooling and up-sampling change nothing away from the border.
    paddle.seed(11)
    channels, batch = 16, 8
    signs = paddle.randint(0, 2, [batch, channels, 1, 1]).astype("float32") * 2 - 1
    attr = INITIALIZERS[initializer]
    vanilla = nn.Conv2D(channels, OUT, 3, weight_attr=attr(), bias_attr=False)
    expected = float(vanilla(signs.expand([-1, -1, 3, 3])).var())

    layer = OctaveConv(channels, OUT, 3, *alphas, padding=1, weight_attr=attr())
    high, low = layer.in_bands
    pair = layer(
        (
            signs[:, :high].expand([-1, -1, 6, 6]) if high else None,
            signs[:, high:].expand([-1, -1, 3, 3]) if low else None,
        )
    )
    for band, centre in zip(pair, (2, 1)):
        if band is not None:
            variance = float(band[:, :, centre, centre].var())
            assert variance == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("alphas", [(0.5, 0.5), (0.25, 0.75), (0, 0.5), (0.75, 0)], ids=str)
@pytest.mark.parametrize("wrap", [True, False], ids=["ParamAttr", "initializer"])
def test_assigned_kernel_is_cut_into_blocks(alphas, wrap):
    kernel = whole_kernel(8, 12, 3, 3)
    attr = nn.initializer.Assign(kernel)
    attr = paddle.ParamAttr(initializer=attr) if wrap else attr
    layer = OctaveConv(12, 8, 3, *alphas, padding=1, weight_attr=attr)
    into, out = 12 - int(12 * alphas[0]), 8 - int(8 * alphas[1])  # the first low channels
    blocks = {
        "h2h": kernel[:out, :into],
        "h2l": kernel[out:, :into],
        "l2h": kernel[:out, into:],
        "l2l": kernel[out:, into:],
    }
    for path, block in blocks.items():
        conv = getattr(layer, f"conv_{path}")
        assert (conv is None) == (block.size == 0)
        if conv is not None:
            np.testing.assert_array_equal(conv.weight.numpy(), block)


def test_assigned_depthwise_kernel_and_bias_are_cut_into_rows():
    kernel, bias = whole_kernel(8, 1, 3, 3), whole_kernel(8)
    layer = OctaveConv(
        8, 8, 3, 0.25, 0.25, padding=1, groups=8,
        weight_attr=nn.initializer.Assign(kernel),
        bias_attr=paddle.ParamAttr(initializer=nn.initializer.Assign(bias)),
    )  # fmt: skip
    for conv, rows in ((layer.conv_h2h, slice(0, 6)), (layer.conv_l2l, slice(6, 8))):
        np.testing.assert_array_equal(conv.weight.numpy(), kernel[rows])
        np.testing.assert_array_equal(conv.bias.numpy(), bias[rows])


@pytest.mark.parametrize("alphas", [(0.5, 0.5), (0, 0.5), (1, 0.25), (0.5, 1)], ids=str)
def test_assigned_bias_reaches_every_output_channel_once(alphas):
    bias = whole_kernel(8) + 1
    layer = OctaveConv(
        4, 8, 3, *alphas, padding=1,
        weight_attr=nn.initializer.Constant(0.0),
        bias_attr=nn.initializer.Assign(bias),
    )  # fmt: skip
    high, low = layer.in_bands
    pair = layer(
        (
            paddle.randn([1, high, 6, 6]) if high else None,
            paddle.randn([1, low, 3, 3]) if low else None,
        )
    )
    seen = [b.numpy() for b in pair if b is not None]
    assert all((b == b[:, :, :1, :1]).all() for b in seen)
    np.testing.assert_array_equal(np.concatenate([b[0, :, 0, 0] for b in seen]), bias)


def test_attributes_of_the_parameters_are_kept():
    weight_attr = paddle.ParamAttr(name="kernel", learning_rate=0.25, trainable=False)
    bias_attr = paddle.ParamAttr(name="offset", learning_rate=0.5)
    layer = OctaveConv(8, 8, 3, padding=1, weight_attr=weight_attr, bias_attr=bias_attr)
    names = {n: p.name for n, p in layer.named_parameters()}
    assert names == {
        "conv_h2h.weight": "kernel_h2h",
        "conv_h2l.weight": "kernel_h2l",
        "conv_l2h.weight": "kernel_l2h",
        "conv_l2l.weight": "kernel_l2l",
        "conv_h2h.bias": "offset_h",
        "conv_l2l.bias": "offset_l",
    }
    for name, parameter in layer.named_parameters():
        is_weight = name.endswith("weight")
        assert parameter.stop_gradient is is_weight
        assert parameter.optimize_attr["learning_rate"] == (0.25 if is_weight else 0.5)
    # The caller's objects serve for other layers too.
    assert (weight_attr.name, bias_attr.name) == ("kernel", "offset")
    assert weight_attr.initializer is None


def test_a_name_is_untouched_where_there_is_one_path():
    attrs = {"weight_attr": paddle.ParamAttr(name="only_w"), "bias_attr": "only_b"}
    layer = OctaveConv(8, 8, 3, 0, 0, padding=1, **attrs)
    assert [p.name for p in layer.parameters()] == ["only_w", "only_b"]


@pytest.mark.parametrize("groups", [1, 2, 3, 24])
@pytest.mark.parametrize("bias", [True, False])
def test_parameter_count_is_that_of_conv2d(groups, bias):
    tried = 0
    for low_in in range(0, 25, 6):
        for low_out in range(0, 49, 12):
            if groups == 24 and 2 * low_in != low_out:
                continue  # depthwise: one alpha
            layer = OctaveConv(
                24, 48, 3, low_in / 24, low_out / 48, padding=1, groups=groups, bias_attr=bias
            )
            vanilla = nn.Conv2D(24, 48, 3, padding=1, groups=groups, bias_attr=bias)
            assert total_size(layer) == total_size(vanilla)
            assert sum(p.shape[0] for n, p in layer.named_parameters() if "bias" in n) == 48 * bias
            tried += 1
    assert tried == (5 if groups == 24 else 25)


@pytest.mark.parametrize("alpha", [0.1, 0.29, 0.33, 0.5, 0.77, 0.99])
def test_parameter_count_for_uneven_alphas(alpha):
    for other in (0, 0.29, 0.5, 1):
        assert total_size(OctaveConv(37, 23, 3, alpha, other, padding=1)) == 37 * 23 * 9
        assert total_size(OctaveConv(37, 23, 3, other, alpha, padding=1)) == 37 * 23 * 9


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_other_default_dtypes(dtype):
    before = paddle.get_default_dtype()
    paddle.set_default_dtype(dtype)
    try:
        paddle.seed(3)
        layer = OctaveConv(32, 64, 3, padding=1)
    finally:
        paddle.set_default_dtype(before)
    std = (2 / (9 * 32)) ** 0.5  # of nn.Conv2D, from the fan-in of the whole kernel
    for weight in layer.parameters():
        assert weight.dtype == getattr(paddle, dtype)
        assert float(weight.astype("float32").std()) == pytest.approx(std, rel=0.1)


def test_lazy_initialisation():
    with paddle.LazyGuard():
        layer = OctaveConv(32, 64, 3, padding=1)
    for weight in layer.parameters():
        weight.initialize()
        assert float(weight.std()) == pytest.approx((2 / (9 * 32)) ** 0.5, rel=0.1)


def test_a_layer_holds_nothing_but_its_parameters():
    def allocated():
        gc.collect()
        return core.host_memory_stat_current_value("Allocated", 0)

    OctaveConv(256, 256, 3, padding=1, alpha_in=0.5, alpha_out=0.5)  # whatever is made once
    before = allocated()
    layer = OctaveConv(256, 256, 3, padding=1, alpha_in=0.5, alpha_out=0.5)
    parameters = sum(4 * p.size for p in layer.parameters())
    assert parameters <= allocated() - before <= 1.01 * parameters
    for conv in layer.children():
        assert conv._param_attr.initializer.value is None  # the block of the whole kernel
