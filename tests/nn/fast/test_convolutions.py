"""The kernels of a convolution against the convolution written out."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_oct.nn import KERNELS, fast_kernels
from paddle_oct.nn.fast import convolve
from paddle_oct.nn.fast.convolutions import case_of
from paddle_oct.nn.fast.table import CONVOLUTION_KERNELS


def chosen(conv, x, pool=False):
    """The name of the kernel that a convolution of a map takes, None for Paddle's own layer."""
    case = case_of(conv, x, pool)
    if case is None:
        return None
    names = [entry.name for entry in CONVOLUTION_KERNELS if entry.applies(case)]
    return next((name for name in names if pool or name != "recomputed_halving"), None)


def with_random_bias(conv):
    """A fresh bias is zero, and a kernel that forgets it would not be seen."""
    if conv.bias is not None:
        conv.bias.set_value(paddle.randn(conv.bias.shape))
    return conv


def written_out(conv, x, pool):
    if pool:
        x = F.avg_pool2d(x, 2, 2, ceil_mode=True)
    return F.conv2d(
        x, conv.weight, conv.bias, conv._stride, conv._padding, conv._dilation, conv._groups
    )


def map_for(conv, batch, size, pool):
    """A map that is ``size`` when it is convolved."""
    x = paddle.randn([batch, conv._in_channels, *(2 * s - 1 if pool else s for s in size)])
    x.stop_gradient = False
    return x


def assert_same(conv, x, pool):
    """Compare results and gradients of the kernel with the convolution written out."""
    with paddle.no_grad():
        without_gradient = convolve(conv, x, pool).numpy()
    results = []
    for run in (convolve, written_out):
        conv.clear_gradients()
        x.clear_gradient()
        y = run(conv, x, pool)
        (y**3).sum().backward()
        grads = [x.grad, conv.weight.grad, *([] if conv.bias is None else [conv.bias.grad])]
        results.append([t.numpy() for t in (y, *grads)])
    np.testing.assert_allclose(without_gradient, results[1][0], atol=1e-5)
    for actual, expected in zip(*results):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(actual, expected, atol=1e-5 * scale, rtol=1e-4)


pooled = pytest.mark.parametrize("pool", [False, True])


