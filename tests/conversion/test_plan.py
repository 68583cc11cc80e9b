"""The plan of a conversion: which tensors become pairs, in which rounds, and what that costs."""

import re
from pathlib import Path

import paddle
import pytest
from paddle import nn

import paddle_oct.conversion
from paddle_oct import octavize
from paddle_oct.conversion.follow import record
from paddle_oct.conversion.network import examine
from paddle_oct.conversion.pairs import find_pairs
from paddle_oct.conversion.selection import Selection

SIZE = (1, 3, 32, 32)


class Net(nn.Layer):
    """Layers by name, and a forward."""

    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.then = forward

    def forward(self, x):
        return self.then(self, x)


def conv(*channels, **options):
    return nn.Conv2D(*channels, **{"kernel_size": 1, **options})


def reasons(net):
    return {c.name: c.reason for c in net.octave_report.left}


def alphas(net):
    return {c.name: (c.alpha_in, c.alpha_out) for c in net.octave_report.replaced}


def test_each_round_leaves_one_more_grouped_convolution():
    """The 12 channels between b and c need 12 equal parts at first, and 4 once b is left."""
    net = Net(
        lambda self, x: self.d(self.c(self.b(self.a(self.stem(x))))),
        stem=conv(3, 12),
        a=conv(12, 12),
        b=conv(12, 12, groups=6),
        c=conv(12, 12, groups=4),
        d=conv(12, 12),
    )
    octave = octavize(net, 0.5, input_size=SIZE, include=["a", "b", "c", "d"])
    assert reasons(octave) == {
        "stem": "stem: it reads the network's input",
        "a": "what follows needs one tensor (b)",
        "b": "groups=12 does not divide bands of 6 and 6 channels",
        "c": "groups=4 does not divide bands of 6 and 6 channels",
        "d": "what follows needs one tensor (the output)",
    }
    assert not octave.octave_report.replaced


def test_groups_and_a_concatenation_want_different_orders():
    def forward(self, x):
        x = self.stem(x)
        return self.c(self.b(paddle.concat([self.a1(x), self.a2(x)], axis=1)))

    net = Net(
        forward,
        stem=conv(3, 8),
        a1=conv(8, 8),
        a2=conv(8, 8),
        b=conv(16, 16, groups=2),
        c=conv(16, 16),
    )
    octave = octavize(net, 0.5, input_size=SIZE)
    assert reasons(octave)["b"] == "its groups and a concatenation want different orders"
    assert not octave.octave_report.replaced


def test_pairs_follow_from_their_arguments_alone():
    net = Net(
        lambda self, x: self.c(self.a(self.stem(x)) + self.b(self.stem2(x))),
        **{name: conv(3 if name.startswith("stem") else 8, 8) for name in ("stem", "stem2")},
        **{name: conv(8, 8) for name in ("a", "b", "c")},
    )
    net.eval()
    graph = record(net, paddle.rand(SIZE))
    network = examine(net, graph, Selection(["a", "b", "c"], 0.5, None, None))
    nodes = {node.name: node for node in graph.nodes}

    def pairs(untouched):
        return [value.node.name for value in find_pairs(network, untouched).bundles]

    everything = pairs(network.untouched)
    assert everything == ["a", "b", "__add__"]
    assert pairs({**network.untouched, nodes["a"]: "asked for"}) == []
    assert pairs(network.untouched) == everything
    assert set(network.untouched) == {nodes["stem"], nodes["stem2"]}


def test_stages_are_counted_before_grouped_convolutions_are_left():
    """A stage counts if a convolution in it could open, whether or not one does in the end."""
    net = Net(
        lambda self, x: self.c(self.b(self.a(self.stem(x)))).mean([2, 3]),
        stem=conv(3, 12),
        a=conv(12, 12),
        b=conv(12, 12, kernel_size=3, stride=2, padding=1, groups=6),
        c=conv(12, 12, kernel_size=3, stride=2, padding=1),
    )
    with pytest.raises(ValueError, match=r"2 of them, one per stage \(32x32, 16x16\), got 1"):
        octavize(net, [0.5], input_size=SIZE)
    octave = octavize(net, [0.5, 0.25], input_size=SIZE)
    assert reasons(octave)["b"] == "groups=6 does not divide bands of 9 and 3 channels"


def test_a_concatenation_of_one_map_is_that_map():
    def forward(self, x):
        x = self.a(self.stem(x))
        return self.b(x + paddle.concat([x], axis=1))

    net = Net(forward, stem=conv(3, 8), a=conv(8, 8), b=conv(8, 8))
    octave = octavize(net, 0.5, input_size=SIZE)
    assert alphas(octave) == {"a": (0, 0.5), "b": (0.5, 0)}
    x = paddle.randn([2, 3, 1, 1]).tile([1, 1, 8, 8])
    assert float((octave(x) - net(x)).abs().max()) < 1e-5


