"""Networks of paddle.vision.models, converted."""

import numpy as np
import paddle
import pytest
from helpers import randomise_norms, slow_but
from paddle import nn
from paddle.vision import models

from paddle_oct import OctaveConv, octavize
from paddle_oct.cost import count_macs

# A small member of every family, and a small input that it takes.
NETWORKS = {
    "resnet18": (1, 3, 64, 64),
    "resnext50_32x4d": (1, 3, 64, 64),
    "mobilenet_v1": (1, 3, 64, 64),
    "mobilenet_v2": (1, 3, 64, 64),
    "mobilenet_v3_small": (1, 3, 64, 64),
    "vgg11": (1, 3, 32, 32),
    "vgg11_bn": (1, 3, 32, 32),
    "densenet121": (1, 3, 64, 64),
    "shufflenet_v2_x0_25": (1, 3, 64, 64),
    "squeezenet1_0": (1, 3, 64, 64),
    "squeezenet1_1": (1, 3, 64, 64),
    "googlenet": (1, 3, 224, 224),
    "inception_v3": (1, 3, 107, 107),
    "alexnet": (1, 3, 224, 224),
    "LeNet": (1, 1, 28, 28),
}
FIXED_SIZE = ("googlenet", "alexnet", "LeNet")
QUICK = ("resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_25", "squeezenet1_1", "LeNet")
UNCHANGED = ("LeNet",)  # a stem, and a 5x5 convolution without padding
EXPORTED = ("resnet18", "mobilenet_v3_small", "vgg11_bn", "squeezenet1_1", *FIXED_SIZE)


def build(name):
    if name.startswith("vgg"):
        # The classifier of VGG has 120 million parameters and no part in this.
        return nn.Sequential(
            models.vgg11(batch_norm=name.endswith("_bn"), num_classes=0, with_pool=False).features,
            nn.AdaptiveAvgPool2D(2),
            nn.Flatten(),
            nn.Linear(2048, 10),
        )
    scale = {"scale": 0.5} if name.startswith("mobilenet_v1") else {}
    return getattr(models, name)(num_classes=10, **scale)


def outputs(net, x):
    y = net(x)
    return list(y) if isinstance(y, (tuple, list)) else [y]


