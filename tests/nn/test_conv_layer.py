"""Octave convolutions whose paths are lightweight convolutions."""

from functools import partial

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_oct import Conv_BN_ACT, DSCConv, DualConv, HetConv, OctaveConv, create_model
from paddle_oct.cost import count_macs

LAYERS = {
    "het": partial(HetConv, p=4),
    "dual": partial(DualConv, groups=4),
    "separable": DSCConv,
}


def pool2(x):
    return F.avg_pool2d(x, 2, 2, ceil_mode=True)


def up2(x, like):
    rows, columns = (np.arange(n) // 2 for n in like.shape[2:])
    return paddle.to_tensor(x.numpy()[:, :, rows][:, :, :, columns])


@pytest.mark.parametrize("conv_layer", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("stride", [1, 2])
def test_the_octave_equation_holds_with_any_convolution(conv_layer, stride):
    layer = OctaveConv(16, 16, 3, stride=stride, padding=1, bias_attr=None, conv_layer=conv_layer)
    high, low = paddle.randn([2, 8, 9, 10]), paddle.randn([2, 8, 5, 5])
    y_high, y_low = layer((high, low))
    if stride == 1:
        from_low = layer.conv_l2h(low)
        expected_high = layer.conv_h2h(high) + up2(from_low, high)
        expected_low = layer.conv_l2l(low) + layer.conv_h2l(pool2(high))
    else:
        high = pool2(high)
        expected_high = layer.conv_h2h(high) + layer.conv_l2h(low)
        expected_low = layer.conv_l2l(pool2(low)) + layer.conv_h2l(pool2(high))
    np.testing.assert_allclose(y_high.numpy(), expected_high.numpy(), atol=1e-5)
    np.testing.assert_allclose(y_low.numpy(), expected_low.numpy(), atol=1e-5)
    kind = getattr(conv_layer, "func", conv_layer)
    assert all(type(conv) is kind for conv in layer.children())
    biases = [p for name, p in layer.named_parameters() if name.endswith("bias")]
    assert sum(int(p.size) for p in biases) == 16  # one per output channel


@pytest.mark.parametrize("conv_layer", [*LAYERS.values(), nn.Conv2D], ids=[*LAYERS, "nn.Conv2D"])
@pytest.mark.parametrize("alphas", [(0.5, 0.5), (0.25, 0.5), (0, 0.5), (0, 0)], ids=str)
def test_two_paths_have_the_variance_of_a_whole(conv_layer, alphas):
    paddle.seed(0)
    vanilla = nn.Conv2D(256, 128, 3)
    expected = float(vanilla(paddle.randn([4, 256, 8, 8])).var())
    layer = OctaveConv(256, 128, 3, *alphas, padding=1, downsample=None, conv_layer=conv_layer)
    high, low = layer.in_bands
    # Constant over pairs of cells, so that pooling takes nothing away.
    constant = paddle.randn([16, 256, 1, 1]).sign()
    pair = layer(
        (
            constant[:, :high].expand([-1, -1, 6, 6]) if high else None,
            constant[:, high:].expand([-1, -1, 3, 3]) if low else None,
        )
    )
    vanilla_of_constant = vanilla(constant.expand([-1, -1, 3, 3]))
    assert float(vanilla_of_constant.var()) == pytest.approx(expected, rel=0.3)
    for band, at in zip(pair, (2, 1)):
        if band is not None:
            assert float(band[:, :, at, at].var()) == pytest.approx(expected, rel=0.3)


def test_a_block_of_one_map():
    block = Conv_BN_ACT(8, 12, 3, 0, 0, stride=2, padding=1, conv_layer=LAYERS["het"])
    y, low = block(paddle.randn([4, 8, 9, 9]))
    assert low is None
    assert y.shape == [4, 12, 5, 5]
    assert float(y.min()) == 0
    assert type(block.conv.conv_h2h) is HetConv


def test_errors():
    with pytest.raises(ValueError, match=r"groups belong to the conv_layer"):
        OctaveConv(8, 8, 3, padding=1, groups=2, conv_layer=LAYERS["het"])
    with pytest.raises(ValueError, match=r"HetConv\(6, .*p must divide in_channels=6"):
        OctaveConv(8, 8, 3, 0.25, 0.25, padding=1, conv_layer=LAYERS["het"])
    with pytest.raises(ValueError, match="unknown conv of OctMobileNetV1 'hat'; did you mean het"):
        create_model("oct_mobilenet_v1", conv="hat")


@pytest.mark.parametrize("conv", ["het", "dual"])
@pytest.mark.parametrize("alpha", [0, 0.5])
def test_mobilenet(conv, alpha):
    """Thirteen 3x3 convolutions in place of the depthwise and pointwise ones."""
    paddle.seed(0)
    net = create_model("oct_mobilenet_v1", conv=conv, alpha=alpha, scale=0.25, num_classes=10)
    widths = [8, 16, 32, 32, 64, 64, *[128] * 6, 256, 256]
    pairs = list(zip(widths, widths[1:]))
    weights = {
        "het": lambda m, n: n * (m // 4 * 9 + m - m // 4),
        "dual": lambda m, n: 9 * m * n // 4 + m * n,
    }[conv]
    norms = 4 * sum(widths)
    expected = 27 * 8 + sum(weights(m, n) for m, n in pairs) + norms + 2570
    assert paddle.summary(net, (1, 3, 32, 32))["total_params"] == expected
    sizes = [32, 16, 16, 8, 8, *[4] * 6, 2, 2]
    if alpha == 0:
        macs = sum(weights(m, n) * size**2 for (m, n), size in zip(pairs, sizes))
        assert count_macs(net, (1, 3, 64, 64)) == 32**2 * 27 * 8 + macs + 2560
    net.train()
    F.cross_entropy(net(paddle.randn([2, 3, 33, 47])), paddle.to_tensor([1, 2])).backward()
    for name, parameter in net.named_parameters():
        if parameter.trainable:
            assert np.isfinite(parameter.grad.numpy()).all(), name
            assert (parameter.grad.numpy() != 0).any(), name
