"""The lightweight convolutions against their definitions, written out kernel by kernel."""

import copy
import pickle

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn
from paddle.static import InputSpec

from paddle_oct import DSCConv, DualConv, HetConv
from paddle_oct.cost import count_macs


def total_size(layer):
    return sum(int(p.size) for p in layer.parameters())


def flat_kernels(out_channels, weights_of_a_filter):
    rng = np.random.default_rng(5)
    return rng.standard_normal([out_channels, weights_of_a_filter, 1, 1]).astype("float32")


# in, out, p, the other arguments, the size of the map
HET = [
    (12, 24, 12, {"padding": 1}, (4, 5)),  # 12 = 2 x 2 x 3
    (12, 31, 12, {"padding": 1}, (4, 5)),  # and 7 filters more
    (6, 4, 3, {"padding": 1}, (7, 6)),  # the source's example: p does not divide the filters
    (8, 16, 4, {"padding": 1, "stride": 2}, (9, 12)),
    (8, 12, 2, {"kernel_size": 5, "padding": 2, "stride": (1, 2)}, (8, 11)),
    (6, 3, 6, {"padding": 1}, (5, 5)),  # fewer filters than classes
    (4, 10, 4, {"padding": 0}, (6, 7)),
    (4, 4, 2, {"padding": 3, "stride": 2}, (5, 6)),
    (4, 4, 2, {"padding": [0, 1, 2, 0], "dilation": 2}, (8, 8)),
    (6, 6, 3, {"kernel_size": (1, 3), "padding": "SAME"}, (4, 7)),
    (4, 4, 2, {"kernel_size": 1, "padding": "VALID", "stride": 3}, (7, 8)),
    (4, 5, 1, {"padding": 1}, (6, 6)),  # nothing but k x k kernels
]


