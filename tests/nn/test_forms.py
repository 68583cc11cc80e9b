"""The eager forms of sums, activations and means against the plain ones."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_oct.nn import Conv_BN_ACT, PerBand, down2, forms


def test_a_watched_layer_runs_as_it_is():
    layer = Conv_BN_ACT(128, 128, 1)
    x = (paddle.randn([4, 64, 2, 2]), paddle.randn([4, 64, 1, 1]))
    layer.eval()
    expected = layer(x)
    seen = []

    def watch(part, _, y):
        seen.append((y, y.numpy()))

    parts = dict(layer.named_sublayers())
    for name in ("conv.conv_h2h", "conv.conv_l2l", "bn_h", "bn_l"):
        parts[name].register_forward_post_hook(watch)
    actual = layer(x)
    for a, e in zip(actual, expected):
        np.testing.assert_allclose(a.numpy(), e.numpy(), atol=1e-5)
    assert len(seen) == 4
    for y, then in seen:
        assert y.shape[0] == 4
        np.testing.assert_array_equal(y.numpy(), then)  # not overwritten since


def test_what_others_may_read_is_not_overwritten():
    x = paddle.randn([2, 4, 6, 6]), paddle.randn([2, 4, 3, 3])
    copies = [band.numpy() for band in x]
    PerBand(nn.ReLU())(x)
    forms.plus(x[0], x[0], nn.BatchNorm2D(4))  # with gradients, its source may need it
    for band, copy in zip(x, copies):
        np.testing.assert_array_equal(band.numpy(), copy)


@pytest.mark.parametrize("size", [(2, 2), (4, 2), (2, 4), (4, 4), (6, 10), (5, 4), (1, 1), (7, 8)])
def test_halving_with_and_without_gradients(size):
    x = paddle.randn([2, 3, *size])
    expected = F.avg_pool2d(x, 2, 2, ceil_mode=True, exclusive=True).numpy()
    np.testing.assert_allclose(down2(x).numpy(), expected, atol=1e-6)
    x.stop_gradient = False
    np.testing.assert_allclose(down2(x).numpy(), expected, atol=1e-6)
