"""Networks of a user's own, and what the user may ask for."""

import copy

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn
from paddle.nn.functional import relu

from paddle_oct import OctaveConv, octavize

SIZE = (1, 3, 24, 32)


class Own(nn.Layer):
    """Functions by name, by module and as attributes; methods, operators, sizes, SE, dropout."""

    def __init__(self, kernel=1):
        super().__init__()
        self.stem = nn.Conv2D(3, 8, kernel, stride=2, padding=kernel // 2)
        self.a = nn.Conv2D(8, 12, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2D(12)
        self.b = nn.Conv2D(12, 12, kernel, padding=kernel // 2, groups=3)
        self.c = nn.Conv2D(12, 20, 1)
        self.squeeze = nn.Conv2D(32, 4, 1)
        self.excite = nn.Conv2D(4, 32, 1)
        self.depthwise = nn.Conv2D(32, 32, kernel, padding=kernel // 2, groups=32)
        self.gamma = self.create_parameter([1, 32, 1, 1])
        self.d = nn.Conv2D(32, 16, kernel, padding=kernel // 2)
        self.last = nn.Conv2D(16, 16, kernel, stride=2, padding=kernel // 2)
        self.act = F.silu
        self.acts = {"tanh": paddle.tanh}
        self.head = nn.Linear(16, 5)

    def forward(self, image):
        x = relu(self.stem(image))
        x = self.act(self.norm(self.a(x)))
        y = x + F.dropout(self.b(x), 0.2, training=self.training)
        y = 0.5 * y - self.acts["tanh"](x) / 3
        z = paddle.concat([y, self.c(y).clip(-2, 2)], axis=1)
        z = z * F.sigmoid(self.excite(relu(self.squeeze(F.adaptive_avg_pool2d(z, 1)))))
        z = self.depthwise(z) * self.gamma
        w = F.max_pool2d(relu(self.d(z)), 3, stride=1, padding=1)
        batch, channels, height, width = w.shape
        flat = w.reshape([batch, channels // 2, 2, height * width]).transpose([0, 2, 1, 3])
        w = w + flat.reshape([batch, channels, height, width])
        return self.head(self.last(w).mean([2, 3]))


@pytest.fixture(scope="module")
def own():
    paddle.seed(1)
    net = Own()
    rng = np.random.default_rng(1)
    for name in ("weight", "bias", "_mean", "_variance"):
        getattr(net.norm, name).set_value(rng.uniform(0.5, 1.5, [12]).astype("float32"))
    net.gamma.set_value(rng.uniform(0.5, 1.5, [1, 32, 1, 1]).astype("float32"))
    net.eval()
    return net


def constant(batch, height, width):
    return paddle.randn([batch, 3, 1, 1]).tile([1, 1, height, width])


@pytest.mark.parametrize("alpha", [0.25, 0.34, 0.5, 0.75])
@pytest.mark.parametrize("size", [(24, 32), (40, 56)], ids=str)
def test_constant_maps_give_the_same_output_at_any_alpha_batch_and_size(own, alpha, size):
    octave = octavize(own, alpha, input_size=SIZE)
    replaced = {conv.name for conv in octave.octave_report.replaced}
    assert {"c", "depthwise", "d"} <= replaced
    # 4 low channels of 12 do not divide by 3 groups, and b is added to what a makes.
    assert replaced.issuperset({"a", "b"}) == (alpha != 0.34)
    x = constant(3, *size)
    with paddle.no_grad():
        expected = own(x)
        np.testing.assert_allclose(octave(x).numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)
    assert float((expected[0] - expected[1]).abs().max()) > 1e-2


def test_what_needs_one_tensor_is_told(own):
    report = octavize(own, 0.5, input_size=SIZE).octave_report
    reasons = {conv.name: conv.reason for conv in report.left}
    assert reasons == {
        "stem": "stem: it reads the network's input",
        "squeeze": "it works on globally pooled values",
        "excite": "it works on globally pooled values",
        "last": "last stage (6x8)",
    }
    assert "5 of 9 convolutions replaced" in str(report)
    for conv in report.convs:
        assert conv.name in str(report)


def test_the_network_itself_is_left_alone(own):
    before = {name: tensor.numpy() for name, tensor in own.state_dict().items()}
    modes = [layer.training for layer in own.sublayers(include_self=True)]
    octavize(own, 0.5, input_size=SIZE)
    assert type(own) is Own
    assert own.act is F.silu
    assert own.acts["tanh"] is paddle.tanh
    assert [layer.training for layer in own.sublayers(include_self=True)] == modes
    assert all((before[n] == t.numpy()).all() for n, t in own.state_dict().items())
    assert type(vars(paddle.Tensor)["shape"]).__name__ == "getset_descriptor"


def test_in_place_keeps_the_parameters_that_are_not_cut():
    net = Own()
    head = net.head.weight
    octave = octavize(net, 0.5, input_size=SIZE, inplace=True)
    assert octave is net
    assert isinstance(net, Own)
    assert net.head.weight is head
    assert isinstance(net.a, OctaveConv)


def test_in_place_leaves_the_network_as_it_was_if_it_fails(monkeypatch):
    net = Own()
    layers = dict(net.named_sublayers())

    def fail(*_):
        raise ValueError("made up")

    monkeypatch.setattr("paddle_oct.conversion.convert.check_converted", fail)
    with pytest.raises(ValueError, match="made up"):
        octavize(net, 0.5, input_size=SIZE, inplace=True)
    assert type(net) is Own
    assert all(layer is layers[name] for name, layer in net.named_sublayers())


def test_it_is_an_ordinary_network(own, tmp_path, capsys):
    octave = octavize(own, 0.5, input_size=SIZE)
    x = paddle.randn([2, 3, 30, 20])
    y = octave(x).numpy()
    np.testing.assert_array_equal(copy.deepcopy(octave)(x).numpy(), y)
    other = octavize(Own(), 0.5, input_size=SIZE)
    other.eval()
    assert other.set_state_dict(octave.state_dict()) == ([], [])
    np.testing.assert_array_equal(other(x).numpy(), y)
    parameters = paddle.summary(octave, SIZE)["total_params"]
    assert parameters == paddle.summary(own, SIZE)["total_params"]
    assert "OctaveConv" in capsys.readouterr().out
    spec = [paddle.static.InputSpec([None, 3, None, None])]
    paddle.jit.save(octave, str(tmp_path / "net"), input_spec=spec)
    loaded = paddle.jit.load(str(tmp_path / "net"))
    np.testing.assert_allclose(loaded(x).numpy(), y, rtol=1e-4, atol=1e-6)

    model = paddle.Model(other)
    optimizer = paddle.optimizer.Adam(parameters=other.parameters())
    model.prepare(optimizer, nn.CrossEntropyLoss())
    images = np.random.default_rng(0).normal(size=(8, 3, 24, 32)).astype("float32")
    losses = [np.ravel(model.train_batch([images], [np.arange(8) % 5]))[0] for _ in range(6)]
    assert losses[-1] < losses[0]


# -- what the user asks for -----------------------------------------------------------------------


def chain(*widths):
    layers = []
    for channels, width in zip((3, *widths), widths):
        layers += [nn.Conv2D(channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2D(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2D(1), nn.Flatten())


def alphas(net):
    return {c.name: (c.alpha_in, c.alpha_out) for c in net.octave_report.replaced}


def test_include_and_exclude():
    net = chain(8, 8, 8, 8)
    assert alphas(octavize(net, 0.5, input_size=(1, 3, 32, 32))) == {
        "3": (0, 0.5),
        "6": (0.5, 0.5),
        "9": (0.5, 0),
    }
    everything = octavize(net, 0.5, input_size=(1, 3, 32, 32), include="*")
    assert alphas(everything)["0"] == (0, 0.5)
    assert alphas(everything)["9"] == (0.5, 0.5)
    assert alphas(octavize(net, 0.5, input_size=(1, 3, 32, 32), exclude=["6", "9"])) == {}


def test_alpha_per_stage_and_per_layer():
    net = chain(8, 8, 8, 8)
    staged = octavize(net, [0.5, 0.25], input_size=(1, 3, 32, 32))
    assert alphas(staged) == {"3": (0, 0.5), "6": (0.5, 0.25), "9": (0.25, 0)}
    named = octavize(net, {"6": 0.25, "*": 0.75}, input_size=(1, 3, 32, 32))
    assert alphas(named) == {"3": (0, 0.75), "6": (0.75, 0.25), "9": (0.25, 0)}
    with pytest.raises(ValueError, match=r"2 of them, one per stage \(16x16, 8x8\), got 3"):
        octavize(net, [0.5, 0.5, 0.5], input_size=(1, 3, 32, 32))


def test_alpha_1_has_no_high_band():
    octave = octavize(chain(8, 8, 8, 8), 1, input_size=(1, 3, 32, 32))
    assert alphas(octave) == {"3": (0, 1), "6": (1, 1), "9": (1, 0)}
    assert octave(paddle.rand([2, 3, 32, 32])).shape == [2, 8]


def test_what_cannot_be_replaced_stays_with_its_reason():
    class Net(nn.Layer):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2D(3, 8, 1)
            self.twice = nn.Conv2D(8, 8, 1)
            self.hooked = nn.utils.weight_norm(nn.Conv2D(8, 8, 1))
            self.even = nn.Conv2D(8, 8, 4)
            self.unused = nn.Conv2D(8, 8, 1)
            self.good = nn.Sequential(nn.Conv2D(8, 8, 1), nn.Conv2D(8, 8, 1))

        def forward(self, x):
            x = self.good(self.hooked(self.twice(self.twice(self.stem(x)))))
            return F.avg_pool2d(self.even(x), 2)

    report = octavize(Net(), 0.5, input_size=(1, 3, 16, 16)).octave_report
    reasons = {conv.name: conv.reason for conv in report.left}
    assert [conv.name for conv in report.replaced] == ["good.0", "good.1"]
    assert reasons["twice"] == "it runs 2 times"
    assert "hooks" in reasons["hooked"]
    assert "would not line up" in reasons["even"]
    assert "does not call it" in reasons["unused"]


# -- errors ---------------------------------------------------------------------------------------


class Reads(nn.Layer):
    def __init__(self, forward):
        super().__init__()
        self.conv = nn.Conv2D(3, 8, 1)
        self.then = forward
        self.seen = []

    def forward(self, x):
        return self.then(self, self.conv(x))


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda self, x: x * float(x.mean()), r"reads the values of a tensor \(Tensor.__float__\)"),
        (lambda self, x: x + paddle.to_tensor(x.numpy()), r"Tensor.numpy"),
        (lambda self, x: x * 2 if self.training else x, "something else in training"),
        (lambda self, x: (x, x) if self.training else x, "something else in training"),
        (lambda self, x: x * 2 if x.mean() > 0 else x, r"Tensor.__bool__"),
        (lambda self, x: x + self.conv.bias.tolist()[0], "values of parameter 'conv.bias'"),
        (
            lambda self, x: (
                x * 2 if x.size > 9 and not self.seen.append(1) and len(self.seen) < 2 else x
            ),
            "could not be followed",
        ),
        (lambda self, x: nn.Conv2D(8, 8, 1)(x), "no sub-layer"),
    ],
)
def test_a_forward_that_cannot_be_followed(forward, message):
    net = Reads(forward)
    with pytest.raises(ValueError, match=rf"octavize: Reads: .*{message}"):
        octavize(net, 0.5, input_size=(1, 3, 16, 16), inplace=True)
    assert type(net) is Reads
    assert type(net.conv) is nn.Conv2D


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"model": "resnet50"}, TypeError, r"must be a paddle.nn.Layer, got str"),
        ({"alpha": 1.5}, ValueError, r"alpha must be in \[0, 1\], got 1.5"),
        ({"alpha": "half"}, TypeError, r"alpha must be a number, a list"),
        ({"alpha": {"4": 0.5}}, ValueError, r"'4' matches no convolution; the network's"),
        ({"alpha": {"3": 0.05}}, ValueError, r"3: alpha=0.05 leaves none of its 8 channels"),
        ({"alpha": 0.05}, ValueError, r"alpha=0.05 leaves none of its 8 channels"),
        ({"exclude": "featres"}, ValueError, r"'featres' matches no convolution"),
        ({"include": [3]}, TypeError, r"include must hold names of layers, got 3"),
        ({"input_size": (3, 32, 32)}, ValueError, r"input_size must be \(N, C, H, W\)"),
        ({"input_size": (1, 4, 32, 32)}, ValueError, r"does not take an input of \[1, 4, 32, 32\]"),
        ({"downsample": "max"}, ValueError, r"downsample must be 'avg_pool', 'strided_conv'"),
    ],
)
def test_bad_arguments(arguments, kind, message):
    given = {"model": chain(8, 8, 8, 8), "alpha": 0.5, "input_size": (1, 3, 32, 32), **arguments}
    with pytest.raises(kind, match=message):
        octavize(given.pop("model"), given.pop("alpha"), **given)


def test_nearest_names_are_suggested():
    net = nn.Sequential(("features", chain(8, 8, 8)))
    with pytest.raises(ValueError, match="did you mean features"):
        octavize(net, 0.5, exclude="featres", input_size=(1, 3, 32, 32))


def test_an_octave_network_is_not_converted_again():
    octave = octavize(chain(8, 8, 8, 8), 0.5, input_size=(1, 3, 32, 32))
    with pytest.raises(ValueError, match="is an octave network already"):
        octavize(octave, 0.5, input_size=(1, 3, 32, 32))


def test_one_sum_has_one_alpha():
    class Sum(nn.Layer):
        def __init__(self):
            super().__init__()
            self.stem, self.a, self.b, self.c = (nn.Conv2D(n, 8, 1) for n in (3, 8, 8, 8))

        def forward(self, x):
            x = self.stem(x)
            return self.c(self.a(x) + self.b(x))

    with pytest.raises(ValueError, match=r"one sum and need the same alpha: a 0.5, b 0.25"):
        octavize(Sum(), {"a": 0.5, "b": 0.25}, input_size=(1, 3, 8, 8))


class NaNWhenSmall(nn.Layer):
    """NaN for less than 20 rows, as a pooling layer may be; and the fourth call is different."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2D(3, 8, 1)
        self.body = nn.Conv2D(8, 8, 1)
        self.calls = 0

    def forward(self, image):
        self.calls += 1
        rows = paddle.ones_like(image)[:, :1, :, :1].sum(axis=2, keepdim=True)
        x = self.body(self.stem(image)) * paddle.sqrt(rows - 20.0)
        return x.mean([2, 3]) * (2.0 if self.calls == 4 else 1.0)


def test_a_size_at_which_all_is_nan_proves_nothing():
    with pytest.raises(ValueError, match="could not be followed"):
        octavize(NaNWhenSmall(), 0.5, input_size=SIZE)