def het_conv_by_definition(x, flat, p, bias, kernel_size=3, stride=1, padding=0, dilation=1):
    """One convolution per kernel; a 1x1 kernel is the middle of a k x k one.

    Returns the output and the kernels ``[n][m]``, each with a gradient of its own.
    """
    height, width = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    maps, kernels = [], []
    for n, filter_ in enumerate(flat):
        weights = iter(filter_.ravel())
        row = {}
        for m in [m for m in range(x.shape[1]) if (m - n) % p == 0]:
            row[m] = np.array([next(weights) for _ in range(height * width)]).reshape(height, width)
        for m in [m for m in range(x.shape[1]) if (m - n) % p != 0]:
            row[m] = np.zeros([height, width])
            row[m][height // 2, width // 2] = next(weights)
        total = bias[n]
        kernels.append([])
        for m in range(x.shape[1]):
            kernel = paddle.to_tensor(row[m][None, None].astype("float32"), stop_gradient=False)
            kernels[-1].append(kernel)
            total = total + F.conv2d(
                x[:, m : m + 1], kernel, stride=stride, padding=padding, dilation=dilation
            )
        maps.append(total)
    return paddle.concat(maps, axis=1), kernels


@pytest.mark.parametrize(("channels", "filters", "p", "options", "size"), HET, ids=str)
def test_het_conv_is_its_definition(channels, filters, p, options, size):
    paddle.seed(2)
    k = options.get("kernel_size", 3)
    area = k * k if isinstance(k, int) else k[0] * k[1]
    flat = flat_kernels(filters, channels // p * area + channels - channels // p)
    bias = np.arange(filters).astype("float32")
    layer = HetConv(
        channels, filters, p,
        weight_attr=nn.initializer.Assign(flat),
        bias_attr=nn.initializer.Assign(bias),
        **options,
    )  # fmt: skip
    x = paddle.randn([2, channels, *size])
    twin = x.clone()
    x.stop_gradient = twin.stop_gradient = False
    y = layer(x)
    expected, kernels = het_conv_by_definition(twin, flat, p, bias, **options)
    np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-5, atol=1e-5)

    weight_of_output = paddle.randn(y.shape)
    (y * weight_of_output).sum().backward()
    (expected * weight_of_output).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), twin.grad.numpy(), rtol=1e-5, atol=2e-5)
    # kernel() puts the weights, and so as well their gradients, to where they belong.
    for parameter in layer.parameters():
        parameter.set_value(parameter.grad)
    gradients = layer.kernel().numpy()
    for n, row in enumerate(kernels):
        for m, kernel in enumerate(row):
            wanted = kernel.grad.numpy()[0, 0]
            if (m - n) % p:  # a 1x1 kernel, of which only the middle is a weight
                middle = np.zeros_like(wanted)
                at = tuple(size // 2 for size in wanted.shape)
                middle[at] = wanted[at]
                wanted = middle
            np.testing.assert_allclose(gradients[n, m], wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_modes(mode, stride):
    options = {"stride": stride, "padding": 1, "padding_mode": mode}
    x = paddle.randn([2, 8, 7, 6])
    het = HetConv(8, 8, 4, **options)
    whole = nn.Conv2D(8, 8, 3, **options)
    whole.set_state_dict({"weight": het.kernel(), "bias": het.bias})
    np.testing.assert_allclose(het(x).numpy(), whole(x).numpy(), atol=1e-5)
    dual = DualConv(8, 8, 4, bias_attr=False, **options)
    grouped = nn.Conv2D(8, 8, 3, groups=4, bias_attr=False, **options)
    grouped.weight.set_value(dual.wide.weight)
    expected = grouped(x) + F.conv2d(x, dual.pointwise.weight, stride=stride)
    np.testing.assert_allclose(dual(x).numpy(), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize(("stride", "size"), [(1, (7, 6)), (2, (7, 6)), ((2, 1), (8, 9))], ids=str)
@pytest.mark.parametrize(("k", "dilation"), [(3, 1), (3, 2), (5, 1)])
def test_dual_conv_is_a_grouped_and_a_1x1_convolution(stride, size, k, dilation):
    padding = dilation * (k - 1) // 2
    flat, bias = flat_kernels(8, k * k * 12 // 4 + 12), np.arange(8).astype("float32")
    layer = DualConv(
        12, 8, 4, k, stride, padding, dilation,
        weight_attr=nn.initializer.Assign(flat),
        bias_attr=nn.initializer.Assign(bias),
    )  # fmt: skip
    x = paddle.randn([2, 12, *size])
    wide = paddle.to_tensor(flat[:, : k * k * 3].reshape(8, 3, k, k))
    point = paddle.to_tensor(flat[:, k * k * 3 :])
    expected = F.conv2d(
        x, wide, paddle.to_tensor(bias), stride, padding, dilation, groups=4
    ) + F.conv2d(x, point, stride=stride)
    np.testing.assert_allclose(layer(x).numpy(), expected.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("padding", [0, 3, [0, 2, 1, 0]], ids=str)
def test_the_1x1_kernels_lie_in_the_middle_whatever_the_padding(padding):
    layer = DualConv(4, 4, 2, padding=padding, stride=2, bias_attr=False)
    x = paddle.randn([1, 4, 8, 9])
    middle = F.pad(layer.pointwise.weight, [1, 1, 1, 1])
    grouped = layer.wide.weight
    expected = F.conv2d(x, grouped, stride=2, padding=padding, groups=2) + F.conv2d(
        x, middle, stride=2, padding=padding
    )
    np.testing.assert_allclose(layer(x).numpy(), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_dsc_conv_is_a_depthwise_and_a_1x1_convolution(stride):
    layer = DSCConv(5, 10, 3, stride, 1)
    layer.pointwise.bias.set_value(paddle.randn([10]))
    weights = layer.state_dict()
    assert list(weights) == ["depthwise.weight", "pointwise.weight", "pointwise.bias"]
    x = paddle.randn([2, 5, 7, 6])
    between = F.conv2d(x, weights["depthwise.weight"], stride=stride, padding=1, groups=5)
    expected = F.conv2d(between, weights["pointwise.weight"], weights["pointwise.bias"])
    np.testing.assert_allclose(layer(x).numpy(), expected.numpy(), atol=1e-5)


BARE = {"padding": 1, "bias_attr": False}


@pytest.mark.parametrize(
    ("layer", "parameters"),
    [  # the table "Lightweight convolutions" of the reference numbers
        (lambda: nn.Conv2D(6, 8, 3, **BARE), 432),
        (lambda: nn.Conv2D(6, 8, 3, groups=2, **BARE), 216),
        (lambda: nn.Conv2D(5, 10, 3, **BARE), 450),
        (lambda: DSCConv(5, 10, 3, **BARE), 95),
        (lambda: nn.Conv2D(6, 4, 3, **BARE), 216),
        (lambda: HetConv(6, 4, 3, **BARE), 88),
        (lambda: HetConv(64, 128, 4, **BARE), (16 * 9 + 48) * 128),
        (lambda: HetConv(60, 50, 12, **BARE), (5 * 9 + 55) * 50),
        (lambda: HetConv(64, 128, 64, **BARE), (9 + 63) * 128),
        (lambda: HetConv(64, 128, 1, **BARE), 9 * 64 * 128),
        (lambda: DualConv(64, 128, 4, **BARE), 9 * 64 * 128 // 4 + 64 * 128),
        (lambda: DualConv(64, 128, 1, **BARE), 10 * 64 * 128),
    ],
)
def test_parameters_and_macs(layer, parameters, capsys):
    layer = layer()
    channels = getattr(layer, "in_channels", None) or layer._in_channels
    layer = nn.Sequential(layer)
    assert total_size(layer) == parameters
    size = (2, channels, 9, 7)
    assert paddle.summary(layer, size)["total_params"] == parameters
    assert count_macs(layer, size) == 2 * 63 * parameters
    assert paddle.flops(layer, list(size)) == 2 * 63 * parameters


def test_one_bias_per_output_channel():
    for layer in (DSCConv(8, 12), HetConv(8, 12, 4), HetConv(8, 12, 1), DualConv(8, 12, 4)):
        (bias,) = [p for name, p in layer.named_parameters() if name.endswith("bias")]
        assert bias.shape == [12]
        without = type(layer)(8, 12, *[4] * (not isinstance(layer, DSCConv)), bias_attr=False)
        assert not any("bias" in name for name in without.state_dict())


FAMILY = {
    "separable": lambda m, n, **options: DSCConv(m, n, 3, **options),
    "het": lambda m, n, **options: HetConv(m, n, 4, **options),
    "het, p does not divide the filters": lambda m, n, **options: HetConv(m, n - 2, 4, **options),
    "dual": lambda m, n, **options: DualConv(m, n, 4, **options),
}


@pytest.mark.parametrize("make", FAMILY.values(), ids=FAMILY)
def test_initialisation_has_the_variance_of_conv2d(make):
    paddle.seed(0)
    x = paddle.randn([4, 64, 12, 12])
    expected = float(nn.Conv2D(64, 256, 3)(x).var())
    assert float(make(64, 256)(x).var()) == pytest.approx(expected, rel=0.15)
    xavier = {"weight_attr": nn.initializer.Normal(0.0, 0.02)}
    if make is not FAMILY["separable"]:
        weights = np.concatenate([p.numpy().ravel() for p in make(64, 256, **xavier).parameters()])
        assert weights[weights != 0].std() == pytest.approx(0.02, rel=0.05)


def test_attributes_of_the_parameters():
    attr = paddle.ParamAttr(name="light", learning_rate=0.5, trainable=False)
    layer = HetConv(8, 10, 4, weight_attr=attr, bias_attr="light_bias")
    names = {name: p.name for name, p in layer.named_parameters()}
    assert names == {
        "turns.wide.weight": "light_wide",
        "turns.pointwise1.weight": "light_pointwise1",
        "turns.pointwise2.weight": "light_pointwise2",
        "rest.wide.weight": "light_rest_wide",
        "rest.pointwise1.weight": "light_rest_pointwise1",
        "rest.pointwise2.weight": "light_rest_pointwise2",
        "bias": "light_bias",
    }
    weights = [p for name, p in layer.named_parameters() if "bias" not in name]
    assert all(p.stop_gradient and p.optimize_attr["learning_rate"] == 0.5 for p in weights)
    dual = DualConv(8, 8, 4, weight_attr=paddle.ParamAttr(name="dual"))
    assert [p.name for p in dual.parameters()][::2] == ["dual_wide", "dual_pointwise"]
    separable = DSCConv(8, 8, weight_attr=paddle.ParamAttr(name="sep"))
    assert [p.name for p in separable.parameters()][:2] == ["sep_depthwise", "sep"]


# -- what Paddle does with a layer -----------------------------------------------------------------


def build():
    paddle.seed(4)
    return nn.Sequential(
        nn.Conv2D(3, 8, 1),
        HetConv(8, 12, 4, stride=2, padding=1),
        nn.BatchNorm2D(12),
        nn.ReLU(),
        HetConv(12, 10, 3),
        DualConv(10, 12, 2, stride=2, padding=1),
        DSCConv(12, 8, 3, padding=1),
        HetConv(8, 8, 8, padding=1, padding_mode="replicate"),
    )


SIZES = [(1, 3, 20, 20), (2, 3, 21, 17), (3, 3, 13, 32)]


def assert_same_outputs(actual, expected):
    for shape in SIZES:
        x = paddle.randn(shape)
        y = expected(x).numpy()
        assert np.abs(y).max() > 1e-3
        np.testing.assert_allclose(actual(x).numpy(), y, rtol=1e-5, atol=1e-6)


def test_save_and_load_for_inference(tmp_path):
    net = build()
    net.eval()
    path = str(tmp_path / "net")
    paddle.jit.save(net, path, input_spec=[InputSpec([None, 3, None, None], "float32", "x")])
    assert_same_outputs(paddle.jit.load(path), net)


@pytest.mark.slow
def test_to_static_trains_like_eager():
    x = paddle.randn([2, 3, 21, 17])
    gradients = []
    for net in (build(), paddle.jit.to_static(build())):
        (net(x) ** 2).sum().backward()
        gradients.append({n: p.grad.numpy() for n, p in net.named_parameters() if p.trainable})
    for name, gradient in gradients[0].items():
        scale = max(np.abs(gradient).max(), 1)
        np.testing.assert_allclose(gradients[1][name], gradient, atol=1e-4 * scale, err_msg=name)


def test_amp_deepcopy_and_pickled_state():
    net, x = build(), paddle.randn([2, 3, 16, 16])
    expected = net(x)
    with paddle.amp.auto_cast(level="O1", dtype="bfloat16"):
        actual = net(x)
    (actual.astype("float32") ** 2).mean().backward()
    error = (actual.astype("float32") - expected).abs().max() / expected.abs().max()
    assert float(error) < 0.05
    gradients = [p.grad.astype("float32").numpy() for p in net.parameters() if p.trainable]
    assert all(np.isfinite(gradient).all() for gradient in gradients)

    twin = copy.deepcopy(net)
    before = net(x).numpy()
    for parameter in twin.parameters():
        parameter.set_value(parameter * 0.5)
    np.testing.assert_array_equal(net(x).numpy(), before)
    state = {name: value.numpy() for name, value in net.state_dict().items()}
    missing, unexpected = twin.set_state_dict(pickle.loads(pickle.dumps(state)))
    assert (missing, unexpected) == ([], [])
    assert_same_outputs(twin.eval() or twin, net.eval() or net)


def test_double_precision():
    net, wide = build(), build()
    wide.set_state_dict(net.state_dict())
    wide.to(dtype="float64")
    net.eval()
    wide.eval()
    x = paddle.randn([2, 3, 13, 18])
    y = wide(x.astype("float64"))
    assert y.dtype == paddle.float64
    np.testing.assert_allclose(net(x).numpy(), y.numpy(), rtol=1e-4, atol=1e-5)


def test_lazy_initialisation():
    with paddle.LazyGuard():
        layer = HetConv(64, 64, 4, bias_attr=False)
    for weight in layer.parameters():
        weight.initialize()
        assert float(weight.std()) == pytest.approx((2 / (16 * 9 + 48)) ** 0.5, rel=0.1)


def test_repr_says_what_a_layer_is():
    first = repr(HetConv(8, 16, 4, stride=2, padding=1)).splitlines()[0]
    assert first == "HetConv(8, 16, p=4, kernel_size=[3, 3], stride=[2, 2], padding=1"
    assert repr(DualConv(8, 16, 4)).startswith("DualConv(8, 16, groups=4, kernel_size=[3, 3]")
    assert repr(DSCConv(8, 16)).startswith("DSCConv(8, 16, kernel_size=[3, 3]")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HetConv(6, 8, 4), r"p=4, .*: p must divide in_channels=6: one of 1, 2, 3, 6"),
        (lambda: HetConv(6, 8, 0), "HetConv: p must be a positive integer, got 0"),
        (lambda: HetConv(6, 8, 2.0), "HetConv: p must be a positive integer, got 2.0"),
        (lambda: HetConv(0, 8, 2), "HetConv: in_channels must be a positive integer"),
        (lambda: HetConv(6, -8, 2), "HetConv: out_channels must be a positive integer"),
        (lambda: HetConv(6, 8, 2, 4), "kernel_size must be odd"),
        (lambda: HetConv(6, 8, 2, 3, 2, "SAME"), r"use padding=\[1, 1\]"),
        (lambda: HetConv(6, 8, 2, 3, 1, "same-ish"), "padding must be 'SAME', 'VALID'"),
        (lambda: HetConv(6, 8, 2, 3, 1, -1), "padding must not be negative"),
        (lambda: HetConv(6, 8, 2, padding_mode="zero"), "did you mean zeros"),
        (lambda: DualConv(6, 8, 4), "groups must divide in_channels=6 and out_channels=8"),
        (lambda: DualConv(8, 6, 4), "groups must divide in_channels=8 and out_channels=6"),
        (lambda: DualConv(8, 8, -2), "DualConv: groups must be a positive integer"),
        (lambda: DSCConv(8, 8, 0), "DSCConv: kernel_size must be a positive integer"),
        (
            lambda: HetConv(8, 8, 4, weight_attr=nn.initializer.Assign(np.zeros([8, 8, 3, 3]))),
            r"initialiser of weight_attr holds \[8, 8, 3, 3\], the weights are \[8, 24, 1, 1\]",
        ),
        (lambda: HetConv(8, 8, 4)(paddle.rand([1, 6, 8, 8])), r"expected \[N, 8, H, W\], got \[1,"),
        (lambda: DualConv(8, 8, 4)(paddle.rand([8, 8, 8])), r"expected \[N, 8, H, W\], got \[8,"),
    ],
)
def test_errors(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()
