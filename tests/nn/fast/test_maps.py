"""Halving, doubling, sums and activations of the fast room against the plain operations."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_oct.nn import Conv_BN_ACT, OctaveResidual, PerBand, down2, up2
from paddle_oct.nn.fast import add, add_up2
from paddle_oct.nn.fast.resampling import spread_over_means

SIZES = [(2, 2), (4, 2), (2, 4), (4, 4), (6, 10), (5, 4), (1, 1), (7, 8), (9, 3)]


def assert_nothing_is_overwritten(seen):
    assert seen
    for y, then in seen:
        np.testing.assert_array_equal(y.numpy(), then)


def test_what_a_hook_was_shown_is_not_overwritten():
    layer = Conv_BN_ACT(128, 128, 1)
    x = (paddle.randn([4, 64, 2, 2]), paddle.randn([4, 64, 1, 1]))
    layer.eval()
    expected = layer(x)
    seen = []
    parts = dict(layer.named_sublayers())
    for name in ("conv.conv_h2h", "conv.conv_l2l", "bn_h", "bn_l"):
        parts[name].register_forward_post_hook(lambda part, _, y: seen.append((y, y.numpy())))
    for gradients in (True, False):
        with paddle.set_grad_enabled(gradients):
            actual = layer(x)
        for a, e in zip(actual, expected):
            np.testing.assert_allclose(a.numpy(), e.numpy(), atol=1e-5)
    assert len(seen) == 8
    assert_nothing_is_overwritten(seen)


class Block(OctaveResidual):
    def __init__(self):
        super().__init__(nn.ReLU())
        self.conv = Conv_BN_ACT(8, 8, 1)

    def residual(self, x):
        return self.conv(x)


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("hooked", [None, "conv", "conv.act"])
def test_a_residual_block(hooked, gradients):
    block, seen = Block(), []
    x = paddle.randn([2, 4, 6, 6]), paddle.randn([2, 4, 3, 3])
    copies = [band.numpy() for band in x]
    block.eval()
    if hooked:

        def hook(part, _, y):
            seen.extend((t, t.numpy()) for t in (y if isinstance(y, tuple) else [y]))

        dict(block.named_sublayers())[hooked].register_forward_post_hook(hook)
    with paddle.set_grad_enabled(gradients):
        expected = [F.relu(y + s) for y, s in zip(block.conv(x), x)]
        actual = block(x)
    for a, e in zip(actual, expected):
        np.testing.assert_allclose(a.numpy(), e.numpy(), atol=1e-6)
    for band, copy in zip(x, copies):
        np.testing.assert_array_equal(band.numpy(), copy)
    if hooked:
        assert_nothing_is_overwritten(seen)


def test_what_others_may_read_is_not_overwritten():
    x = paddle.randn([2, 4, 6, 6]), paddle.randn([2, 4, 3, 3])
    copies = [band.numpy() for band in x]
    PerBand(nn.ReLU())(x)
    add(x[0], x[0], made_by=nn.Sigmoid())  # with gradients, it may need what it returned
    for band, copy in zip(x, copies):
        np.testing.assert_array_equal(band.numpy(), copy)


@pytest.mark.parametrize("size", SIZES)
def test_halving(size):
    x = paddle.randn([2, 3, *size])
    x.stop_gradient = False
    plain = F.avg_pool2d(x, 2, 2, ceil_mode=True, exclusive=True)
    fast = down2(x)
    seed = paddle.randn(plain.shape)
    np.testing.assert_allclose(fast.numpy(), plain.numpy(), atol=1e-6)
    with paddle.no_grad():
        np.testing.assert_allclose(down2(x).numpy(), plain.numpy(), atol=1e-6)
    (expected,) = paddle.grad(plain, [x], [seed])
    (actual,) = paddle.grad(fast, [x], [seed])
    np.testing.assert_allclose(actual.numpy(), expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [*SIZES, (2, 520)])
def test_the_gradient_of_means(size, dtype):
    x = paddle.randn([2, 3, *size]).astype(dtype)
    x.stop_gradient = False
    plain = F.avg_pool2d(x, 2, 2, ceil_mode=True, exclusive=True)
    seed = paddle.randn(plain.shape).astype(dtype)
    (expected,) = paddle.grad(plain, [x], [seed])
    np.testing.assert_allclose(
        spread_over_means(seed, list(size)).numpy(), expected.numpy(), atol=1e-6
    )


@pytest.mark.parametrize("size", [(4, 4), (6, 10)])
def test_halving_has_second_derivatives(size):
    x = paddle.randn([1, 2, *size])
    x.stop_gradient = False
    (first,) = paddle.grad((down2(x) ** 3).sum(), [x], create_graph=True)
    first.sum().backward()
    # d/dx of sum of 3 m^2 / 4 over the pixels of every mean m
    means = F.avg_pool2d(x.detach(), 2, 2)
    expected = 1.5 * F.interpolate(means, size=list(size), mode="nearest")
    np.testing.assert_allclose(x.grad.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)


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
        actual = add_up2(fresh, x, conv, like=y)
        np.testing.assert_array_equal(actual.numpy(), expected.numpy())
        np.testing.assert_array_equal(fresh.numpy(), expected.numpy())  # in its place
        strided = paddle.concat([y, y], axis=1)[:, ::2]  # not one block of memory
        np.testing.assert_array_equal(
            add_up2(strided, x, conv, like=y).numpy(),
            doubled_sum(paddle.concat([y, y], axis=1)[:, ::2], x).numpy(),
        )

    actual = add_up2(y * 1, x, conv, like=y)
    np.testing.assert_array_equal(actual.numpy(), expected.numpy())
    for got, want in zip(
        paddle.grad(actual, [y, x], [seed]), paddle.grad(expected, [y, x], [seed])
    ):
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=0, atol=1e-6)


def test_a_sum_with_a_doubled_map_has_a_second_gradient():
    y, x = paddle.randn([1, 2, 6, 8]), paddle.randn([1, 2, 3, 4])
    x.stop_gradient = False
    total = add_up2(y * 1, x, nn.Conv2D(2, 2, 1), like=y)
    (gradient,) = paddle.grad((total**3).sum(), [x], create_graph=True)
    gradient.sum().backward()
    four = total.numpy().reshape([1, 2, 3, 2, 4, 2]).sum((3, 5))
    np.testing.assert_allclose(x.grad.numpy(), 6 * four, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(6, 8), (5, 7)])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_value_that_is_not_finite_stays_where_it_is(size, value):
    """In the outputs and in the gradients; a product with zeros would spread it over its row."""
    half = [(s + 1) // 2 for s in size]
    y, x = np.ones([1, 2, *size], "float32"), np.ones([1, 2, *half], "float32")
    x[0, 1, 1, 2] = value
    expected = y + x.repeat(2, 2).repeat(2, 3)[:, :, : size[0], : size[1]]
    for gradients in (False, True):
        y_, x_ = paddle.to_tensor(y), paddle.to_tensor(x, stop_gradient=not gradients)
        with paddle.set_grad_enabled(gradients):
            actual = add_up2(y_, x_, nn.Conv2D(2, 2, 1), like=y_)
        np.testing.assert_array_equal(actual.numpy(), expected)
    for operation, plain, shape in (
        (lambda x: up2(x, like=paddle.ones([1, 2, *size])), doubled_sum, half),
        (down2, None, size),
    ):
        x_ = paddle.to_tensor(np.ones([1, 2, *shape], "float32"), stop_gradient=False)
        out = operation(x_)
        if plain is None:
            reference = F.avg_pool2d(x_, 2, 2, ceil_mode=True, exclusive=True)
        else:
            reference = plain(paddle.zeros([1, 2, *size]), x_)
        seed = np.ones(out.shape, "float32")
        seed[0, 1, 1, 1] = value
        seed = paddle.to_tensor(seed)
        (actual,) = paddle.grad(out, [x_], [seed])
        (wanted,) = paddle.grad(reference, [x_], [seed])
        np.testing.assert_array_equal(actual.numpy(), wanted.numpy())


def test_a_watched_convolution_keeps_what_it_returned():
    conv, seen = nn.Conv2D(3, 3, 1), []
    conv.register_forward_post_hook(lambda layer, _, y: seen.append((y, y.numpy())))
    x = paddle.randn([2, 3, 4, 4])
    with paddle.no_grad():
        y = conv(paddle.randn([2, 3, 8, 8]))
        expected = doubled_sum(y, x)
        np.testing.assert_array_equal(add_up2(y, x, conv, like=y).numpy(), expected.numpy())
    assert_nothing_is_overwritten(seen)
