"""The eager forms of sums, activations and means against the plain ones."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_oct.nn import Conv_BN_ACT, PerBand, down2
from paddle_oct.nn.fast import forms
from paddle_oct.nn.fast.saved import WatchSaved


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


def doubled_sum(y, x):
    return y + F.interpolate(x, size=y.shape[2:], mode="nearest")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [(6, 10), (5, 10), (6, 9), (1, 1), (2, 2), (4, 130), (4, 258)])
def test_a_sum_with_a_doubled_map(size, dtype):
    rng = np.random.default_rng(0)
    y = paddle.to_tensor(rng.standard_normal([2, 3, *size]), dtype=dtype, stop_gradient=False)
    x = [2, 3, *((s + 1) // 2 for s in size)]
    x = paddle.to_tensor(rng.standard_normal(x), dtype=dtype, stop_gradient=False)
    expected = doubled_sum(y, x)
    seed = paddle.to_tensor(rng.standard_normal(y.shape), dtype=dtype)
    conv = nn.Conv2D(3, 3, 1)

    with paddle.no_grad():
        fresh = y + 0
        actual = forms.plus_up2(fresh, x, conv)
        np.testing.assert_array_equal(actual.numpy(), expected.numpy())
        np.testing.assert_array_equal(fresh.numpy(), expected.numpy())  # in its place
        strided = paddle.concat([y, y], axis=1)[:, ::2]  # not one block of memory
        np.testing.assert_array_equal(
            forms.plus_up2(strided, x, conv).numpy(),
            doubled_sum(paddle.concat([y, y], axis=1)[:, ::2], x).numpy(),
        )

    actual = forms.plus_up2(y * 1, x, conv)
    np.testing.assert_array_equal(actual.numpy(), expected.numpy())
    for got, want in zip(
        paddle.grad(actual, [y, x], [seed]), paddle.grad(expected, [y, x], [seed])
    ):
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=0, atol=1e-6)


def test_a_sum_with_a_doubled_map_has_a_second_gradient():
    y, x = paddle.randn([1, 2, 6, 8]), paddle.randn([1, 2, 3, 4])
    x.stop_gradient = False
    total = forms.plus_up2(y * 1, x, nn.Conv2D(2, 2, 1))
    (gradient,) = paddle.grad((total**3).sum(), [x], create_graph=True)
    gradient.sum().backward()
    four = total.numpy().reshape([1, 2, 3, 2, 4, 2]).sum((3, 5))
    np.testing.assert_allclose(x.grad.numpy(), 6 * four, rtol=1e-5, atol=1e-5)


def test_a_doubled_map_is_not_kept_for_the_gradient():
    y, x = paddle.randn([2, 3, 6, 8]), paddle.randn([2, 3, 3, 4])
    x.stop_gradient, kept = False, []
    with WatchSaved(lambda tensor: kept.append(tensor) or tensor):
        total = forms.plus_up2(y * 1, x, nn.Conv2D(3, 3, 1))
    assert kept
    assert max(int(tensor.size) for tensor in kept) < x.size
    total.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.full(x.shape, 4, np.float32))


def test_a_watched_convolution_keeps_what_it_returned():
    conv, seen = nn.Conv2D(3, 3, 1), []
    conv.register_forward_post_hook(lambda layer, _, y: seen.append((y, y.numpy())))
    x = paddle.randn([2, 3, 4, 4])
    with paddle.no_grad():
        y = conv(paddle.randn([2, 3, 8, 8]))
        expected = doubled_sum(y, x)
        np.testing.assert_array_equal(forms.plus_up2(y, x, conv).numpy(), expected.numpy())
    ((y, then),) = seen
    np.testing.assert_array_equal(y.numpy(), then)
