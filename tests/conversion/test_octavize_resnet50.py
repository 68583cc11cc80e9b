"""ResNet-50, converted, is Oct-ResNet-50."""

import numpy as np
import paddle
import pytest
from paddle.vision.models import resnet50

from paddle_oct import OctaveConv, oct_resnet50, octavize
from paddle_oct.cost import count_macs

SIZE = (1, 3, 64, 64)


def their_name(name):
    """Return the name in oct_resnet50 of a parameter of a converted resnet50."""
    parts = name.split(".")
    if not parts[0].startswith("layer"):
        return name
    where, layer, rest = parts[:2], parts[2], parts[3:]
    if layer == "downsample":
        layer, rest = "downsample.0", rest[1:] if rest[0] == "0" else ["bn", *rest[1:]]
    elif layer.startswith("bn"):
        layer, rest = f"conv{layer[2:]}", ["bn", *rest]
    if rest[0] == "bn":
        band = {"high": "bn_h", "low": "bn_l"}.get(rest[1])
        rest = [band, *rest[2:]] if band else ["bn_h", *rest[1:]]
    else:
        rest = ["conv", *(rest if rest[0].startswith("conv_") else ["conv_h2h", *rest])]
    return ".".join([*where, layer, *rest])


@pytest.fixture(scope="module")
def vanilla():
    paddle.seed(5)
    net = resnet50(num_classes=10)
    rng = np.random.default_rng(5)
    for name, tensor in net.state_dict().items():
        if len(tensor.shape) == 1 and name != "fc.bias":
            low, high = (-0.1, 0.1) if name.endswith("_mean") else (0.5, 1.5)
            tensor.set_value(rng.uniform(low, high, tensor.shape).astype("float32"))
    net.eval()
    return net


@pytest.fixture(scope="module")
def ours(vanilla):
    return octavize(vanilla, 0.5, input_size=SIZE, downsample="avg_pool")


def assert_same(actual, expected):
    """Equal but for rounding: the two add up in another order, on logits of some thousands."""
    scale = float(expected.abs().max())
    np.testing.assert_allclose(actual.numpy(), expected.numpy(), rtol=1e-5, atol=1e-5 * scale)


def with_weights_of(octave, network):
    weights = {their_name(name): tensor for name, tensor in octave.state_dict().items()}
    assert set(weights) == set(network.state_dict())
    assert network.set_state_dict(weights) == ([], [])
    network.eval()
    return network


@pytest.mark.parametrize("size", [(64, 64), (97, 65)], ids=str)
def test_same_output_as_oct_resnet50(ours, size):
    network = with_weights_of(ours, oct_resnet50(num_classes=10))
    x = paddle.randn([2, 3, *size])
    with paddle.no_grad():
        y, expected = ours(x), network(x)
    assert float(expected.abs().max()) > 1e-3
    assert_same(y, expected)


def test_by_default_what_stays_vanilla_keeps_its_stride(vanilla):
    ours = octavize(vanilla, 0.5, input_size=SIZE)
    network = oct_resnet50(num_classes=10)
    block = network.layer4[0].conv2
    assert block.conv.plan.pool_input
    block.conv = OctaveConv(512, 512, 3, 0, 0, stride=2, padding=1)
    network = with_weights_of(ours, network)
    x = paddle.randn([2, 3, 64, 64])
    with paddle.no_grad():
        assert_same(ours(x), network(x))


@pytest.mark.parametrize("alpha", [0.25, [0.5, 0.25, 0.125]], ids=str)
def test_same_macs_and_alphas_as_oct_resnet50(vanilla, alpha):
    ours = octavize(vanilla, alpha, input_size=SIZE)
    network = oct_resnet50(num_classes=10, alpha=alpha)
    assert ours.octave_report.macs_after == count_macs(network, SIZE)
    theirs = dict(network.named_sublayers())
    for conv in ours.octave_report.replaced:
        layer = theirs[their_name(f"{conv.name}.weight").rpartition(".conv.")[0] + ".conv"]
        assert (conv.alpha_in, conv.alpha_out) == (layer.alpha_in, layer.alpha_out), conv.name


def test_macs_at_224():
    """d-li14: 2.367 G with 1000 classes."""
    report = octavize(resnet50(), 0.5, inplace=True).octave_report
    assert report.macs_before / 1e9 == pytest.approx(4.089, abs=1e-3)
    assert report.macs_after / 1e9 == pytest.approx(2.367, abs=1e-3)
    assert (len(report.replaced), len(report.convs)) == (44, 53)
