"""What holds for every network: it builds, runs at any size, trains, and can be saved."""

from functools import partial

import numpy as np
import paddle
import pytest
from helpers import slow_but
from paddle.static import InputSpec

from paddle_oct import (
    BasicBlock,
    Bottleneck,
    OctDenseNet,
    OctMobileNetV1,
    OctMobileNetV2,
    OctResNet,
    create_model,
    list_models,
    oct_mobilenet_v1,
    oct_resnet50,
)
from paddle_oct.models import OctResNetV1e
from paddle_oct.models.oct_resnet_v1e import SEBottleneckV1e

# Published counts without the classifier's width in doubt (1000 classes), of the vanilla networks:
# torchvision, timm (ResNet-26, 200, SE-ResNet, ResNeXt-101 32x4d) and, for the last three, the
# shapes in the authors' files. Their MobileNetV2 has an expansion in its first block.
PARAMETERS = {
    "oct_densenet121": 7_978_856,
    "oct_mobilenet_v1": 4_231_976,
    "oct_mobilenet_v2": 3_504_872 + 32 * 32 + 2 * 32,
    "oct_resnet18": 11_689_512,
    "oct_resnet26": 15_995_176,
    "oct_resnet34": 21_797_672,
    "oct_resnet50": 25_557_032,
    "oct_resnet101": 44_549_160,
    "oct_resnet152": 60_192_808,
    "oct_resnet200": 64_673_832,
    "oct_resnext50_32x4d": 25_028_904,
    "oct_resnext101_32x4d": 44_177_704,
    "oct_se_resnet50": 28_088_024,
    "oct_se_resnet101": 49_326_872,
    "oct_se_resnet152": 66_821_848,
    "oct_resnet152_v1f": 60_222_224,
    "oct_se_resnet152_v1e": 66_841_080,
}
SMALL = {
    "mobilenet": partial(OctMobileNetV1, scale=0.25),
    "mobilenet v2": partial(OctMobileNetV2, scale=0.25),
    "resnet": partial(OctResNet, Bottleneck, (1, 1, 1, 2)),
    "resnet18": partial(OctResNet, BasicBlock, (2, 1, 1, 1)),
    "se": partial(OctResNetV1e, SEBottleneckV1e, (1, 1, 1, 2)),
    "densenet": partial(OctDenseNet, (2, 1, 1, 2)),
}
VARIANTS = [
    {"downsample": "strided_conv"},
    {"downsample": "avg_pool", "alpha": "per stage"},
    {"h2l": False},
    {"l2h": False, "alpha": "per stage"},
    {"h2l": False, "l2h": False},
    {"h2l": False, "l2h": False, "alpha": "per stage", "downsample": "strided_conv"},
]


