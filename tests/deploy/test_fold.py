"""Folding leaves the outputs as they are, also where it would be easy to get wrong."""

import numpy as np
import paddle
import pytest
from helpers import slow_but
from paddle import nn

from paddle_oct import Conv_BN, Conv_BN_ACT, OctaveConv, create_model
from paddle_oct.deploy import fold
from paddle_oct.deploy.norms import randomise_norms
from paddle_oct.nn import split

NORMS = (nn.BatchNorm2D, nn.BatchNorm)


def norms_in(network):
    return [layer for layer in network.sublayers() if isinstance(layer, NORMS)]


def assert_folds(network, size=(2, 3, 33, 48), left=0):
    randomise_norms(network, paddle.rand(size))
    folded = fold(network, size)
    x = paddle.rand(size)
    expected, result = network(x), folded(x)
    scale = float(expected.abs().max())
    np.testing.assert_allclose(result.numpy(), expected.numpy(), rtol=0, atol=1e-5 * scale)
    assert len(norms_in(folded)) == left
    return folded


class OfPair(nn.Layer):
    """Give a layer that takes a pair one."""

    def __init__(self, layer, alpha):
        super().__init__()
        self.layer = layer
        self.alpha = alpha

    def forward(self, x):
        return paddle.concat(
            [b.flatten(1) for b in self.layer(split(x, self.alpha)) if b is not None], 1
        )


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("out_channels", [6, 40])
@pytest.mark.parametrize(
    "alphas", [(0, 0), (0, 0.5), (0.5, 0.5), (0.25, 0.75), (0.5, 0), (1, 1), (0.5, 1), (1, 0)]
)
def test_a_layer_with_norms(alphas, out_channels, kernel, stride):
    layer = Conv_BN_ACT(
        12, out_channels, kernel, *alphas, stride=stride, padding=kernel // 2, bias_attr=None
    )
    assert_folds(OfPair(layer, alphas[0]), (2, 12, 17, 22))


@pytest.mark.parametrize(
    "options",
    [
        {"groups": 12},
        {"groups": 3},
        {"downsample": "strided_conv"},
        {"h2l": False},
        {"l2h": False},
        {"h2l": False, "l2h": False},
        {"dilation": 2, "padding": 2},
        {"padding_mode": "reflect"},
    ],
    ids=str,
)
@pytest.mark.parametrize("stride", [1, 2])
def test_options_of_a_layer(options, stride):
    layer = Conv_BN(12, 12, 3, stride=stride, **{"padding": 1, **options})
    assert_folds(OfPair(layer, 0.5), (2, 12, 18, 22))


def test_an_octave_convolution_without_norms():
    layer = OctaveConv(8, 12, 3, padding=1, bias_attr=None)
    folded = assert_folds(OfPair(layer, 0.5), (1, 8, 9, 10))
    assert not any(isinstance(layer, OctaveConv) for layer in folded.sublayers())


@pytest.mark.parametrize(
    "name",
    slow_but(["resnet18"], ["mobilenet_v2", "resnet18", "shufflenet_v2_x0_25", "googlenet"]),
)
def test_networks_of_paddle(name):
    network = create_model(name, num_classes=10)
    size = (1, 3, 224, 224) if name == "googlenet" else (1, 3, 64, 64)
    x = paddle.rand(size)
    randomise_norms(network, x)
    folded = fold(network, size)
    expected, result = network(x), folded(x)
    if isinstance(expected, (tuple, list)):
        expected, result = expected[0], result[0]
    scale = float(expected.abs().max())  # norms set at random amplify rounding
    np.testing.assert_allclose(result.numpy(), expected.numpy(), rtol=1e-4, atol=2e-4 * scale)
    assert norms_in(folded) == []


class Tricky(nn.Layer):
    """The norm of ``a`` is not alone in reading it; ``b`` runs twice; ``c`` is ordinary."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2D(3, 3, 3, padding=1) for _ in range(3))
        self.bn_a, self.bn_b, self.bn_c = (nn.BatchNorm2D(3) for _ in range(3))
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        y = self.a(x)
        y = self.bn_a(y) + y
        y = self.bn_b(self.b(y)) + self.b(x)
        return self.drop(self.bn_c(self.c(y)))


def test_what_can_not_be_folded_stays():
    folded = assert_folds(Tricky(), left=2)
    assert isinstance(folded.bn_c, nn.Identity)
    assert isinstance(folded.bn_a, nn.BatchNorm2D)
    assert isinstance(folded.drop, nn.Identity)


def test_dropout_that_scales_at_inference_stays():
    assert_folds(nn.Sequential(nn.Conv2D(3, 3, 1), nn.Dropout(0.5, mode="downscale_in_infer")))


def test_batch_statistics_stay():
    network = nn.Sequential(nn.Conv2D(3, 3, 1), nn.BatchNorm2D(3, use_global_stats=False))
    assert_folds(network, left=1)


@pytest.mark.parametrize(("act", "left"), [(None, 0), ("relu", 0), ("sigmoid", 1)])
def test_the_older_batch_norm_and_its_activation(act, left):
    assert_folds(nn.Sequential(nn.Conv2D(3, 3, 1), nn.BatchNorm(3, act=act)), left=left)


def test_batch_statistics_of_the_older_batch_norm_stay():
    norm = nn.BatchNorm(3, trainable_statistics=True)
    assert_folds(nn.Sequential(nn.Conv2D(3, 3, 1), norm), left=1)


def test_norms_of_one_band_alone():
    class HighOnly(nn.Layer):
        def __init__(self):
            super().__init__()
            self.conv = OctaveConv(6, 8, 3, padding=1)
            self.norm = nn.BatchNorm2D(4)

        def forward(self, x):
            high, low = self.conv(x)
            return self.norm(high), low

    assert_folds(OfPair(HighOnly(), 0.5), (2, 6, 8, 8))


def test_a_layer_that_two_norms_read():
    class TwoNorms(nn.Layer):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2D(3, 4, 1)
            self.a, self.b = nn.BatchNorm2D(4), nn.BatchNorm2D(4)

        def forward(self, x):
            y = self.conv(x)
            return self.a(y) + 2 * self.b(y)

    assert_folds(TwoNorms(), left=2)


def test_the_network_itself_is_left_as_it_was():
    network = create_model("oct_mobilenet_v1", scale=0.25, num_classes=4)
    network.train()
    before = {key: value.numpy().copy() for key, value in network.state_dict().items()}
    folded = fold(network, (1, 3, 32, 32))
    assert network.training
    assert not folded.training
    assert all(layer.training for layer in network.sublayers())
    for key, value in network.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key])


def test_wrong_input():
    with pytest.raises(TypeError, match=r"expected a paddle.nn.Layer, got int"):
        fold(3)
    with pytest.raises(ValueError, match=r"can't be run on an input of shape \[1, 4, 8, 8\]"):
        fold(nn.Conv2D(3, 3, 1), (1, 4, 8, 8))
