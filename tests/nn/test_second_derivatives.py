"""Second derivatives in float32 against differences of first ones in double precision."""

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_oct.nn import (
    Conv_BN,
    Conv_BN_ACT,
    OctaveAvgPool2D,
    OctaveConv,
    OctaveGlobalAvgPool2D,
    OctaveMerge,
    OctaveNorm,
    OctaveSE,
    PerBand,
    fast_kernels,
)

CONV = {"kernel_size": 3, "padding": 1}
LAYERS = {
    "conv": lambda how: OctaveConv(8, 8, **CONV, downsample=how),
    "conv stride 2": lambda how: OctaveConv(8, 8, **CONV, stride=2, downsample=how),
    "conv 1x1": lambda how: OctaveConv(8, 8, 1, downsample=how),
    "conv depthwise": lambda how: OctaveConv(8, 8, **CONV, groups=8, downsample=how),
    "conv depthwise stride 2": lambda how: OctaveConv(
        8, 8, **CONV, stride=2, groups=8, downsample=how
    ),
    "conv of many channels": lambda how: OctaveConv(8, 256, 1, downsample=how),
    "Conv_BN": lambda how: Conv_BN(8, 8, **CONV, downsample=how),
    "Conv_BN_ACT": lambda how: Conv_BN_ACT(
        8, 8, **CONV, stride=2, activation_layer=nn.Tanh, downsample=how
    ),
}
OTHERS = {
    "norm": lambda: OctaveNorm(8),
    "SE": lambda: OctaveSE(8, reduction=2),
    "average pooling": lambda: OctaveAvgPool2D(2),
    "per band": lambda: PerBand(nn.Sigmoid()),
    "merge": OctaveMerge,
    "mean": OctaveGlobalAvgPool2D,
}
SIZES = [(4, 4), (8, 6), (7, 5)]


def first_gradients(layer, bands, create_graph=False):
    """Return the gradients of the sum of cubes of all outputs for both bands."""
    y = layer(tuple(bands))
    y = [band for band in (y if isinstance(y, tuple) else (y,)) if band is not None]
    return paddle.grad(sum((band**3).sum() for band in y), bands, create_graph=create_graph)


def curvature(layer, bands, directions):
    """Return the second derivatives along a direction."""
    along = sum((g * v).sum() for g, v in zip(first_gradients(layer, bands, True), directions))
    return [gradient.numpy() for gradient in paddle.grad(along, bands)]


def differences(layer, bands, directions):
    """Return the same by central differences of the plain operations, in double precision."""
    step = 1e-5
    ends = []
    with fast_kernels(False):
        for sign in (step, -step):
            moved = [(x + sign * v).detach() for x, v in zip(bands, directions)]
            for x in moved:
                x.stop_gradient = False
            ends.append([g.numpy() for g in first_gradients(layer, moved)])
    return [(plus - minus) / (2 * step) for plus, minus in zip(*ends)]


def check(build, size):
    paddle.seed(2)
    layer, wide = build(), build()
    wide.set_state_dict(layer.state_dict())
    wide.to(dtype="float64")
    half = [(s + 1) // 2 for s in size]
    bands = [paddle.randn([2, 4, *size]), paddle.randn([2, 4, *half])]
    directions = [paddle.randn(x.shape) for x in bands]
    for x in bands:
        x.stop_gradient = False
    actual = curvature(layer, bands, directions)
    expected = differences(
        wide, [x.astype("float64") for x in bands], [v.astype("float64") for v in directions]
    )
    for a, e in zip(actual, expected):
        assert np.abs(e).max() > 1e-4
        np.testing.assert_allclose(a, e, atol=1e-4 * np.abs(e).max())


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("downsample", ["avg_pool", "strided_conv"])
@pytest.mark.parametrize("name", LAYERS)
def test_convolutions(name, downsample, size):
    if name == "conv depthwise stride 2" and downsample == "strided_conv":
        pytest.skip("Paddle's depthwise convolution of stride 2 has no second derivative on a CPU")
    check(lambda: LAYERS[name](downsample), size)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", OTHERS)
def test_other_layers(name, size):
    check(OTHERS[name], size)
