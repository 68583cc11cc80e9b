"""The octave networks, written out with F.conv2d from their state dict.

The equality at alpha 0 shows the order of layers and strides; this shows where the octave opens and
closes, what is pooled, and the names and channels of everything in a state dict.
"""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from paddle_oct import Bottleneck, OctMobileNetV1, OctResNet

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
        return F.batch_norm(x, mean, variance, self.get(f"{name}.weight"), self.get(f"{name}.bias"))

    def conv(self, name, x, stride, depthwise):
        weight = self.get(f"{name}.weight")
        groups = x.shape[1] if depthwise else 1
        return F.conv2d(x, weight, stride=stride, padding=weight.shape[2] // 2, groups=groups)

    def halve(self, x):
        return F.avg_pool2d(x, 2, 2, ceil_mode=True)

    def conv_bn(self, name, pair, alpha_out, stride=1, depthwise=False, relu=True):
        """Convolution and norm from ``pair`` to ``alpha_out``, whatever the state dict holds."""
        high, low = pair
        if self.pooled:
            down = self.halve
            if stride == 2:
                high, low = (None if x is None else down(x) for x in pair)
        high_terms, low_terms = [], []
        inner = 1 if self.pooled else stride
        if high is not None and alpha_out < 1:
            high_terms.append(self.conv(f"{name}.conv.conv_h2h", high, inner, depthwise))
        if pair[1] is not None and alpha_out < 1 and not depthwise:
            y = self.conv(f"{name}.conv.conv_l2h", pair[1], 1, depthwise)
            if stride == 1:
                like = high_terms[0].shape[2:] if high_terms else [2 * s for s in y.shape[2:]]
                y = y.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, : like[0], : like[1]]
            high_terms.append(y)
        if low is not None and alpha_out > 0:
            low_terms.append(self.conv(f"{name}.conv.conv_l2l", low, inner, depthwise))
        if high is not None and alpha_out > 0 and not depthwise:
            x, step = (self.halve(high), 1) if self.pooled else (high, 2 * stride)
            low_terms.append(self.conv(f"{name}.conv.conv_h2l", x, step, depthwise))
        bands = []
        for terms, band in ((high_terms, "h"), (low_terms, "l")):
            y = self.norm(f"{name}.bn_{band}", sum(terms[1:], terms[0])) if terms else None
            bands.append(F.relu(y) if relu and y is not None else y)
        return tuple(bands)

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

    def resnet(self, x, alphas):
        x = F.conv2d(x, self.get("conv1.weight"), stride=2, padding=3)
        pair = F.max_pool2d(F.relu(self.norm("bn1", x)), 3, 2, 1), None
        for stage, (depth, alpha) in enumerate(zip(LAYERS, (*alphas, 0)), start=1):
            for index in range(depth):
                name = f"layer{stage}.{index}"
                stride = 2 if stage > 1 and index == 0 else 1
                y = self.conv_bn(f"{name}.conv1", pair, alpha)
                y = self.conv_bn(f"{name}.conv2", y, alpha, stride)
                y = self.conv_bn(f"{name}.conv3", y, alpha, relu=False)
                if index == 0:
                    shortcut = f"{name}.downsample.0"
                    pair = self.conv_bn(shortcut, pair, alpha, stride, relu=False)
                pair = tuple(None if p is None else F.relu(p + q) for p, q in zip(pair, y))
        return self.head(pair[0])


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