def cells(size):
    return [-(-s // 32) for s in size]


def train_step(net, size=(64, 64)):
    """Return the gradients of every trainable parameter by name."""
    net.train()
    loss = paddle.nn.functional.cross_entropy(
        net(paddle.randn([4, 3, *size])), paddle.to_tensor([0, 1, 2, 3])
    )
    loss.backward()
    return {n: p.grad for n, p in net.named_parameters() if p.trainable}


def assert_all_trained(gradients):
    assert [n for n, g in gradients.items() if g is None] == []
    assert [n for n, g in gradients.items() if not np.isfinite(g.numpy()).all()] == []
    assert [n for n, g in gradients.items() if not g.numpy().any()] == []


def trainable_parameters(net):
    return sum(int(p.size) for p in net.parameters() if not p.stop_gradient)


EXPORTED = set()


def shallow(name, monkeypatch):
    """Build a network with two blocks a stage, since the others only repeat the second."""
    for network in (OctResNet, OctDenseNet):
        build = network.__init__

        def two_blocks(self, *arguments, build=build, **options):
            arguments = [(2, 2, 2, 2) if isinstance(a, tuple) else a for a in arguments]
            build(self, *arguments, **options)

        monkeypatch.setattr(network, "__init__", two_blocks)
    return create_model(name, alpha=0.25, num_classes=10)


def test_every_network_is_known():
    assert list_models() == sorted(PARAMETERS)


@pytest.mark.parametrize(
    "name",
    slow_but(["oct_mobilenet_v1", "oct_resnet18"], list_models()),
)
def test_every_network(name, monkeypatch, tmp_path):
    paddle.seed(5)
    net = create_model(name)
    assert trainable_parameters(net) == PARAMETERS[name]

    net.eval()
    for size in ((224, 224), (225, 161)):
        with paddle.no_grad():
            y = net(paddle.randn([2, 3, *size])).numpy()
        assert y.shape == (2, 1000)
        assert np.isfinite(y).all()
        assert np.abs(y[0] - y[1]).max() > 1e-6 * np.abs(y).max()  # it looks at the image
    assert_all_trained(train_step(net))

    net = shallow(name, monkeypatch)
    shapes = tuple((n, tuple(t.shape)) for n, t in net.state_dict().items())
    if shapes in EXPORTED:  # ResNet-50 differs from ResNet-26 in depth alone
        return
    EXPORTED.add(shapes)
    net.eval()
    path = str(tmp_path / "net")
    paddle.jit.save(net, path, input_spec=[InputSpec([None, 3, None, None], "float32", "x")])
    loaded = paddle.jit.load(path)
    x = paddle.randn([2, 3, 97, 65])
    np.testing.assert_allclose(loaded(x).numpy(), net(x).numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("network", SMALL)
@pytest.mark.parametrize("alpha", [0, 0.01, 0.33, 0.99, 1])
def test_alpha_is_a_closed_interval(network, alpha):
    net = SMALL[network](num_classes=10, alpha=alpha)
    assert_all_trained(train_step(net, (65, 97)))


@pytest.mark.parametrize("network", SMALL)
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_variants_train(network, options):
    paddle.seed(1)
    if "alpha" in options:
        stages = [0.5, 0.25, 0, 0.125] if "mobile" in network else [0.25, 0, 0.75]
        options = {**options, "alpha": stages}
    assert_all_trained(train_step(SMALL[network](num_classes=10, **options), (65, 97)))


@pytest.mark.parametrize("network", ["mobilenet", "resnet"])
@pytest.mark.parametrize("path", ["h2l", "l2h"])
def test_ablations_keep_only_the_transitions(network, path):
    kept = [n for n in SMALL[network](**{path: False}).state_dict() if f"conv_{path}" in n]
    opening = {
        "mobilenet": ["features.1.1"],
        "resnet": ["layer1.0.conv1", "layer1.0.downsample.0"],
    }
    closing = {
        "mobilenet": ["features.11.1"],
        "resnet": ["layer4.0.conv1", "layer4.0.downsample.0"],
    }
    names = (opening if path == "h2l" else closing)[network]
    assert sorted(kept) == [f"{name}.conv.conv_{path}.weight" for name in names]


@pytest.mark.parametrize(
    ("build", "keys"),
    [
        (
            oct_mobilenet_v1,
            [
                "features.0.0.weight",
                "features.0.1._mean",
                "features.1.0.conv.conv_h2h.weight",
                "features.1.1.conv.conv_h2l.weight",
                "features.2.0.conv.conv_l2l.weight",
                "features.2.0.bn_l.weight",
                "features.11.1.conv.conv_l2h.weight",
                "features.13.1.bn_h._variance",
                "fc.weight",
                "fc.bias",
            ],
        ),
        (
            oct_resnet50,
            [
                "conv1.weight",
                "bn1._mean",
                "layer1.0.conv1.conv.conv_h2l.weight",
                "layer1.0.downsample.0.conv.conv_h2l.weight",
                "layer1.0.downsample.0.bn_l.bias",
                "layer2.0.conv2.conv.conv_l2h.weight",
                "layer2.0.conv2.bn_l.weight",
                "layer4.0.conv1.conv.conv_l2h.weight",
                "layer4.0.downsample.0.conv.conv_l2h.weight",
                "layer4.2.conv3.bn_h._variance",
                "fc.weight",
                "fc.bias",
            ],
        ),
    ],
)
def test_names_in_the_state_dict(build, keys):
    names = set(build().state_dict())
    assert [key for key in keys if key not in names] == []
    last = ("features.12.", "features.13.", "layer4.1.", "layer4.2.", "layer4.0.conv2")
    vanilla = [n for n in names if n.startswith(last)]
    assert vanilla
    assert not any("_l" in n.replace("layer", "") for n in vanilla)


@pytest.mark.parametrize("network", SMALL)
def test_without_classifier_or_pooling(network):
    build = SMALL[network]
    channels = {"mobilenet": 256, "mobilenet v2": 1280, "resnet18": 512, "densenet": 104}
    channels = channels.get(network, 2048)
    whole = build(num_classes=10)
    headless, bare = build(num_classes=0), build(num_classes=0, with_pool=False)
    for net in (headless, bare):
        assert set(net.state_dict()) == set(whole.state_dict()) - {"fc.weight", "fc.bias"}
        net.set_state_dict({n: v for n, v in whole.state_dict().items() if "fc" not in n})
    for net in (whole, headless, bare):
        net.eval()
        assert net.num_features == channels
    for size in ((97, 65), (33, 40)):
        x = paddle.randn([2, 3, *size])
        features = bare(x)
        expected = [-(-s // 4) // 8 for s in size] if network == "densenet" else cells(size)
        assert features.shape == [2, channels, *expected]
        pooled = features.numpy().mean((2, 3), keepdims=True)
        np.testing.assert_allclose(headless(x).numpy(), pooled, rtol=1e-4, atol=1e-6)
        logits = pooled[:, :, 0, 0] @ whole.fc.weight.numpy() + whole.fc.bias.numpy()
        np.testing.assert_allclose(whole(x).numpy(), logits, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(whole.forward_features(x).numpy(), features.numpy())
        np.testing.assert_array_equal(whole.forward_head(features).numpy(), whole(x).numpy())


@pytest.mark.parametrize("alpha", [0, 0.5, "one stage"])
@pytest.mark.parametrize("network", ["mobilenet", "resnet"])
def test_the_last_stage_pools_where_the_network_is_octave(network, alpha):
    one_stage = {"mobilenet": [0, 0.5, 0, 0], "resnet": [0.5, 0, 0]}[network]
    net = SMALL[network](num_classes=10, alpha=one_stage if alpha == "one stage" else alpha)
    layer = net.features[12][0].conv if network == "mobilenet" else net.layer4[0].conv2.conv
    weight = layer.conv_h2h.weight
    x = paddle.randn([2, layer.in_channels, 7, 8])
    high, low = layer(x)
    assert low is None
    if alpha == 0:
        expected = paddle.nn.functional.conv2d(x, weight, None, 2, 1, groups=layer.groups)
    else:
        halved = paddle.nn.functional.avg_pool2d(x, 2, 2, ceil_mode=True)
        expected = paddle.nn.functional.conv2d(halved, weight, None, 1, 1, groups=layer.groups)
    np.testing.assert_allclose(high.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scale", [0.25, 0.75, 1.0, 1.5])
def test_width_of_the_mobilenet(scale):
    net = OctMobileNetV1(scale=scale, num_classes=0)
    assert net.features[0][0].weight.shape[0] == int(32 * scale)
    assert net.num_features == int(1024 * scale)
