"""OctaveConv against its equation, written out with F.conv2d and no other part of the package."""

import random
from fractions import Fraction

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from helpers import double, halve

from paddle_oct import OctaveConv

CASES = 300
ALPHAS = (0, 0.1, 0.125, 0.25, 0.29, 0.5, 0.75, 0.875, 1)
SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 11)
PATHS = ("h2h", "h2l", "l2h", "l2l")


def bands(channels, alpha):
    low = int(Fraction(str(alpha)) * channels)  # exact, unlike a product of floats
    return channels - low, low


def shapes(channels, alpha, batch, height, width):
    high, low = bands(channels, alpha)
    return (
        [batch, high, height, width] if high else None,
        [batch, low, (height + 1) // 2, (width + 1) // 2] if low else None,
    )


def leaf(array):
    return paddle.to_tensor(array, stop_gradient=False)


def configuration(seed):
    """Return (arguments of OctaveConv, input size), drawn from all that is allowed."""
    rng = random.Random(seed)
    kernel = rng.choice([1, 3, 3, 5, (1, 3), (5, 3)])
    dilation = rng.choice([1, 1, 2, (1, 2)])
    pair = [v if isinstance(v, tuple) else (v, v) for v in (kernel, dilation)]
    args = {
        "kernel_size": kernel,
        "dilation": dilation,
        "padding": [d * (k - 1) // 2 for k, d in zip(*pair)],
        "stride": rng.choice([1, 2]),
        "bias_attr": rng.choice([True, False]),
        "downsample": rng.choice(["avg_pool", "strided_conv", None]),
    }
    if kernel == 3 and dilation == 1:
        args["padding"] = rng.choice([1, [1, 1], [1, 1, 1, 1]])

    kind = rng.choice(["dense", "dense", "dense", "grouped", "depthwise"])
    if kind == "dense":
        args["in_channels"], args["out_channels"] = rng.randint(1, 8), rng.randint(1, 8)
        args["alpha_in"], args["alpha_out"] = rng.choice(ALPHAS), rng.choice(ALPHAS)
        has_in = bands(args["in_channels"], args["alpha_in"])
        has_out = bands(args["out_channels"], args["alpha_out"])
        # A path may be switched off where its band has another input.
        args["h2l"] = bool(has_out[1] and not has_in[1]) or rng.random() < 0.75
        args["l2h"] = bool(has_out[0] and not has_in[0]) or rng.random() < 0.75
    elif kind == "grouped":
        args["groups"] = rng.choice([2, 3])
        for side in ("in", "out"):
            # Eight units: 1/8, ..., 8/8 are alphas without a rounding error.
            low = rng.choice([0, 1, 4, 7, 8])
            args[f"{side}_channels"] = 8 * args["groups"]
            args[f"alpha_{side}"] = low / 8
    else:
        channels = rng.randint(2, 8)
        args["groups"] = args["in_channels"] = channels
        args["out_channels"] = channels * rng.choice([1, 1, 2])
        args["alpha_in"] = args["alpha_out"] = rng.choice([0, 0.25, 0.5, 0.75, 1])
        if channels % 4:  # keep the bands of the output multiples of those of the input
            args["out_channels"] = channels
    return args, (rng.choice([1, 2]), rng.choice(SIZES), rng.choice(SIZES))


def equation(args, weights, biases, high, low):
    """Write SPEC's two equations out; ``weights`` by path, ``biases`` by output band."""
    stride = args["stride"]
    depthwise = args.get("groups", 1) == args["in_channels"] > 1
    low_anywhere = bool(bands(args["in_channels"], args["alpha_in"])[1]) or bool(
        bands(args["out_channels"], args["alpha_out"])[1]
    )
    pooled = args["downsample"] == "avg_pool" or (args["downsample"] is None and low_anywhere)

    def conv(path, x, stride=1):
        if path not in weights or x is None:
            return None
        groups = x.shape[1] if depthwise else args.get("groups", 1)
        return F.conv2d(
            x, weights[path], None, stride, args["padding"], args["dilation"], groups=groups
        )

    def total(band, *terms):
        terms = [t for t in terms if t is not None]
        if not terms:
            return None
        total = sum(terms[1:], terms[0])
        return total + biases[band].reshape([1, -1, 1, 1]) if band in biases else total

    if pooled and stride == 2:
        high = None if high is None else halve(high)
        low_in = None if low is None else halve(low)
        stride = 1
    else:
        low_in = low

    from_low = conv("l2h", low)
    if from_low is not None and args["stride"] == 1:
        size = high.shape[2:] if high is not None else [2 * s for s in low.shape[2:]]
        from_low = double(from_low, *size)
    if pooled:
        from_high = conv("h2l", None if high is None else halve(high))
    else:
        from_high = conv("h2l", high, 2 * stride)
    return (
        total("h", conv("h2h", high, stride), from_low),
        total("l", conv("l2l", low_in, stride), from_high),
    )


def assert_close(actual, expected, what):
    actual, expected = actual.numpy(), expected.numpy()
    assert actual.shape == expected.shape, what
    scale = np.abs(expected).max()
    assert np.abs(actual - expected).max() <= 1e-5 * scale, what


@pytest.mark.parametrize("seed", range(CASES))
def test_equation_and_its_gradients(seed):
    args, (batch, height, width) = configuration(seed)
    rng = np.random.default_rng(seed)
    layer = OctaveConv(**args)
    for parameter in layer.parameters():
        parameter.set_value(rng.standard_normal(parameter.shape).astype("float32"))
    arrays = [
        None if shape is None else rng.standard_normal(shape).astype("float32")
        for shape in shapes(args["in_channels"], args["alpha_in"], batch, height, width)
    ]

    convs = {p: getattr(layer, f"conv_{p}") for p in PATHS}
    convs = {p: conv for p, conv in convs.items() if conv is not None}
    biased = {p[2]: conv for p, conv in convs.items() if conv.bias is not None}
    assert sum(conv.bias is not None for conv in convs.values()) == len(biased)
    assert bool(biased) == args["bias_attr"]

    inputs = [None if a is None else leaf(a) for a in arrays]
    actual = layer(tuple(inputs))
    actual_leaves = [
        *(x for x in inputs if x is not None),
        *(conv.weight for conv in convs.values()),
        *(conv.bias for conv in biased.values()),
    ]

    copies = [None if a is None else leaf(a) for a in arrays]
    weights = {p: leaf(conv.weight.numpy()) for p, conv in convs.items()}
    biases = {band: leaf(conv.bias.numpy()) for band, conv in biased.items()}
    expected = equation(args, weights, biases, *copies)
    expected_leaves = [*(x for x in copies if x is not None), *weights.values(), *biases.values()]

    assert [y is None for y in actual] == [y is None for y in expected]
    losses = [0.0, 0.0]
    for band, a, e in zip(("high", "low"), actual, expected):
        if e is not None:
            assert_close(a, e, f"{band} band")
            coefficients = paddle.to_tensor(rng.standard_normal(e.shape).astype("float32"))
            losses = [losses[0] + (a * coefficients).sum(), losses[1] + (e * coefficients).sum()]
    unused = {"allow_unused": True}  # with a path off, a band may lead nowhere
    gradients = zip(
        paddle.grad(losses[0], actual_leaves, **unused),
        paddle.grad(losses[1], expected_leaves, **unused),
    )
    for number, (a, e) in enumerate(gradients):
        assert (a is None) == (e is None)
        if e is not None:
            assert_close(a, e, f"gradient {number} of {len(actual_leaves)}")


def test_the_configurations_cover_what_is_allowed():
    drawn = [configuration(seed) for seed in range(CASES)]
    for key, values in {
        "stride": (1, 2),
        "downsample": ("avg_pool", "strided_conv", None),
        "kernel_size": (1, 3, 5, (1, 3)),
        "alpha_in": (0, 0.29, 1),
        "alpha_out": (0, 0.29, 1),
        "h2l": (False,),
        "l2h": (False,),
        "in_channels": (1,),
    }.items():
        for value in values:
            assert sum(args.get(key) == value for args, _ in drawn) >= 8, (key, value)
    assert sum(args.get("groups") == args["in_channels"] for args, _ in drawn) >= 20
    assert sum(h % 2 and w % 2 for _, (_, h, w) in drawn) >= 20


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(3, 4), (2, 5)])
def test_gradient_by_central_differences(stride, size):
    paddle.seed(stride)
    layer = OctaveConv(3, 4, 3, 0.34, 0.5, stride, padding=1, bias_attr=True)
    layer.to(dtype="float64")
    inputs = [leaf(paddle.randn(s, "float64")) for s in shapes(3, 0.34, 1, *size)]
    tensors = [*inputs, *layer.parameters()]
    coefficients = [paddle.randn(y.shape, "float64") for y in layer(tuple(inputs))]

    def loss():
        return sum(((c * y**2).sum() for c, y in zip(coefficients, layer(tuple(inputs)))))

    step = 1e-5
    for tensor, gradient in zip(tensors, paddle.grad(loss(), tensors)):
        value = tensor.numpy()
        numerical = np.zeros_like(value)
        with paddle.no_grad():
            for index in np.ndindex(*value.shape):
                ends = []
                for sign in (1, -1):
                    moved = value.copy()
                    moved[index] += sign * step
                    tensor.set_value(moved)
                    ends.append(float(loss()))
                numerical[index] = (ends[0] - ends[1]) / (2 * step)
            tensor.set_value(value)
        np.testing.assert_allclose(gradient.numpy(), numerical, rtol=1e-6, atol=1e-7)
