"""The eager forms of a convolution against the plain one."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_oct import OctaveConv
from paddle_oct.nn.fast import convolve as module
from paddle_oct.nn.fast.convolve import convolve
from paddle_oct.nn.fast.saved import WatchSaved


def with_random_bias(conv):
    """A fresh bias is zero, and a form that forgets it would not be seen."""
    if conv.bias is not None:
        conv.bias.set_value(paddle.randn(conv.bias.shape))
    return conv


def assert_same(conv, x, halve, without_gradient):
    """Compare results and gradients of the form with the convolution written out."""
    results = []
    for run in (
        lambda: convolve(conv, x, halve),
        lambda: F.conv2d(
            F.avg_pool2d(x, 2, 2, ceil_mode=True) if halve else x,
            conv.weight,
            conv.bias,
            padding=conv._padding,
            groups=conv._groups,
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


@pytest.mark.parametrize("halve", [False, True])
@pytest.mark.parametrize(("kernel", "size"), [(1, (4, 4)), (3, (2, 2)), (3, (1, 3)), (1, (5, 3))])
def test_a_batch_as_one_image(kernel, size, halve):
    conv = with_random_bias(nn.Conv2D(64, 96, kernel, padding=kernel // 2))
    x = paddle.randn([3, 64, *(2 * s - 1 if halve else s for s in size)])
    x.stop_gradient = False
    small = paddle.zeros([3, 64, *size])
    # with gradients a 3x3 is not
    assert module._form_of(conv, small) is (module._as_one_image if kernel == 1 else None)
    with paddle.no_grad():
        assert module._form_of(conv, small) is module._as_one_image
        without_gradient = convolve(conv, x, halve).numpy()
    assert_same(conv, x, halve, without_gradient)


@pytest.mark.parametrize("halve", [False, True])
@pytest.mark.parametrize("size", [(14, 14), (5, 9), (1, 3)])
def test_a_batch_unfolded_at_once(size, halve):
    conv = with_random_bias(nn.Conv2D(4, 6, 3, padding=1))
    x = paddle.randn([3, 4, *(2 * s - 1 if halve else s for s in size)])
    x.stop_gradient = False
    assert module._form_of(conv, paddle.zeros([3, 4, *size])) is None
    with paddle.no_grad():
        assert module._form_of(conv, paddle.zeros([3, 4, *size])) is module._unfolded_at_once
        assert module._form_of(conv, paddle.zeros([1, 4, *size])) is None
        assert module._form_of(conv, paddle.zeros([3, 4, 256, 256])) is None
        without_gradient = convolve(conv, x, halve).numpy()
        bare = nn.Conv2D(4, 6, 3, padding=1, bias_attr=False)
        np.testing.assert_allclose(convolve(bare, x).numpy(), bare(x).numpy(), atol=1e-5)
    assert_same(conv, x, halve, without_gradient)


@pytest.mark.parametrize("halve", [False, True])
@pytest.mark.parametrize("bias", [None, False])
@pytest.mark.parametrize(("kernel", "size"), [(1, (4, 4)), (3, (2, 5)), (3, (1, 3)), (1, (5, 3))])
def test_a_single_image_with_a_row_per_pixel(kernel, size, bias, halve):
    conv = with_random_bias(nn.Conv2D(64, 96, kernel, padding=kernel // 2, bias_attr=bias))
    x = paddle.randn([1, 64, *(2 * s - 1 if halve else s for s in size)])
    small = paddle.zeros([1, 64, *size])
    assert module._form_of(conv, small) is None  # with gradients
    with paddle.no_grad():
        assert module._form_of(conv, small) is module._row_per_pixel
        actual = convolve(conv, x, halve)
        halved = F.avg_pool2d(x, 2, 2, ceil_mode=True) if halve else x
        expected = F.conv2d(halved, conv.weight, conv.bias, padding=kernel // 2)
    assert actual.is_contiguous()
    np.testing.assert_allclose(actual.numpy(), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("halve", [False, True])
@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("shape", [(3, 5, 8, 8), (1, 4, 7, 9), (2, 6, 1, 3), (1, 2, 1, 1)])
def test_all_channels_at_once(shape, multiplier, halve):
    batch, channels, *size = shape
    conv = with_random_bias(
        nn.Conv2D(channels, multiplier * channels, 3, padding=1, groups=channels)
    )
    x = paddle.randn([batch, channels, *(2 * s - 1 if halve else s for s in size)])
    x.stop_gradient = False
    assert module._form_of(conv, paddle.zeros(shape)) is module._channel_by_channel
    with paddle.no_grad():
        without_gradient = convolve(conv, x, halve).numpy()
    assert_same(conv, x, halve, without_gradient)


@pytest.mark.parametrize(
    ("conv", "shape"),
    [
        (nn.Conv2D(4, 4, 3, padding=1, groups=4), [2, 4, 14, 14]),
        (nn.Conv2D(4, 4, 3, padding=1, groups=2), [2, 4, 4, 4]),
        (nn.Conv2D(4, 4, 3, groups=4), [2, 4, 4, 4]),
        (nn.Conv2D(4, 4, 3, padding=1, stride=2, groups=4), [2, 4, 4, 4]),
        (nn.Conv2D(4, 4, 3, padding=1, groups=4, padding_mode="reflect"), [2, 4, 4, 4]),
        (nn.Conv2D(4, 4, 3, padding="SAME", groups=4), [2, 4, 4, 4]),
        (nn.Conv2D(64, 64, 1), [1, 64, 28, 28]),
        (nn.Conv2D(64, 64, 1), [2, 64, 28, 28]),
        (nn.Conv2D(64, 64, 3, padding=1), [1, 64, 14, 14]),
        (nn.Conv2D(64, 64, 1, stride=2), [1, 64, 2, 2]),
    ],
)
def test_others_take_the_plain_form(conv, shape):
    x = paddle.randn(shape)
    assert module._form_of(conv, x) is None
    with paddle.no_grad():
        assert module._form_of(conv, x) is None
    np.testing.assert_array_equal(convolve(conv, x).numpy(), conv(x).numpy())


def test_unfolded_maps_are_made_again_for_the_gradient():
    conv = OctaveConv(8, 8, 3, padding=1, groups=8)
    kept = []
    x = paddle.randn([4, 4, 6, 6]), paddle.randn([4, 4, 3, 3])
    for band in x:
        band.stop_gradient = False

    def see(tensor):
        kept.append(list(tensor.shape))
        return tensor

    with WatchSaved(see):
        conv(x)
    assert kept
    assert not [shape for shape in kept if shape[2:3] == [9]]


@pytest.mark.parametrize("halve", [False, True])
def test_gradients_of_gradients(halve):
    conv = nn.Conv2D(64, 96, 1)
    size = (7, 7) if halve else (4, 4)
    x = paddle.randn([3, 64, *size])
    x.stop_gradient = False
    seconds = []
    for run in (
        lambda: convolve(conv, x, halve),
        lambda: conv(F.avg_pool2d(x, 2, 2, ceil_mode=True) if halve else x),
    ):
        conv.clear_gradients()
        (first,) = paddle.grad((run() ** 3).sum(), [x], create_graph=True)
        (first**2).sum().backward()
        seconds.append(conv.weight.grad.numpy())
    np.testing.assert_allclose(seconds[0], seconds[1], rtol=1e-3, atol=1e-4 * seconds[1].max())
