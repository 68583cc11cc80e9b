"""The octave networks, written out with F.conv2d from their state dict.

The equality at alpha 0 shows the order of layers and strides; this shows where the octave opens and
closes, what is pooled, and the names and channels of everything in a state dict.
"""

from functools import partial

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from helpers import halve

from paddle_oct import BasicBlock, Bottleneck, OctDenseNet, OctMobileNetV1, OctResNet
from paddle_oct.models import Bottleneck32x4d, OctResNetV1e, SEBottleneck
from paddle_oct.models.oct_resnet_v1e import SEBottleneckV1e

WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
STAGES = (0, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3, 4, 4)
LAYERS = (1, 2, 1, 2)
SIZES = [(97, 65), (64, 80)]


class Written:
    """The equation over a state dict, remembering which of its entries it used."""

    def __init__(self, net, downsample="avg_pool"):
        self.state = net.state_dict()
        self.used = set()
        self.pooled = downsample == "avg_pool"

    def get(self, name):
        self.used.add(name)
        return self.state[name]

    def norm(self, name, x):
        mean, variance = self.get(f"{name}._mean"), self.get(f"{name}._variance")
        free = f"{name}.weight" not in self.state
        affine = [None if free else self.get(f"{name}.{p}") for p in ("weight", "bias")]
        return F.batch_norm(x, mean, variance, *affine)

    def conv(self, name, x, stride, depthwise, groups=1):
        weight = self.get(f"{name}.weight")
        groups = x.shape[1] if depthwise else groups
        return F.conv2d(x, weight, stride=stride, padding=weight.shape[2] // 2, groups=groups)

    def octave(self, name, pair, alpha_out, stride=1, depthwise=False, groups=1):
        """Convolution from ``pair`` to ``alpha_out``, whatever the state dict holds."""
        high, low = pair
        if self.pooled:
            down = halve
            if stride == 2:
                high, low = (None if x is None else down(x) for x in pair)
        high_terms, low_terms = [], []
        inner = 1 if self.pooled else stride
        if high is not None and alpha_out < 1:
            high_terms.append(self.conv(f"{name}.conv_h2h", high, inner, depthwise, groups))
        if pair[1] is not None and alpha_out < 1 and not depthwise:
            y = self.conv(f"{name}.conv_l2h", pair[1], 1, depthwise, groups)
            if stride == 1:
                like = high_terms[0].shape[2:] if high_terms else [2 * s for s in y.shape[2:]]
                y = y.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, : like[0], : like[1]]
            high_terms.append(y)
        if low is not None and alpha_out > 0:
            low_terms.append(self.conv(f"{name}.conv_l2l", low, inner, depthwise, groups))
        if high is not None and alpha_out > 0 and not depthwise:
            x, step = (halve(high), 1) if self.pooled else (high, 2 * stride)
            low_terms.append(self.conv(f"{name}.conv_h2l", x, step, depthwise, groups))
        return tuple(
            sum(terms[1:], terms[0]) if terms else None for terms in (high_terms, low_terms)
        )

    def norms(self, names, pair, relu=True):
        bands = [None if x is None else self.norm(n, x) for n, x in zip(names, pair)]
        return tuple(F.relu(x) if relu and x is not None else x for x in bands)

    def conv_bn(self, name, pair, alpha_out, stride=1, depthwise=False, relu=True, groups=1):
        pair = self.octave(f"{name}.conv", pair, alpha_out, stride, depthwise, groups)
        return self.norms((f"{name}.bn_h", f"{name}.bn_l"), pair, relu)

    def squeeze_and_excite(self, name, pair):
        alive = [x for x in pair if x is not None]
        means = paddle.concat([x.mean(axis=(2, 3), keepdim=True) for x in alive], axis=1)

        def dense(layer, x):
            return F.conv2d(x, self.get(f"{name}.{layer}.weight"), self.get(f"{name}.{layer}.bias"))

        squeezed = F.relu(dense("squeeze", means))
        return tuple(
            None if x is None else x * F.sigmoid(dense(f"excite_{band}", squeezed))
            for x, band in zip(pair, "hl")
        )

    def head(self, high):
        weight, bias = self.get("fc.weight"), self.get("fc.bias")
        return high.mean(axis=(2, 3)) @ weight + bias

    def mobilenet(self, x, alphas):
        x = F.conv2d(x, self.get("features.0.0.weight"), stride=2, padding=1)
        pair, alpha_in = (F.relu(self.norm("features.0.1", x)), None), 0
        for number, (stride, stage) in enumerate(zip(STRIDES, STAGES), start=1):
            alpha_out = 0 if number >= 11 else alphas[stage]
            pair = self.conv_bn(f"features.{number}.0", pair, alpha_in, stride, depthwise=True)
            pair = self.conv_bn(f"features.{number}.1", pair, alpha_out)
            alpha_in = alpha_out
        return self.head(pair[0])

    def bottleneck(self, name, pair, alpha, stride, groups=1, strided=2):
        y = self.conv_bn(f"{name}.conv1", pair, alpha)
        y = self.conv_bn(f"{name}.conv2", y, alpha, stride if strided == 2 else 1, groups=groups)
        return self.conv_bn(f"{name}.conv3", y, alpha, stride if strided == 3 else 1, relu=False)

    def basic(self, name, pair, alpha, stride):
        y = self.conv_bn(f"{name}.conv1", pair, alpha, stride)
        return self.conv_bn(f"{name}.conv2", y, alpha, relu=False)

    def resnet(self, x, alphas, se=False, basic=False, **form):
        x = F.conv2d(x, self.get("conv1.weight"), stride=2, padding=3)
        x = F.relu(self.norm("bn1", x))
        return self.stages(x, alphas, self.basic if basic else self.bottleneck, se, **form)

    def se_resnet_v1e(self, x, alphas):
        for index, stride in ((0, 2), (3, 1), (6, 1)):
            x = F.conv2d(x, self.get(f"conv1.{index}.weight"), stride=stride, padding=1)
            x = F.relu(self.norm(f"conv1.{index + 1}", x))
        return self.stages(x, alphas, self.bottleneck, se=True, free_norms=True, strided=3)

    def stages(self, x, alphas, block, se, free_norms=False, **form):
        pair = F.max_pool2d(x, 3, 2, 1), None
        for stage, (depth, alpha) in enumerate(zip(LAYERS, (*alphas, 0)), start=1):
            for index in range(depth):
                name = f"layer{stage}.{index}"
                stride = 2 if stage > 1 and index == 0 else 1
                x, shortcut = pair, f"{name}.downsample.0"
                if free_norms:
                    x = self.norms((f"{name}.norm1.high", f"{name}.norm1.low"), pair, relu=False)
                y = block(name, x, alpha, stride, **form)
                if se:
                    y = self.squeeze_and_excite(f"{name}.se", y)
                if any(key.startswith(shortcut) for key in self.state):
                    if free_norms:
                        norms = (f"{name}.norm4.high", f"{name}.norm4.low")
                        pair = self.norms(norms, pair, relu=False)
                    pair = self.conv_bn(shortcut, pair, alpha, stride, relu=False)
                elif index == 0:  # the identity moves channels to the low band
                    high = pair[0].shape[1] - int(alpha * pair[0].shape[1])
                    low = halve(pair[0][:, high:]) if alpha > 0 else None
                    pair = (pair[0][:, :high] if alpha < 1 else None), low
                pair = tuple(None if p is None else F.relu(p + q) for p, q in zip(pair, y))
        return self.head(pair[0])

    def densenet(self, x, alphas):
        x = F.conv2d(x, self.get("conv1.weight"), stride=2, padding=3)
        pair = F.max_pool2d(F.relu(self.norm("bn1", x)), 3, 2, 1), None
        for stage, (depth, alpha) in enumerate(zip(LAYERS, (*alphas, 0)), start=1):
            if stage > 1:
                name = f"transition{stage - 1}"
                pair = self.norms((f"{name}.norm.high", f"{name}.norm.low"), pair)
                high, low = self.octave(f"{name}.conv", pair, alpha)
                high = None if high is None else F.avg_pool2d(high, 2, 2)
                if low is not None and high is None:
                    low = F.avg_pool2d(low, 2, 2)
                elif low is not None:
                    height, width = (-(-s // 2) for s in high.shape[2:])
                    low = halve(low)[:, :, :height, :width]
                pair = high, low
            for index in range(depth):
                name, y = f"block{stage}.{index}", pair
                for number in (1, 2):
                    norms = (f"{name}.norm{number}.high", f"{name}.norm{number}.low")
                    y = self.octave(f"{name}.conv{number}", self.norms(norms, y), alpha)
                pair = tuple(
                    b if a is None else a if b is None else paddle.concat([a, b], axis=1)
                    for a, b in zip(pair, y)
                )
        return self.head(F.relu(self.norm("norm.0.high", pair[0])))


def prepare(net, seed=3):
    """Evaluation mode, and norms with values of their own."""
    rng = np.random.default_rng(seed)
    for name, tensor in net.state_dict().items():
        if len(tensor.shape) == 1:
            low, high = (-0.1, 0.1) if name.endswith("_mean") else (0.5, 1.5)
            tensor.set_value(rng.uniform(low, high, tensor.shape).astype("float32"))
    net.eval()
    return net


def assert_written(net, written, forward, alphas):
    for size in SIZES:
        x = paddle.randn([2, 3, *size])
        with paddle.no_grad():
            actual, expected = net(x).numpy(), forward(x, alphas).numpy()
        scale = np.abs(expected).max()
        assert scale > 1e-3
        assert np.abs(actual - expected).max() <= 1e-4 * scale
    assert written.used == set(net.state_dict())  # nothing is stored that is not used


@pytest.mark.parametrize("downsample", ["avg_pool", "strided_conv"])
@pytest.mark.parametrize(
    "alphas",
    [(0.5,) * 4, (1,) * 4, (0.25, 0, 0.5, 0.75), (0, 0, 0, 0.5), (0.5, 1, 0.5, 1)],
    ids=str,
)
def test_mobilenet(alphas, downsample):
    paddle.seed(2)
    alpha = alphas[0] if len(set(alphas)) == 1 else list(alphas)
    chosen = {} if downsample == "avg_pool" else {"downsample": downsample}  # pooling by default
    net = prepare(OctMobileNetV1(scale=0.25, num_classes=10, alpha=alpha, **chosen))
    written = Written(net, downsample)
    assert_written(net, written, written.mobilenet, alphas)


@pytest.mark.parametrize("downsample", ["avg_pool", "strided_conv"])
@pytest.mark.parametrize(
    "alphas", [(0.5,) * 3, (1,) * 3, (0.5, 0.25, 0.125), (0.5, 0, 0), (0, 1, 0.5)], ids=str
)
def test_resnet(alphas, downsample):
    paddle.seed(2)
    alpha = alphas[0] if len(set(alphas)) == 1 else list(alphas)
    chosen = {} if downsample == "avg_pool" else {"downsample": downsample}
    net = prepare(OctResNet(Bottleneck, LAYERS, num_classes=10, alpha=alpha, **chosen))
    written = Written(net, downsample)
    assert_written(net, written, written.resnet, alphas)


@pytest.mark.parametrize("alphas", [(0.5,) * 3, (1,) * 3, (0.5, 0, 0.25)], ids=str)
@pytest.mark.parametrize(
    ("network", "block", "form"),
    [
        (OctResNet, BasicBlock, {"basic": True}),
        (OctResNet, Bottleneck32x4d, {"groups": 32}),
        (OctResNet, SEBottleneck, {"se": True}),
        (OctResNetV1e, SEBottleneckV1e, None),
    ],
    ids=["basic", "resnext", "se", "se v1e"],
)
def test_other_residual_networks(network, block, form, alphas):
    paddle.seed(2)
    net = prepare(network(block, LAYERS, num_classes=10, alpha=list(alphas)))
    written = Written(net)
    forward = written.se_resnet_v1e if form is None else partial(written.resnet, **form)
    assert_written(net, written, forward, alphas)


@pytest.mark.parametrize("alphas", [(0.5,) * 3, (1,) * 3, (0.5, 0, 0.25), (0, 1, 0.5)], ids=str)
def test_densenet(alphas):
    paddle.seed(2)
    net = prepare(OctDenseNet(LAYERS, num_classes=10, alpha=list(alphas)))
    written = Written(net)
    assert_written(net, written, written.densenet, alphas)


def test_channels_of_the_bands():
    state = OctResNet(Bottleneck, LAYERS, alpha=(0.5, 0.25, 0.125)).state_dict()
    for stage, alpha in ((1, 0.5), (2, 0.25), (3, 0.125)):
        width = 64 * 2 ** (stage - 1)
        for conv, channels in (("conv1", width), ("conv2", width), ("conv3", 4 * width)):
            low = int(alpha * channels)
            assert state[f"layer{stage}.0.{conv}.bn_h.weight"].shape == [channels - low]
            assert state[f"layer{stage}.0.{conv}.bn_l.weight"].shape == [low]
    state = OctMobileNetV1(alpha=[0.5, 0.25, 0.125, 0.75]).state_dict()
    alphas = [0.5, 0.25, 0.125, 0.75, 0]
    for number, (width, stage) in enumerate(zip(WIDTHS, STAGES), start=1):
        low = 0 if number == 11 else int(alphas[stage] * width)
        assert state[f"features.{number}.1.bn_h.weight"].shape == [width - low]
        assert (f"features.{number}.1.bn_l.weight" in state) == bool(low)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: (paddle.zeros([1, 3, 32, 32]), None), "expected a Tensor .* got tuple"),
        (lambda: np.zeros([1, 3, 32, 32], "float32"), "expected a Tensor .* got ndarray"),
        (lambda: paddle.zeros([1, 4, 32, 32]), r"shape \[N, 3, H, W\], got \[1, 4, 32, 32\]"),
        (lambda: paddle.zeros([3, 32, 32]), r"shape \[N, 3, H, W\], got \[3, 32, 32\]"),
    ],
)
@pytest.mark.parametrize("features_only", [False, True])
def test_inputs_that_are_no_images(given, message, features_only):
    network = OctMobileNetV1(scale=0.25, features_only=features_only)
    with pytest.raises((TypeError, ValueError), match=f"OctMobileNetV1: .*{message}"):
        network(given())


@pytest.mark.parametrize("layers", [(1, 1, 1, 0), (1, -1, 1, 1), (1, 1, 1), (1, 1.5, 1, 1)])
def test_wrong_numbers_of_blocks(layers):
    with pytest.raises(ValueError, match="OctResNet: layers must be four positive integers"):
        OctResNet(Bottleneck, layers)


def test_what_is_no_block():
    with pytest.raises(TypeError, match="block must be a class such as Bottleneck, got 'basic'"):
        OctResNet("basic", (1, 1, 1, 1))
    with pytest.raises(TypeError, match="layers must be four integers, got 50"):
        OctResNet(Bottleneck, 50)