def test_a_depthwise_convolution_of_the_last_stage_pools_a_merged_pair():
    def forward(self, x):
        x = self.a(self.stem(x))
        return self.last(self.depthwise(x)).mean([2, 3]), self.beside(x).mean([2, 3])

    net = Net(
        forward,
        stem=conv(3, 8, kernel_size=3, stride=2, padding=1),
        a=conv(8, 8),
        depthwise=conv(8, 8, kernel_size=3, stride=2, padding=1, groups=8),
        last=conv(8, 8),
        beside=conv(8, 8, kernel_size=3, padding=1),
    )
    octave = octavize(net, 0.5, input_size=SIZE, downsample="avg_pool")
    assert octave.octave_report.merged == ("a -> depthwise",)
    assert alphas(octave)["depthwise"] == (0, 0)
    x = paddle.rand([2, 3, 20, 24])
    t = net.a(net.stem(x))
    # a is 1x1, so its low band, made of a pooled map, is its pooled output.
    halves = [t[:, :4], nn.functional.avg_pool2d(t[:, 4:], 2, ceil_mode=True)]
    merged = paddle.concat([halves[0], nn.functional.interpolate(halves[1], t.shape[2:])], axis=1)
    pooled = nn.functional.avg_pool2d(merged, 2)
    weight, bias = net.depthwise.weight, net.depthwise.bias
    expected = nn.functional.conv2d(pooled, weight, bias, padding=1, groups=8)
    expected = net.last(expected).mean([2, 3])
    assert float((octave(x)[0] - expected).abs().max()) < 1e-5


def test_a_convolution_with_a_forward_of_its_own_is_left():
    class Doubled(nn.Conv2D):
        def forward(self, x):
            return 2 * nn.functional.conv2d(x, self.weight, self.bias)

    net = Net(
        lambda self, x: self.b(self.a(self.stem(x))), stem=conv(3, 8), a=conv(8, 8), b=conv(8, 8)
    )
    net.a = Doubled(8, 8, 1)
    octave = octavize(net, 0.5, input_size=SIZE)
    assert reasons(octave)["a"] == "its class has a forward of its own"
    x = paddle.rand(SIZE)
    assert float((octave(x) - net(x)).abs().max()) < 1e-6


# -- the multiply-accumulates of the report -------------------------------------------------------


def by_hand(n, height, width, kernel, channels_in, channels_out, stride=1):
    """Add up the four paths of Fig. 2a; ``channels`` are ``(high, low)``."""
    full = n * height * width * kernel**2
    half = n * -(-height // 2) * -(-width // 2) * kernel**2
    from_low = full if stride == 2 else half
    into_high = full * channels_in[0] + from_low * channels_in[1]
    return channels_out[0] * into_high + channels_out[1] * half * sum(channels_in)


def test_macs_of_each_layer_are_the_four_paths():
    net = Net(
        lambda self, x: self.d(self.c(self.b(self.a(self.stem(x))))),
        stem=conv(3, 8),
        a=conv(8, 12, kernel_size=3, padding=1),
        b=conv(12, 16, kernel_size=3, stride=2, padding=1),
        c=conv(16, 16, kernel_size=3, padding=1, groups=16),
        d=conv(16, 8),
    )
    size = (2, 3, 30, 27)
    report = octavize(net, 0.5, input_size=size, include=["a", "b", "c", "d"]).octave_report
    after = {c.name: c.macs_after for c in report.convs}
    assert after == {
        "stem": 2 * 30 * 27 * 3 * 8,
        "a": by_hand(2, 30, 27, 3, (8, 0), (6, 6)),
        "b": by_hand(2, 15, 14, 3, (6, 6), (8, 8), stride=2),
        "c": 2 * 9 * 8 * (15 * 14 + 8 * 7),
        "d": by_hand(2, 15, 14, 1, (8, 8), (8, 0)),
    }
    assert sum(after.values()) == report.macs_after
    assert sum(c.macs_before for c in report.convs) == report.macs_before


def test_a_convolution_that_runs_twice_counts_twice():
    net = Net(lambda self, x: self.a(self.a(self.stem(x))), stem=conv(3, 8), a=conv(8, 8))
    report = octavize(net, 0.5, input_size=SIZE).octave_report
    assert {c.name: c.macs_before for c in report.convs} == {"stem": 24 * 1024, "a": 128 * 1024}
    assert sum(c.macs_after for c in report.convs) == report.macs_after


def test_the_code_of_the_rooms_readme_runs(capsys):
    text = (Path(paddle_oct.conversion.__file__).parent / "README.md").read_text(encoding="utf-8")
    exec("\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.S)), {})
    out = capsys.readouterr().out
    assert "x = self.conv1" not in out
    assert "t0 = self.conv1(x)" in out
    assert re.search(r"^layer1\.0\.bn1 norm $", out, flags=re.M)
