"""What holds for every network: it builds, runs at any size, trains, and can be saved."""

import numpy as np
import paddle
import pytest
from paddle.static import InputSpec

from paddle_oct import (
    Bottleneck,
    OctMobileNetV1,
    OctResNet,
    create_model,
    list_models,
    oct_mobilenet_v1,
    oct_resnet50,
)

DEPTHS = {
    "oct_resnet50": (3, 4, 6, 3),
    "oct_resnet101": (3, 4, 23, 3),
    "oct_resnet152": (3, 8, 36, 3),
    "oct_resnet200": (3, 24, 36, 3),
}
SMALL = {
    "mobilenet": lambda **options: OctMobileNetV1(scale=0.25, num_classes=10, **options),
    "resnet": lambda **options: OctResNet(Bottleneck, (1, 1, 1, 2), num_classes=10, **options),
}
STAGES = {"mobilenet": [0.5, 0.25, 0, 0.125], "resnet": [0.25, 0, 0.75]}
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


@pytest.mark.parametrize("name", list_models())
def test_every_network_runs(name):
    net = create_model(name, num_classes=7)
    net.eval()
    size = (97, 65) if name in ("oct_mobilenet_v1", "oct_resnet50") else (32, 32)
    y = net(paddle.randn([2, 3, *size])).numpy()
    assert y.shape == (2, 7)
    assert np.isfinite(y).all()
    assert np.abs(y[0] - y[1]).max() > 1e-6 * np.abs(y).max()  # it looks at the image
    if name in DEPTHS:
        assert tuple(len(getattr(net, f"layer{n}")) for n in (1, 2, 3, 4)) == DEPTHS[name]


def test_every_network_is_known():
    assert list_models() == sorted([*DEPTHS, "oct_mobilenet_v1"])


@pytest.mark.parametrize("network", SMALL)
@pytest.mark.parametrize("alpha", [0, 0.01, 0.33, 0.99, 1])
def test_alpha_is_a_closed_interval(network, alpha):
    net = SMALL[network](alpha=alpha)
    assert_all_trained(train_step(net, (65, 97)))


@pytest.mark.parametrize("build", [SMALL["mobilenet"], oct_resnet50], ids=["mobilenet", "resnet50"])
def test_every_parameter_gets_a_gradient(build):
    paddle.seed(1)
    assert_all_trained(train_step(build()))


@pytest.mark.parametrize("network", SMALL)
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_variants_train(network, options):
    paddle.seed(1)
    if "alpha" in options:
        options = {**options, "alpha": STAGES[network]}
    assert_all_trained(train_step(SMALL[network](**options), (65, 97)))


@pytest.mark.parametrize("network", SMALL)
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
    build = {
        "mobilenet": lambda **options: OctMobileNetV1(scale=0.25, **options),
        "resnet": lambda **options: OctResNet(Bottleneck, (1, 1, 1, 1), **options),
    }[network]
    channels = {"mobilenet": 256, "resnet": 2048}[network]
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
        assert features.shape == [2, channels, *cells(size)]
        pooled = features.numpy().mean((2, 3), keepdims=True)
        np.testing.assert_allclose(headless(x).numpy(), pooled, rtol=1e-4, atol=1e-6)
        logits = pooled[:, :, 0, 0] @ whole.fc.weight.numpy() + whole.fc.bias.numpy()
        np.testing.assert_allclose(whole(x).numpy(), logits, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(whole.forward_features(x).numpy(), features.numpy())
        np.testing.assert_array_equal(whole.forward_head(features).numpy(), whole(x).numpy())


@pytest.mark.parametrize("alpha", [0, 0.5, "one stage"])
@pytest.mark.parametrize("network", SMALL)
def test_the_last_stage_pools_where_the_network_is_octave(network, alpha):
    one_stage = {"mobilenet": [0, 0.5, 0, 0], "resnet": [0.5, 0, 0]}[network]
    net = SMALL[network](alpha=one_stage if alpha == "one stage" else alpha)
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


@pytest.mark.parametrize("network", SMALL)  # a deeper one is only slower to convert
def test_save_and_load_for_inference(network, tmp_path):
    paddle.seed(8)
    net = SMALL[network](alpha=0.25)
    net.eval()
    path = str(tmp_path / "net")
    paddle.jit.save(net, path, input_spec=[InputSpec([None, 3, None, None], "float32", "x")])
    loaded = paddle.jit.load(path)
    for size in ((97, 65), (64, 64)):
        x = paddle.randn([2, 3, *size])
        np.testing.assert_allclose(loaded(x).numpy(), net(x).numpy(), rtol=1e-4, atol=1e-4)