@pooled
@pytest.mark.parametrize(("kernel", "size"), [(1, (4, 4)), (3, (2, 2)), (3, (1, 3)), (1, (5, 3))])
def test_a_batch_as_one_image(kernel, size, pool):
    conv = with_random_bias(nn.Conv2D(64, 96, kernel, padding=kernel // 2))
    x = map_for(conv, 3, size, pool)
    # with gradients a 3x3 is not
    assert chosen(conv, paddle.zeros([3, 64, *size])) == ("one_image" if kernel == 1 else None)
    with paddle.no_grad():
        assert chosen(conv, x, pool) == "one_image"
    assert_same(conv, x, pool)


@pooled
@pytest.mark.parametrize("size", [(14, 14), (5, 9), (1, 3)])
def test_a_batch_unfolded_at_once(size, pool):
    conv = with_random_bias(nn.Conv2D(4, 6, 3, padding=1))
    x = map_for(conv, 3, size, pool)
    assert chosen(conv, paddle.zeros([3, 4, *size])) is None
    with paddle.no_grad():
        assert chosen(conv, x, pool) == "unfolded_batch"
        assert chosen(conv, paddle.zeros([1, 4, *size])) is None
        assert chosen(conv, paddle.zeros([3, 4, 256, 256])) is None
    assert_same(conv, x, pool)
    assert_same(nn.Conv2D(4, 6, 3, padding=1, bias_attr=False), x, pool)


@pooled
@pytest.mark.parametrize("bias", [None, False])
@pytest.mark.parametrize(("kernel", "size"), [(1, (4, 4)), (3, (2, 5)), (3, (1, 3)), (1, (5, 3))])
def test_a_single_image_with_a_row_per_pixel(kernel, size, bias, pool):
    conv = with_random_bias(nn.Conv2D(64, 96, kernel, padding=kernel // 2, bias_attr=bias))
    x = map_for(conv, 1, size, pool)
    assert chosen(conv, paddle.zeros([1, 64, *size])) is None  # with gradients
    with paddle.no_grad():
        assert chosen(conv, x, pool) == "row_per_pixel"
        assert convolve(conv, x, pool).is_contiguous()
    assert_same(conv, x, pool)


@pooled
@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("shape", [(3, 5, 8, 8), (1, 4, 7, 9), (2, 6, 1, 3), (1, 2, 1, 1)])
def test_all_channels_at_once(shape, multiplier, pool):
    batch, channels, *size = shape
    conv = with_random_bias(
        nn.Conv2D(channels, multiplier * channels, 3, padding=1, groups=channels)
    )
    x = map_for(conv, batch, size, pool)
    assert chosen(conv, x, pool) == "channels_at_once"
    assert_same(conv, x, pool)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "padding": [1, 1], "groups": 2},
        {"kernel_size": (3, 5), "padding": [1, 1, 2, 2]},
        {"kernel_size": 3, "padding": 2, "dilation": 2, "bias_attr": False},
        {"kernel_size": 3, "padding": 1, "stride": 2},
        {"kernel_size": 1},
    ],
)
@pytest.mark.parametrize("size", [(16, 16), (15, 9)])
def test_a_halved_map_is_recomputed(options, size):
    conv = with_random_bias(nn.Conv2D(4, 6, **options))
    x = map_for(conv, 2, size, True)
    assert chosen(conv, x, True) == "recomputed_halving"
    assert_same(conv, x, True)


@pytest.mark.parametrize("frozen", ["map", "kernel"])
@pytest.mark.parametrize("kernel", [1, 3])
def test_what_needs_no_gradient_gets_none(frozen, kernel):
    conv = nn.Conv2D(64, 96, kernel, padding=kernel // 2)
    x = map_for(conv, 2, (3, 3), True)
    (x if frozen == "map" else conv.weight).stop_gradient = True
    grads = []
    for run in (convolve, written_out):
        conv.clear_gradients()
        x.clear_gradient()
        (run(conv, x, True) ** 2).sum().backward()
        assert (x.grad is None) == (frozen == "map")
        assert (conv.weight.grad is None) == (frozen == "kernel")
        grads.append((conv.weight if frozen == "map" else x).grad.numpy())
    np.testing.assert_allclose(*grads, rtol=1e-4, atol=1e-4 * np.abs(grads[1]).max())


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
def test_others_are_paddles_own(conv, shape):
    x = paddle.randn(shape)
    assert chosen(conv, x) is None
    with paddle.no_grad():
        assert chosen(conv, x) is None
    np.testing.assert_array_equal(convolve(conv, x).numpy(), conv(x).numpy())


@pooled
@pytest.mark.parametrize(
    ("conv", "size"),
    [
        (nn.Conv2D(64, 96, 1), (4, 4)),
        (nn.Conv2D(64, 96, 1), (5, 3)),
        (nn.Conv2D(3, 4, 3, padding=1), (6, 5)),
    ],
)
def test_gradients_of_gradients(conv, size, pool):
    x = map_for(conv, 3, size, pool)
    seconds = []
    for run in (convolve, written_out):
        conv.clear_gradients()
        x.clear_gradient()
        (first,) = paddle.grad((run(conv, x, pool) ** 3).sum(), [x], create_graph=True)
        (first**2).sum().backward()
        seconds.append((conv.weight.grad.numpy(), x.grad.numpy()))
    for actual, expected in zip(*seconds):
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_the_table_says_what_there_is():
    names = [kernel.name for kernel in KERNELS]
    assert len(set(names)) == len(names)
    for kernel in KERNELS:
        assert kernel.condition
        assert kernel.bound
        assert kernel.measured_on
    with fast_kernels(False):
        conv, x = nn.Conv2D(64, 96, 1), paddle.randn([2, 64, 3, 3])
        np.testing.assert_array_equal(convolve(conv, x).numpy(), conv(x).numpy())
