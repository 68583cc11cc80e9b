"""The eager forms against the plain ones."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_oct.nn import Conv_BN_ACT, PerBand, down2, forms


@pytest.mark.parametrize("halve", [False, True])
@pytest.mark.parametrize(("kernel", "size"), [(1, (4, 4)), (3, (2, 2)), (3, (1, 3)), (1, (5, 3))])
def test_one_image_is_the_same_convolution(kernel, size, halve):
    conv = nn.Conv2D(64, 96, kernel, padding=kernel // 2)
    x = paddle.randn([3, 64, *(2 * s - 1 if halve else s for s in size)])
    x.stop_gradient = False
    as_one_image = forms._is_kernel_bound(conv, paddle.zeros([3, 64, *size]))
    assert as_one_image == (kernel == 1)  # with gradients a 3x3 is not
    with paddle.no_grad():
        assert forms._is_kernel_bound(conv, paddle.zeros([3, 64, *size]))
        without_gradient = forms.convolve(conv, x, halve).numpy()
    results = []
    for run in (
        lambda: forms.convolve(conv, x, halve),
        lambda: F.conv2d(
            F.avg_pool2d(x, 2, 2, ceil_mode=True) if halve else x,
            conv.weight,
            conv.bias,
            padding=kernel // 2,
        ),
    ):
        conv.clear_gradients()
        x.clear_gradient()
        y = run()
        (y**3).sum().backward()
        results.append([t.numpy() for t in (y, x.grad, conv.weight.grad, conv.bias.grad)])
    np.testing.assert_allclose(without_gradient, results[1][0], atol=1e-5)
    for actual, expected in zip(*results):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(actual, expected, atol=1e-5 * scale, rtol=1e-4)


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


@pytest.mark.parametrize("halve", [False, True])
def test_gradients_of_gradients(halve):
    conv = nn.Conv2D(64, 96, 1)
    size = (7, 7) if halve else (4, 4)
    x = paddle.randn([3, 64, *size])
    x.stop_gradient = False
    seconds = []
    for run in (
        lambda: forms.convolve(conv, x, halve),
        lambda: conv(F.avg_pool2d(x, 2, 2, ceil_mode=True) if halve else x),
    ):
        conv.clear_gradients()
        (first,) = paddle.grad((run() ** 3).sum(), [x], create_graph=True)
        (first**2).sum().backward()
        seconds.append(conv.weight.grad.numpy())
    np.testing.assert_allclose(seconds[0], seconds[1], rtol=1e-3, atol=1e-4 * seconds[1].max())
