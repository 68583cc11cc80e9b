"""Splitting channels, halving, doubling, splitting and merging maps."""

import numpy as np
import paddle
import pytest
from helpers import double, halve

from paddle_oct.nn import add, down2, map_bands, merge, split, split_channels, up2

SIZES = [(1, 1), (1, 4), (2, 2), (5, 1), (6, 4), (7, 7), (9, 6)]


def draw(*shape):
    return np.random.default_rng(5).standard_normal(shape).astype("float32")


@pytest.mark.parametrize("number", [float, np.float64, np.float32], ids=lambda t: t.__name__)
def test_every_fraction_of_channels_comes_back(number):
    for channels in [*range(1, 130), 256, 512, 1000, 1024, 2048]:
        for low in range(channels + 1):
            assert split_channels(channels, number(low / channels)) == (channels - low, low)


def test_channels_are_rounded_down():
    assert split_channels(100, 0.29) == (71, 29)  # 0.29 * 100 is 28.999...
    assert split_channels(100, 0.57) == (43, 57)
    assert split_channels(100, 0.2899) == (72, 28)
    assert split_channels(3, 0.5) == (2, 1)
    assert split_channels(1, 0.999) == (1, 0)
    assert split_channels(2048, 1 / 2048 - 1e-6) == (2048, 0)
    assert split_channels(7, 0) == (7, 0)
    assert split_channels(7, 1) == (0, 7)
    assert [type(c) for c in split_channels(8, np.float32(0.5))] == [int, int]


@pytest.mark.parametrize("size", SIZES)
def test_halving_and_doubling(size):
    x = paddle.to_tensor(draw(2, 3, *size))
    half = down2(x)
    np.testing.assert_allclose(half.numpy(), halve(x).numpy(), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(up2(half, like=x).numpy(), double(half, *size).numpy())
    whole = double(x, 2 * size[0], 2 * size[1])
    np.testing.assert_array_equal(up2(x).numpy(), whole.numpy())


@pytest.mark.parametrize("alpha", [0, 0.25, 0.5, 0.6, 1])
@pytest.mark.parametrize("size", SIZES)
def test_split_and_merge(alpha, size):
    x = draw(2, 5, *size)
    high_channels = 5 - int(alpha * 5)
    high, low = split(paddle.to_tensor(x), alpha)
    assert (high is None, low is None) == (alpha == 1, alpha < 0.2)
    if high is not None:
        np.testing.assert_array_equal(high.numpy(), x[:, :high_channels])
    if low is not None:
        expected = halve(paddle.to_tensor(x[:, high_channels:])).numpy()
        np.testing.assert_allclose(low.numpy(), expected, rtol=1e-6, atol=1e-6)

    merged = merge((high, low)).numpy()
    if high is None:  # nothing says whether the size was odd
        assert merged.shape[2:] == tuple(s + s % 2 for s in size)
        merged = merged[:, :, : size[0], : size[1]]
    expected = x.copy()
    if low is not None:
        half = halve(paddle.to_tensor(x[:, high_channels:]))
        expected[:, high_channels:] = double(half, *size).numpy()
    np.testing.assert_allclose(merged, expected, rtol=1e-6, atol=1e-6)


def test_merging_nothing():
    with pytest.raises(ValueError, match="both bands are None"):
        merge((None, None))


def test_add_and_map():
    a, b = paddle.full([1, 2, 4, 4], 1.0), paddle.full([1, 3, 2, 2], 10.0)
    c, d = paddle.full([1, 2, 4, 4], 2.0), paddle.full([1, 3, 2, 2], 20.0)

    def values(pair):
        return [None if band is None else float(band.mean()) for band in pair]

    assert values(add((a, b), (c, d))) == [3, 30]
    assert values(add((a, None), (c, d))) == [3, 20]
    assert values(add((None, b), (c, d))) == [2, 30]
    assert values(add((a, None), (None, d))) == [1, 20]
    assert values(add((a, None), (c, None))) == [3, None]
    assert values(add((None, None), (None, None))) == [None, None]
    assert values(map_bands(lambda x: x + 1, (a, b))) == [2, 11]
    assert values(map_bands(lambda x: x + 1, (a, b), lambda x: x + 2)) == [2, 12]
    assert values(map_bands(lambda x: x + 1, (None, b), lambda x: x + 2)) == [None, 12]
