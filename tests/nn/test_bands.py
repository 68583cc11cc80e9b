"""The layers that work on both bands, against their formulas in NumPy."""

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_oct import (
    OctaveAdd,
    OctaveAvgPool2D,
    OctaveConv,
    OctaveGlobalAvgPool2D,
    OctaveMaxPool2D,
    OctaveMerge,
    OctaveNorm,
    OctaveSE,
    PerBand,
)

SIZES = [(5, 6), (7, 7), (8, 8), (8, 9), (10, 13), (12, 11), (14, 14)]
POOLS = [
    {"kernel_size": 2},
    {"kernel_size": 2, "ceil_mode": True},
    {"kernel_size": 2, "stride": 2, "padding": 1},
    {"kernel_size": 3, "stride": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
    {"kernel_size": 3, "stride": 1, "padding": 1},
    {"kernel_size": 3},
    {"kernel_size": (3, 2), "stride": (2, 2), "padding": (1, 0)},
    {"kernel_size": 5, "stride": 2, "padding": 2},
]


def draw(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype("float32")


def pair_of(channels_high, channels_low, height=6, width=5):
    """Return a pair of arrays; a band without channels is None."""
    return (
        draw(2, channels_high, height, width) if channels_high else None,
        draw(2, channels_low, -(-height // 2), -(-width // 2)) if channels_low else None,
    )


def tensors(pair):
    return tuple(None if band is None else paddle.to_tensor(band) for band in pair)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def windows(x, kernel_size, stride, padding, rows, columns, reduce):
    """Reduce the windows, without what lies outside of the map, one after the other."""
    k, s, p = ([v, v] if isinstance(v, int) else v for v in (kernel_size, stride, padding))
    y = np.empty((*x.shape[:2], rows, columns), x.dtype)
    for i in range(rows):
        for j in range(columns):
            top, left = i * s[0] - p[0], j * s[1] - p[1]
            cells = x[:, :, max(top, 0) : top + k[0], max(left, 0) : left + k[1]]
            y[:, :, i, j] = reduce(cells, axis=(2, 3))
    return y


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("setting", POOLS, ids=str)
@pytest.mark.parametrize(
    ("octave", "vanilla", "reduce"),
    [(OctaveMaxPool2D, nn.MaxPool2D, np.max), (OctaveAvgPool2D, nn.AvgPool2D, np.mean)],
    ids=["max", "avg"],
)
def test_pooled_bands_belong_together(octave, vanilla, reduce, setting, size):
    pair = pair_of(3, 2, *size)
    high, low = octave(**setting)(tensors(pair))
    expected = vanilla(**setting)(paddle.to_tensor(pair[0]))
    np.testing.assert_array_equal(high.numpy(), expected.numpy())

    rows, columns = (-(-s // 2) for s in high.shape[2:])
    window = {"padding": 0, "stride": setting["kernel_size"], **setting}
    window.pop("ceil_mode", None)
    expected_low = windows(pair[1], rows=rows, columns=columns, reduce=reduce, **window)
    np.testing.assert_allclose(low.numpy(), expected_low, rtol=1e-5, atol=1e-6)

    OctaveConv(5, 4, 3, 0.4, 0.5, padding=1)((high, low))  # accepts the pair, or raises


@pytest.mark.parametrize("octave", [OctaveMaxPool2D, OctaveAvgPool2D])
@pytest.mark.parametrize(
    "setting",
    [
        {"kernel_size": 3, "stride": 1},
        {"kernel_size": 5, "stride": 2},
        {"kernel_size": 5, "stride": 2, "padding": 1},
        {"kernel_size": 2, "stride": 1},
        {"kernel_size": 2, "stride": 1, "padding": 1},
    ],
    ids=str,
)
def test_pooling_fits_or_is_refused(octave, setting):
    # Without padding to match, the low band shrinks by twice as many rows of the map as the high
    # one. Either the layer makes up for that or it refuses; it must not go on with a bad pair.
    conv = OctaveConv(5, 4, 3, 0.4, 0.5, padding=1)
    for size in SIZES:
        try:
            high, low = octave(**setting)(tensors(pair_of(3, 2, *size)))
        except ValueError as error:
            assert octave.__name__ in str(error)  # noqa: PT017 - one of two good ends
        else:
            conv((high, low))


@pytest.mark.parametrize("setting", POOLS, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_pooling_of_one_band_is_vanilla(setting, size):
    x = paddle.to_tensor(draw(2, 3, *size))
    expected = nn.MaxPool2D(**setting)(x).numpy()
    high, low = OctaveMaxPool2D(**setting)((x, None))
    assert low is None
    np.testing.assert_array_equal(high.numpy(), expected)
    high, low = OctaveMaxPool2D(**setting)((None, x))
    assert high is None
    np.testing.assert_array_equal(low.numpy(), expected)


def test_per_band_shares_its_layer():
    layer = PerBand(nn.PReLU(init=0.3))
    assert list(layer.state_dict()) == ["layer._weight"]
    pair = pair_of(3, 2)
    for y, x in zip(layer(tensors(pair)), pair):
        np.testing.assert_allclose(y.numpy(), np.where(x > 0, x, np.float32(0.3) * x), rtol=1e-6)
    assert layer((None, paddle.ones([1]))) == (None, paddle.ones([1]))


def test_per_band_dropout_follows_the_mode():
    pair = tensors(pair_of(30, 20))
    drop = PerBand(nn.Dropout2D(0.5))
    for y, x in zip(drop(pair), pair):
        kept = (y.numpy() != 0).any(axis=(2, 3))
        assert 0 < kept.mean() < 1
        np.testing.assert_allclose(y.numpy()[kept], 2 * x.numpy()[kept], rtol=1e-6)
    drop.eval()
    for y, x in zip(drop(pair), pair):
        np.testing.assert_array_equal(y.numpy(), x.numpy())


@pytest.mark.parametrize(("alpha", "names"), [(0, ["high"]), (0.4, ["high", "low"]), (1, ["low"])])
def test_norm(alpha, names):
    layer = OctaveNorm(5, alpha)
    assert sorted({n.split(".")[0] for n in layer.state_dict()}) == names
    rng = np.random.default_rng(1)
    for tensor in layer.state_dict().values():
        tensor.set_value(rng.uniform(0.5, 2, tensor.shape).astype("float32"))
    pair = pair_of(5 - int(5 * alpha), int(5 * alpha))

    def formula(x, norm, mean, variance):
        mean, variance, scale, shift = (
            v.reshape(1, -1, 1, 1) for v in (mean, variance, norm.weight.numpy(), norm.bias.numpy())
        )
        return (x - mean) / np.sqrt(variance + 1e-5) * scale + shift

    layer.eval()
    running = {n: (getattr(layer, n)._mean.numpy(), getattr(layer, n)._variance.numpy())
               for n in names}  # fmt: skip
    for name, y, x in zip(("high", "low"), layer(tensors(pair)), pair):
        assert (y is None) == (name not in names)
        if y is not None:
            expected = formula(x, getattr(layer, name), *running[name])
            np.testing.assert_allclose(y.numpy(), expected, rtol=1e-5, atol=1e-5)
    layer.train()
    for name, y, x in zip(("high", "low"), layer(tensors(pair)), pair):
        if y is not None:
            expected = formula(x, getattr(layer, name), x.mean((0, 2, 3)), x.var((0, 2, 3)))
            np.testing.assert_allclose(y.numpy(), expected, rtol=1e-4, atol=1e-4)


def test_norm_of_another_kind():
    layer = OctaveNorm(12, 0.25, norm_layer=nn.InstanceNorm2D)
    pair = pair_of(9, 3)
    for y, x in zip(layer(tensors(pair)), pair):
        mean, variance = x.mean((2, 3), keepdims=True), x.var((2, 3), keepdims=True)
        np.testing.assert_allclose(y.numpy(), (x - mean) / np.sqrt(variance + 1e-5), atol=1e-4)


def test_add():
    a, b = pair_of(3, 2), pair_of(3, 2)
    b = tuple(2 * band + 1 for band in b)
    add = OctaveAdd()
    for y, p, q in zip(add(tensors(a), tensors(b)), a, b):
        np.testing.assert_array_equal(y.numpy(), p + q)
    for left, right in (((a[0], None), b), (b, (a[0], None))):
        high, low = add(tensors(left), tensors(right))
        np.testing.assert_array_equal(high.numpy(), a[0] + b[0])
        np.testing.assert_array_equal(low.numpy(), b[1])
    high, low = add(tensors((None, a[1])), tensors((b[0], None)))
    np.testing.assert_array_equal(high.numpy(), b[0])
    np.testing.assert_array_equal(low.numpy(), a[1])


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_merge(size):
    high, low = pair_of(3, 2, *size)
    up = low[:, :, np.arange(size[0]) // 2][:, :, :, np.arange(size[1]) // 2]
    merged = OctaveMerge()(tensors((high, low)))
    np.testing.assert_array_equal(merged.numpy(), np.concatenate([high, up], axis=1))
    np.testing.assert_array_equal(OctaveMerge()(tensors((high, None))).numpy(), high)
    alone = OctaveMerge()(tensors((None, low))).numpy()
    np.testing.assert_array_equal(alone, low.repeat(2, axis=2).repeat(2, axis=3))


def test_global_average():
    high, low = pair_of(3, 2)
    means = [x.mean((2, 3), keepdims=True) for x in (high, low)]
    pool = OctaveGlobalAvgPool2D()
    for pair, expected in (
        ((high, low), np.concatenate(means, axis=1)),
        ((high, None), means[0]),
        ((None, low), means[1]),
    ):
        np.testing.assert_allclose(pool(tensors(pair)).numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("alpha", [0, 0.25, 0.29, 0.5, 1])
def test_squeeze_and_excitation(alpha):
    channels, squeezed = 12, 4
    layer = OctaveSE(channels, alpha, reduction=3)
    rng = np.random.default_rng(2)
    values = {}
    for name, tensor in layer.state_dict().items():
        values[name] = rng.standard_normal(tensor.shape).astype("float32")
        tensor.set_value(values[name])
    low_channels = int(channels * alpha)
    pair = pair_of(channels - low_channels, low_channels)
    assert values["squeeze.weight"].shape == (squeezed, channels, 1, 1)
    names = {"excite_h": pair[0] is not None, "excite_l": pair[1] is not None, "squeeze": True}
    assert {n.split(".")[0] for n in values} == {n for n, there in names.items() if there}

    def conv1x1(name, x):
        return x @ values[f"{name}.weight"][:, :, 0, 0].T + values[f"{name}.bias"]

    means = np.concatenate([x.mean((2, 3)) for x in pair if x is not None], axis=1)
    hidden = np.maximum(conv1x1("squeeze", means), 0)
    for name, y, x in zip(("excite_h", "excite_l"), layer(tensors(pair)), pair):
        assert (y is None) == (x is None)
        if x is not None:
            expected = x * sigmoid(conv1x1(name, hidden))[:, :, None, None]
            np.testing.assert_allclose(y.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_squeeze_and_excitation_reduces_by_16_unless_told():
    assert OctaveSE(32).squeeze.weight.shape == [2, 32, 1, 1]
