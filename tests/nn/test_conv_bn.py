"""Conv_BN and Conv_BN_ACT: convolution, norm and activation written out."""

import inspect
from functools import partial

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_oct import Conv_BN, Conv_BN_ACT

CASES = [
    {"alpha_in": 0.5, "alpha_out": 0.25, "stride": 1},
    {"alpha_in": 0.25, "alpha_out": 0.5, "stride": 2, "bias_attr": None},
    {"alpha_in": 0, "alpha_out": 0.5, "stride": 1},
    {"alpha_in": 0.5, "alpha_out": 0, "stride": 2},
    {"alpha_in": 1, "alpha_out": 1, "stride": 2},
    {"alpha_in": 0, "alpha_out": 0, "stride": 2, "downsample": "avg_pool"},
]


def draw_pair(channels, alpha, height=8, width=7):
    low = int(alpha * channels)
    return (
        paddle.randn([2, channels - low, height, width]) if low < channels else None,
        paddle.randn([2, low, (height + 1) // 2, (width + 1) // 2]) if low else None,
    )


def scramble(layer):
    """Give norms statistics and weights that are not those they start with."""
    rng = np.random.default_rng(3)
    for name, tensor in layer.state_dict().items():
        if name.startswith("bn_"):
            tensor.set_value(rng.uniform(0.5, 2, tensor.shape).astype("float32"))


def batch_norm(x, norm, training):
    x = x.numpy()
    mean = x.mean((0, 2, 3)) if training else norm._mean.numpy()
    variance = x.var((0, 2, 3)) if training else norm._variance.numpy()
    mean, variance, scale, shift = (
        v.reshape(1, -1, 1, 1) for v in (mean, variance, norm.weight.numpy(), norm.bias.numpy())
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * scale + shift


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize(
    ("block", "options", "activation"),
    [
        (Conv_BN, {}, lambda y: y),
        (Conv_BN_ACT, {}, lambda y: np.maximum(y, 0)),
        (
            Conv_BN_ACT,
            {"activation_layer": nn.Hardswish},
            lambda y: y * np.clip(y + 3, 0, 6) / 6,
        ),
    ],
    ids=["Conv_BN", "Conv_BN_ACT", "Hardswish"],
)
def test_written_out(block, options, activation, case, training):
    paddle.seed(1)
    layer = block(8, 12, 3, padding=1, **case, **options)
    scramble(layer)
    layer.train() if training else layer.eval()
    x = draw_pair(8, case["alpha_in"])
    convolved = layer.conv(x)
    expected = [
        None if band is None else activation(batch_norm(band, norm, training))
        for band, norm in zip(convolved, (layer.bn_h, layer.bn_l))
    ]
    for actual, wanted in zip(layer(x), expected):
        assert (actual is None) == (wanted is None)
        if wanted is not None:
            np.testing.assert_allclose(actual.numpy(), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("low", range(38))
def test_norms_have_the_channels_of_the_bands(low):
    # int(37 * (1 - k / 37)) is off by one for some k.
    layer = Conv_BN(4, 37, 1, 0.5, low / 37)
    sizes = [0 if n is None else n.weight.shape[0] for n in (layer.bn_h, layer.bn_l)]
    assert sizes == [37 - low, low]
    high, low_band = layer(draw_pair(4, 0.5))
    assert [0 if b is None else b.shape[1] for b in (high, low_band)] == sizes


def test_group_norm_per_band():
    layer = Conv_BN_ACT(8, 12, 1, 0.5, 0.5, norm_layer=partial(nn.GroupNorm, 2))
    x = draw_pair(8, 0.5)
    for actual, band in zip(layer(x), layer.conv(x)):
        groups = band.numpy().reshape(2, 2, -1)
        normed = (groups - groups.mean(-1, keepdims=True)) / np.sqrt(
            groups.var(-1, keepdims=True) + 1e-5
        )
        expected = np.maximum(normed, 0).reshape(band.shape)
        np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-4, atol=1e-4)


def test_instance_norm_per_band():
    layer = Conv_BN(8, 12, 1, 0.5, 0.5, norm_layer=nn.InstanceNorm2D)
    x = draw_pair(8, 0.5)
    for actual, band in zip(layer(x), layer.conv(x)):
        np.testing.assert_allclose(actual.numpy(), F.instance_norm(band).numpy(), atol=1e-5)


NORM = ("weight", "bias", "_mean", "_variance")


@pytest.mark.parametrize("block", [Conv_BN, Conv_BN_ACT])
@pytest.mark.parametrize(
    ("alphas", "paths", "norms"),
    [
        ((0.5, 0.5), ("h2h", "h2l", "l2h", "l2l"), "hl"),
        ((0, 0.5), ("h2h", "h2l"), "hl"),
        ((0.5, 0), ("h2h", "l2h"), "h"),
        ((0, 0), ("h2h",), "h"),
        ((1, 1), ("l2l",), "l"),
    ],
    ids=str,
)
def test_state_dict_keys(block, alphas, paths, norms):
    assert set(block(8, 8, 3, *alphas, padding=1).state_dict()) == {
        *(f"conv.conv_{path}.weight" for path in paths),
        *(f"bn_{band}.{name}" for band in norms for name in NORM),
    }


def test_state_dict_keys_with_a_bias():
    keys = set(Conv_BN(8, 8, 1, 0.5, 0.5, bias_attr=True).state_dict())
    assert sum("conv_" in k and k.endswith(".bias") for k in keys) == 2  # one per band


def test_the_bands_share_the_activation():
    layer = Conv_BN_ACT(8, 8, 1, activation_layer=nn.PReLU)
    assert sum("_weight" in name for name, _ in layer.named_parameters()) == 1


def test_options_reach_the_convolution():
    layer = Conv_BN_ACT(8, 8, 3, padding=1, h2l=False, l2h=False, padding_mode="reflect")
    assert layer.conv.conv_h2l is None
    assert layer.conv.conv_l2h is None
    assert layer.conv.conv_h2h._padding_mode == "reflect"
    with pytest.raises(TypeError, match="kernel"):
        Conv_BN_ACT(8, 8, 3, padding=1, kernel=3)


def test_order_of_the_arguments():
    order = [
        "in_channels", "out_channels", "kernel_size", "alpha_in", "alpha_out", "stride", "padding",
        "dilation", "groups", "bias_attr", "norm_layer",
    ]  # fmt: skip
    assert list(inspect.signature(Conv_BN).parameters)[:11] == order
    assert list(inspect.signature(Conv_BN_ACT).parameters)[:12] == [*order, "activation_layer"]
    layer = Conv_BN_ACT(
        8, 16, 3, 0.5, 0.25, 2, 2, 2, 2, True, partial(nn.GroupNorm, 2), nn.Hardswish
    )
    high, low = layer(draw_pair(8, 0.5))
    assert (high.shape, low.shape) == ([2, 12, 4, 4], [2, 4, 2, 2])