def make_pixelwise(net, rng):
    """Keep the middle of every kernel only, and large enough for the signal to stay alive."""
    for layer in net.sublayers():
        if isinstance(layer, nn.Conv2D):
            kernel = np.zeros(layer.weight.shape, "float32")
            rows, columns = kernel.shape[2:]
            deviation = (2 / kernel.shape[1]) ** 0.5
            kernel[:, :, rows // 2, columns // 2] = rng.normal(0, deviation, kernel.shape[:2])
            layer.weight.set_value(kernel)
            if layer.bias is not None:
                layer.bias.set_value(rng.normal(0, 0.1, layer.bias.shape).astype("float32"))
        elif isinstance(layer, nn.AvgPool2D):
            layer.exclusive = True


@pytest.fixture(scope="module", params=slow_but(QUICK, NETWORKS))
def network(request):
    paddle.seed(3)
    net = build(request.param)
    randomise_norms(net, 3)
    make_pixelwise(net, np.random.default_rng(3))
    net.eval()
    return request.param, net, NETWORKS[request.param]


@pytest.fixture(scope="module")
def halved(network):
    name, net, size = network
    return name, octavize(net, 0.5, input_size=size), size


def test_alpha_0_is_the_identity(network):
    _, net, size = network
    octave = octavize(net, 0, input_size=size)
    x = paddle.randn([2, *size[1:]])
    with paddle.no_grad():
        for y, expected in zip(outputs(octave, x), outputs(net, x)):
            np.testing.assert_array_equal(y.numpy(), expected.numpy())
    assert list(octave.state_dict()) == list(net.state_dict())
    assert not octave.octave_report.replaced


@pytest.mark.parametrize("alpha", [0.25, 0.5])
def test_a_constant_image_and_pixelwise_kernels_give_the_same_output(network, halved, alpha):
    """Where maps are constant, halving and doubling them does nothing; an order would show."""
    name, net, size = network
    octave = halved[1] if alpha == 0.5 else octavize(net, alpha, input_size=size)
    assert bool(octave.octave_report.replaced) == (name not in UNCHANGED)
    x = paddle.randn([2, size[1], 1, 1]).tile([1, 1, *size[2:]])
    if name in UNCHANGED:
        return
    with paddle.no_grad():
        for y, expected in zip(outputs(octave, x), outputs(net, x)):
            scale = float(expected.abs().max())
            assert float((expected[0] - expected[1]).abs().max()) > 1e-2 * scale  # not all alike
            np.testing.assert_allclose(y.numpy(), expected.numpy(), atol=1e-5 * scale, rtol=1e-4)


def test_no_parameter_is_made_or_lost(network, halved):
    _, net, _ = network
    octave = halved[1]
    count = sum(p.size for p in net.parameters())
    assert sum(p.size for p in octave.parameters()) == count
    for ours, theirs in ((octave, net), (net, octave)):
        values = np.sort(np.concatenate([p.numpy().ravel() for p in ours.state_dict().values()]))
        others = np.sort(np.concatenate([p.numpy().ravel() for p in theirs.state_dict().values()]))
        np.testing.assert_array_equal(values, others)


def test_the_macs_are_those_of_the_formula(network, halved):
    """Of the four paths of every replaced layer; the rest costs what it did."""
    _, net, size = network
    _, octave, _ = halved
    report = octave.octave_report
    assert report.macs_before == count_macs(net, size)
    assert report.macs_after == count_macs(octave, size)
    saved = expected = 0
    layers = dict(octave.named_sublayers())
    for conv in report.replaced:
        layer = layers[conv.name]
        assert isinstance(layer, OctaveConv)
        (h, lo), (high, low) = layer.in_bands, layer.out_bands
        total = (h + lo) * (high + low)
        if layer.is_depthwise:
            share = (high + low / 4) / (high + low)
        elif layer.stride == [2, 2]:
            share = (h * high + lo * high + (h + lo) * low / 4) / total
        else:
            a, b = conv.alpha_in, conv.alpha_out
            share = 1 - 0.75 * (a + b - a * b)
        expected += conv.macs_before * (1 - share)
        saved += conv.macs_before - conv.macs_after
    assert saved == report.macs_before - report.macs_after
    # Odd maps have a larger half than half.
    assert saved == pytest.approx(expected, rel=0.05 if size[2] == 224 else 0.25)


def test_it_trains_a_step(halved):
    _, octave, size = halved
    octave.train()
    try:
        optimizer = paddle.optimizer.SGD(0.01, parameters=octave.parameters())
        before = {name: p.numpy() for name, p in octave.named_parameters()}
        sum((y**2).mean() for y in outputs(octave, paddle.randn([2, *size[1:]]))).backward()
        trained = [n for n, p in octave.named_parameters() if not p.stop_gradient]
        assert all(dict(octave.named_parameters())[n].grad is not None for n in trained)
        optimizer.step()
        changed = [n for n, p in octave.named_parameters() if (p.numpy() != before[n]).any()]
        assert len(changed) > 0.8 * len(trained)  # a bias before a norm need not change
        optimizer.clear_grad()
        for name, p in octave.named_parameters():
            p.set_value(before[name])
    finally:
        octave.eval()


def export_and_compare(name, octave, size, tmp_path):
    path = str(tmp_path / "net")
    fixed = name in FIXED_SIZE
    shape = [None, size[1], *(size[2:] if fixed else (None, None))]
    paddle.jit.save(octave, path, input_spec=[paddle.static.InputSpec(shape)])
    loaded = paddle.jit.load(path)
    for batch, more in ((1, 0), (3, 0 if fixed else 19)):
        x = paddle.randn([batch, size[1], size[2] + more, size[3] + more])
        with paddle.no_grad():
            for y, expected in zip(outputs(loaded, x), outputs(octave, x)):
                scale = float(expected.abs().max())
                np.testing.assert_allclose(y.numpy(), expected.numpy(), atol=1e-5 * scale)


def test_it_exports_with_any_batch_and_size(halved, tmp_path):
    name, octave, size = halved
    if name not in EXPORTED:
        pytest.skip("takes minutes for all; python benchmarks/octavize.py --export does it")
    export_and_compare(name, octave, size, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small"])
def test_it_exports_at_a_quarter_too(name, tmp_path):
    octave = octavize(build(name), 0.25, input_size=NETWORKS[name], inplace=True)
    octave.eval()
    export_and_compare(name, octave, NETWORKS[name], tmp_path)
