"""With one band only, OctaveConv is paddle.nn.Conv2D."""

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_oct import OctaveConv

# Settings that pooling never replaces: a stride other than 1 and 2, or one that does not keep size.
UNUSUAL = [
    {"kernel_size": 3, "stride": 3},
    {"kernel_size": 3, "stride": 3, "padding": 1, "bias_attr": None},
    {"kernel_size": 2, "stride": 2},
    {"kernel_size": 4, "padding": [1, 2]},
    {"kernel_size": 3, "padding": [1, 2, 0, 1], "stride": 2},
    {"kernel_size": 3, "padding": [[0, 0], [0, 0], [1, 2], [0, 1]]},
    {"kernel_size": (1, 4), "stride": (2, 1), "padding": (0, 2)},
    {"kernel_size": 3, "padding": "VALID", "stride": 2},
    {"kernel_size": 4, "padding": "SAME"},
    {"kernel_size": 3, "dilation": 2, "bias_attr": True},
    {"kernel_size": 3, "dilation": (1, 3), "padding": 2},
    {"kernel_size": 3, "groups": 2, "stride": (1, 3)},
    {"kernel_size": 4, "groups": 4, "padding": 1},
    {"kernel_size": 3, "padding": 2, "padding_mode": "reflect"},
    {"kernel_size": 3, "padding": 2, "padding_mode": "circular", "stride": 4},
]
# At alpha 0 and without being asked, nothing is pooled.
USUAL = [
    {"kernel_size": 1},
    {"kernel_size": 1, "stride": 2},
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 3, "padding": 1, "stride": 2, "bias_attr": None},
    {"kernel_size": 5, "padding": 2, "stride": 2},
    {"kernel_size": 3, "padding": "SAME", "stride": 2},
    {"kernel_size": 3, "padding": "same"},
    {"kernel_size": 3, "padding": 1, "stride": 2, "groups": 4},
    {"kernel_size": 3, "padding": 1, "padding_mode": "reflect", "stride": 2},
    {"kernel_size": 3, "padding": 1, "padding_mode": "replicate"},
]


def conv2d(setting, **more):
    # OctaveConv has no bias unless asked, as in the networks; Conv2D has.
    return nn.Conv2D(4, 8, **{"bias_attr": False, **setting, **more})


def assert_same(octave, path, vanilla, x):
    """Compare output and gradients, bit for bit, and that no other parameter exists."""
    assert [n for n, _ in octave.named_parameters()] == [
        f"conv_{path}.{n}" for n, _ in vanilla.named_parameters()
    ]
    getattr(octave, f"conv_{path}").set_state_dict(vanilla.state_dict())
    high, low = octave((x, None) if path == "h2h" else (None, x))
    y, absent = (high, low) if path == "h2h" else (low, high)
    assert absent is None
    expected = vanilla(x)
    np.testing.assert_array_equal(y.numpy(), expected.numpy())
    np.testing.assert_array_equal(
        paddle.grad(y.sum(), [getattr(octave, f"conv_{path}").weight])[0].numpy(),
        paddle.grad(expected.sum(), [vanilla.weight])[0].numpy(),
    )
    # A bare Tensor will do where one band exists.
    np.testing.assert_array_equal((octave(x)[0] if path == "h2h" else octave(x)[1]).numpy(), y)


@pytest.mark.parametrize("size", [(12, 12), (13, 9)])
@pytest.mark.parametrize("setting", UNUSUAL + USUAL, ids=str)
def test_alpha_0_is_conv2d(setting, size):
    vanilla = conv2d(setting)
    x = paddle.randn([2, 4, *size])
    assert_same(OctaveConv(4, 8, alpha_in=0, alpha_out=0, **setting), "h2h", vanilla, x)
    strided = {"alpha_in": 0, "alpha_out": 0, "downsample": "strided_conv"}
    assert_same(OctaveConv(4, 8, **strided, **setting), "h2h", vanilla, x)


@pytest.mark.parametrize("size", [(12, 12), (13, 9)])
@pytest.mark.parametrize("setting", UNUSUAL, ids=str)
def test_alpha_1_is_conv2d_on_the_low_band(setting, size):
    layer = OctaveConv(4, 8, alpha_in=1, alpha_out=1, **setting)
    assert_same(layer, "l2l", conv2d(setting), paddle.randn([2, 4, *size]))


@pytest.mark.parametrize("setting", UNUSUAL + USUAL, ids=str)
def test_alpha_1_with_strided_conv_never_pools(setting):
    layer = OctaveConv(4, 8, alpha_in=1, alpha_out=1, downsample="strided_conv", **setting)
    assert_same(layer, "l2l", conv2d(setting), paddle.randn([2, 4, 12, 9]))


# A depthwise convolution (4 groups here) has one alpha, not two.
@pytest.mark.parametrize("setting", [s for s in UNUSUAL + USUAL if s.get("groups") != 4], ids=str)
def test_an_alpha_that_gives_no_low_channel_is_alpha_0(setting):
    layer = OctaveConv(4, 8, alpha_in=0.2, alpha_out=0.1, **setting)
    assert_same(layer, "h2h", conv2d(setting), paddle.randn([2, 4, 12, 9]))


@pytest.mark.parametrize("setting", UNUSUAL + USUAL, ids=str)
@pytest.mark.parametrize("initializer", [None, nn.initializer.KaimingUniform()], ids=["", "given"])
def test_alpha_0_draws_the_weights_of_conv2d(setting, initializer):
    paddle.seed(7)
    vanilla = conv2d(setting, weight_attr=initializer)
    paddle.seed(7)
    octave = OctaveConv(4, 8, alpha_in=0, alpha_out=0, weight_attr=initializer, **setting)
    np.testing.assert_array_equal(octave.conv_h2h.weight.numpy(), vanilla.weight.numpy())
    assert vanilla.weight.numpy().std() > 0
