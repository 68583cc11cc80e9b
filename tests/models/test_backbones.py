"""features_only: the stages of a network for detection and segmentation heads."""

import numpy as np
import paddle
import pytest

from paddle_oct import (
    BasicBlock,
    Bottleneck,
    OctDenseNet,
    OctMobileNetV1,
    OctMobileNetV2,
    OctResNet,
    create_model,
)
from paddle_oct.nn import merge

BUILD = {
    "mobilenet v1": lambda **options: OctMobileNetV1(scale=0.25, **options),
    "mobilenet v2": lambda **options: OctMobileNetV2(scale=0.25, **options),
    "resnet18": lambda **options: OctResNet(BasicBlock, (1, 1, 1, 1), **options),
    "resnet": lambda **options: OctResNet(Bottleneck, (1, 1, 1, 1), **options),
    "densenet": lambda **options: OctDenseNet((1, 2, 1, 1), **options),
}
HEAD = ("fc.", "last.")
CHANNELS = {
    "oct_densenet121": [256, 512, 1024, 1024],
    "oct_mobilenet_v1": [64, 128, 256, 512, 1024],
    "oct_mobilenet_v2": [16, 24, 32, 96, 320],
    "oct_resnet18": [64, 128, 256, 512],
    "oct_resnext50_32x4d": [256, 512, 1024, 2048],
}


@pytest.mark.parametrize("alpha", [0, 0.25, 1])
@pytest.mark.parametrize("network", BUILD)
def test_stages(network, alpha):
    paddle.seed(4)
    whole = BUILD[network](alpha=alpha, num_classes=10)
    pairs, merged = (
        BUILD[network](alpha=alpha, features_only=True, merge_features=m) for m in (False, True)
    )
    state = {n: v for n, v in whole.state_dict().items() if not n.startswith(HEAD)}
    for net in (whole, pairs, merged):
        assert net.set_state_dict(state)[1] == []
        net.eval()
    assert set(pairs.state_dict()) == set(merged.state_dict()) == set(state)

    x = paddle.randn([2, 3, 96, 160])
    features = pairs(x)
    assert len(features) == len(pairs.feature_info)
    for stage, (high, low), whole_map in zip(pairs.feature_info, features, merged(x)):
        size = [96 // stage.stride, 160 // stage.stride]
        expected = [
            [2, stage.high, *size] if stage.high else None,
            [2, stage.low, *(-(-s // 2) for s in size)] if stage.low else None,
        ]
        shapes = [None if band is None else list(band.shape) for band in (high, low)]
        assert shapes == expected
        assert stage.high + stage.low == stage.channels
        if stage.stride < 32:  # the last stages have odd sizes, where alpha 1 forgets the last cell
            assert list(whole_map.shape) == [2, stage.channels, *size]
        np.testing.assert_array_equal(whole_map.numpy(), merge((high, low)).numpy())

    # The last one is what the classifier sees, and each is the output of the layer it names.
    if network != "mobilenet v2":
        np.testing.assert_array_equal(whole.forward_features(x).numpy(), features[-1][0].numpy())
    seen = {}
    for name, layer in whole.named_sublayers():
        if name in [stage.name for stage in whole.feature_info]:
            layer.register_forward_post_hook(lambda _, __, y, name=name: seen.update({name: y}))
    whole(x)
    for stage, feature in zip(whole.feature_info, features):
        for band, other in zip(feature, seen[stage.name]):
            if band is not None:
                np.testing.assert_array_equal(band.numpy(), other.numpy())


@pytest.mark.parametrize("size", [(225, 161), (33, 65)], ids=str)
@pytest.mark.parametrize("network", BUILD)
def test_any_size(network, size):
    net = BUILD[network](features_only=True)
    net.eval()
    for stage, feature in zip(net.feature_info, net(paddle.randn([1, 3, *size]))):
        expected = [-(-s // stage.stride) for s in size]
        if network == "densenet":  # its pooling rounds down
            expected = [-(-s // 4) // (stage.stride // 4) for s in size]
        assert list(feature.shape) == [1, stage.channels, *expected]


@pytest.mark.parametrize("name", CHANNELS)
def test_channels_by_name(name):
    info = create_model(name, features_only=True, alpha=0.5).feature_info
    assert [stage.channels for stage in info] == CHANNELS[name]
    assert [stage.stride for stage in info] == [2, 4, 8, 16, 32][-len(info) :]


def test_every_parameter_of_a_backbone_is_used():
    for network in ("mobilenet v2", "densenet"):
        net = BUILD[network](features_only=True)
        sum((feature**2).mean() for feature in net(paddle.randn([2, 3, 64, 64]))).backward()
        unused = [n for n, p in net.named_parameters() if p.trainable and p.grad is None]
        assert unused == []


def test_export(tmp_path):
    net = BUILD["resnet18"](features_only=True)
    net.eval()
    x = paddle.static.InputSpec([None, 3, None, None], "float32", "x")
    paddle.jit.save(net, str(tmp_path / "net"), input_spec=[x])
    loaded = paddle.jit.load(str(tmp_path / "net"))
    image = paddle.randn([1, 3, 97, 65])
    for ours, theirs in zip(net(image), loaded(image)):
        np.testing.assert_allclose(theirs.numpy(), ours.numpy(), rtol=1e-4, atol=1e-4)
