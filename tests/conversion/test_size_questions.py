"""Forwards that ask about sizes: the converted network goes the way that the original goes.

On constant images, with 1x1 kernels, an octave network of any alpha computes what the original
does.
"""

import math

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from helpers import slow_but
from paddle import nn

from paddle_oct import octavize
from paddle_oct.cost import profile

SIZE = (1, 3, 24, 32)
OTHERS = ((1, 24, 32), (1, 16, 16), (2, 17, 24), (3, 40, 40))


class Asks(nn.Layer):
    """Convolutions, a question in their midst, and a convolution that one answer alone needs."""

    def __init__(self, question):
        super().__init__()
        self.stem, self.a, self.b, self.c, self.extra = (
            nn.Conv2D(channels, 8, 1) for channels in (3, 8, 8, 8, 8)
        )
        self.norm = nn.BatchNorm2D(8)
        self.question = question

    def forward(self, image):
        x = F.relu(self.norm(self.a(self.stem(image))))
        x = self.question(self, x)
        return self.c(self.b(x)).mean([2, 3])


def less(net, x):
    if x.shape[2] < 20:
        x = net.extra(x) * 2
    return x


def loop(net, x):
    for row in range(x.shape[2]):
        x = x * (1 + row / 100)
    return x


def rows(net, x):
    return sum(row * (number + 1) for number, row in enumerate(x)).unsqueeze(0)


def until(net, x):
    height = x.shape[2]
    while height > 10:
        x, height = x * 1.1 + 0.1, height // 2
    return x


def shared(net, x):
    y = net.b(x)
    return net.b(y) if x.shape[3] == x.shape[2] else x + y


def pools(net, x):
    return F.max_pool2d(x, 2) if x.shape[2] % 2 == 0 else F.pad(x, [1, 1, 1, 1], mode="replicate")


def raises(net, x):
    if x.shape[0] == 3:
        raise KeyError("three")
    return x


def doubled(net, x):
    return F.interpolate(x, size=[2 * size for size in x.shape[2:]]) * (x.shape[2] > 20 or 3)


QUESTIONS = {
    "less": less,
    "at least": lambda net, x: x * 2 if x.shape[2] >= 24 else x,
    "greater, a float": lambda net, x: x * 2 if x.shape[2] > 24.5 else x,
    "equal": lambda net, x: x * 2 if x.shape[0] == 1 else x,
    "not equal": lambda net, x: x * 2 if x.shape[2] != x.shape[3] else x,
    "truth": lambda net, x: x * 2 if x.shape[2] % 2 else x,
    "not": lambda net, x: x if not x.shape[3] % 5 else x * 3,
    "a list of them": lambda net, x: x * 2 if x.shape[2:] == [24, 32] else x,
    "in": lambda net, x: x * 2 if x.shape[2] in (16, 17) else x,
    "min and max": lambda net, x: x * min(x.shape[2:]) / max(x.shape[2], 20),
    "sorted": lambda net, x: x * sorted(x.shape)[0],
    "a half": lambda net, x: x * int(x.shape[2] / 2),
    "a quotient": lambda net, x: x * (x.shape[2] / 7),
    "a power": lambda net, x: x * x.shape[2] ** -0.5,
    "round": lambda net, x: x * round(x.shape[2] / 10),
    "ceil": lambda net, x: x * math.ceil(x.shape[2] / 10),
    "log": lambda net, x: x * math.log2(x.shape[2]),
    "gcd": lambda net, x: x * math.gcd(x.shape[2], 12),
    "shift": lambda net, x: x * (x.shape[2] >> 2),
    "bit": lambda net, x: x * 2 if x.shape[2] & 8 else x,
    "bit_length": lambda net, x: x * x.shape[2].bit_length(),
    "divmod": lambda net, x: x * (divmod(x.shape[2], 16)[1] or 5),
    "negative": lambda net, x: x * abs(-x.shape[2] + 20),
    "float": lambda net, x: x * float(x.shape[2]),
    "numpy": lambda net, x: x * float(np.sqrt(x.shape[2])) * np.zeros(x.shape[2:]).size,
    "numpy's number": lambda net, x: x * int(np.int64(2) * x.shape[2]),
    "a key": lambda net, x: x * {16: 2, 17: 3}.get(x.shape[2], 4),
    "an index": lambda net, x: x * [2, 3, 4][x.shape[2] % 3],
    "as many": lambda net, x: x * len([0] * x.shape[2]),
    "format": lambda net, x: x * (2 if f"{x.shape[2]:03d}" == "024" else 3),
    "percent": lambda net, x: x * (2 if "%d" % x.shape[2] == "24" else 3),  # noqa: UP031
    "str": lambda net, x: x * len(str(x.shape[2] * 5)),
    "isinstance": lambda net, x: x * 2 if isinstance(x.shape[2], int) and x.shape[2] < 20 else x,
    "len": lambda net, x: x * len(x),
    "size": lambda net, x: x * 2 if x.size > 8000 else x,
    "unbind": lambda net, x: sum(x.unbind(0)).unsqueeze(0) * 0.1,
    "broadcast_shape": lambda net, x: x * paddle.broadcast_shape(x.shape[2:], [1])[0],
    "strides": lambda net, x: x * x.strides[2],
    "loop": loop,
    "rows": rows,
    "until": until,
    "a layer twice": shared,
    "pooling": pools,
    "interpolate": doubled,
}
QUICK = (
    "less",
    "truth",
    "a list of them",
    "a half",
    "format",
    "an index",
    "unbind",
    "loop",
    "rows",
)


def built(question):
    paddle.seed(1)
    net = Asks(question)
    rng = np.random.default_rng(1)
    for name in ("weight", "bias", "_mean", "_variance"):
        getattr(net.norm, name).set_value(rng.uniform(0.5, 1.5, [8]).astype("float32"))
    net.eval()
    return net


def constant(batch, height, width):
    return paddle.randn([batch, 3, 1, 1]).tile([1, 1, height, width])


def assert_same(y, expected):
    scale = float(expected.abs().max())
    np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize("name", slow_but(QUICK, QUESTIONS))
def test_the_converted_network_goes_the_same_way(name):
    net = built(QUESTIONS[name])
    octave = octavize(net, 0.5, input_size=SIZE)
    assert octave.octave_report.replaced
    with paddle.no_grad():
        for size in OTHERS:
            x = constant(*size)
            assert_same(octave(x), net(x))


def test_what_the_original_raises_is_raised():
    octave = octavize(built(raises), 0.5, input_size=SIZE)
    with pytest.raises(KeyError, match="three"):
        octave(constant(3, 24, 32))
    assert octave(constant(2, 24, 32)).shape == [2, 8]


def test_questions_are_told_with_their_line():
    from paddle_oct.conversion.follow import record

    [question] = record(built(less), paddle.rand(SIZE)).questions
    assert question.symbol == ">="
    assert "if x.shape[2] < 20:" in str(question.place)
    assert "test_size_questions.py, line" in str(question.place)


def test_what_holds_everywhere_is_no_question():
    from paddle_oct.conversion.follow import record

    def same(net, x):
        y = x
        return x * 2 if x.shape == y.shape and x.shape[2] * 2 == 2 * x.shape[2] - 0 else x

    questions = record(built(lambda net, x: x * (x.shape == x.shape)), paddle.rand(SIZE)).questions
    assert not questions
    assert len(record(built(same), paddle.rand(SIZE)).questions) == 1


def test_training_goes_the_same_way():
    """Running statistics are updated once, also where another way is found."""
    net = built(less)
    octave = octavize(net, 0.5, input_size=SIZE)
    net.train(), octave.train()
    for size in ((2, 16, 16), (2, 40, 40)):
        x = constant(*size)
        y = octave(x)
        assert_same(y, net(x))
        y.sum().backward()
    mean = paddle.concat([octave.norm.high._mean, octave.norm.low._mean])
    assert_same(mean, net.norm._mean)
    assert octave.b.conv_h2h.weight.grad is not None
    assert octave.extra.weight.grad is not None


def test_a_recording_is_no_part_of_a_profile():
    octave = octavize(built(less), 0.5, input_size=SIZE)
    size = (1, 3, 16, 16)
    first = profile(octave, size, training=False)
    again = profile(octave, size, training=False)
    assert first.macs == again.macs > 0
    assert [row.macs for row in first.layers] == [row.macs for row in again.layers]
    assert first.uncounted == again.uncounted
    assert first.memory == again.memory


# -- programs that are built ----------------------------------------------------------------------


def exported(octave, tmp_path, *shape):
    path = str(tmp_path / "net")
    paddle.jit.save(octave, path, input_spec=[paddle.static.InputSpec(list(shape))])
    return paddle.jit.load(path)


@pytest.mark.parametrize("height", [16, 24])
def test_a_program_of_a_fixed_size_goes_the_way_of_that_size(tmp_path, height):
    net = built(less)
    octave = octavize(net, 0.5, input_size=SIZE)
    loaded = exported(octave, tmp_path, None, 3, height, height)
    x = constant(2, height, height)
    assert_same(loaded(x), net(x))


def test_a_program_of_an_unknown_size_is_refused_with_the_question(tmp_path):
    octave = octavize(built(less), 0.5, input_size=SIZE)
    with pytest.raises(ValueError, match=r"a size that is not known here: `if x.shape\[2\] < 20:`"):
        exported(octave, tmp_path, None, 3, None, None)


def asserts(net, x):
    assert x.shape[2] % 8 == 0
    assert x.shape[1] == 8, "channels"
    if x.shape[1] > 100:
        x = x * 2
    return x


def test_assertions_and_channels_stop_no_program(tmp_path):
    net = built(asserts)
    octave = octavize(net, 0.5, input_size=SIZE)
    loaded = exported(octave, tmp_path, None, 3, None, None)
    for size in ((2, 24, 32), (1, 16, 40)):
        x = constant(*size)
        assert_same(loaded(x), net(x))
    with pytest.raises(AssertionError):
        octave(constant(1, 20, 20))


@pytest.mark.parametrize("full_graph", slow_but([True], [True, False]))
def test_to_static_goes_the_same_way(full_graph):
    net = built(less)
    octave = octavize(net, 0.5, input_size=SIZE)
    static = paddle.jit.to_static(octave, full_graph=full_graph)
    with paddle.no_grad():
        for size in OTHERS[:3]:
            x = constant(*size)
            assert_same(static(x), net(x))


# -- forwards made at random ----------------------------------------------------------------------


def random_forward(rng):
    """Return a function whose source is drawn: operations, each perhaps behind a question."""
    sizes = ["x.shape[0]", "x.shape[2]", "x.shape[3]", "h", "w", "h + w", "h * 2 - w", "h // 3"]
    operations = [
        "x = x * 1.5",
        "x = x + net.b(x)",
        "x = net.extra(x)",
        "x = F.relu(net.b(x) - 0.1)",
        "x = F.max_pool2d(x, 3, stride=2, padding=1)",
        "x = F.avg_pool2d(x, 2, ceil_mode=True)",
        "x = paddle.concat([x, x], axis=3)",
        "x = x[:, :, : max(h // 2, 1)]",
        "x = F.interpolate(x, size=[h + 1, w])",
        "x = x * {size}",
        "x = x / ({size} + 0.5)",
        "x = x.reshape([x.shape[0], 2, 4, *x.shape[2:]]).flatten(1, 2)",
        "h, w = x.shape[2:]",
    ]
    questions = [
        "if {size} > {size}:",
        "if {size} % {small} == 0:",
        "if {size} % {small}:",
        "if ({size}) / 3 < {number}:",
        "if math.sqrt(abs({size})) < {small}:",
        "for _ in range(({size}) % {small}):",
        "if {size} in ({number}, {number}):",
    ]

    def fill(text):
        while "{" in text:
            text = text.replace("{size}", sizes[rng.integers(len(sizes))], 1)
            text = text.replace("{number}", str(rng.integers(4, 40)), 1)
            text = text.replace("{small}", str(rng.integers(2, 6)), 1)
        return text

    lines = ["h, w = x.shape[2:]"]
    for _ in range(rng.integers(2, 7)):
        operation = fill(operations[rng.integers(len(operations))])
        if rng.random() < 0.6:
            lines += [fill(questions[rng.integers(len(questions))]), f"    {operation}"]
        else:
            lines.append(operation)
    text = "def question(net, x):\n" + "".join(f"    {line}\n" for line in [*lines, "return x"])
    names = {"F": F, "math": math, "paddle": paddle}
    exec(text, names)
    return names["question"], text


def check_random_forwards(seeds):
    """Return how many calls gave the same output and how many were refused."""
    same = refused = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        question, text = random_forward(rng)
        net = built(question)
        try:
            octave = octavize(net, [0.25, 0.5, 0.75][seed % 3], input_size=SIZE, include="*")
        except ValueError:
            refused += 1
            continue
        for _ in range(4):
            x = constant(*(int(n) for n in rng.integers([1, 6, 6], [4, 40, 40])))
            with paddle.no_grad():
                try:
                    expected = net(x)
                except Exception as error:
                    with pytest.raises(type(error)):
                        octave(x)
                    continue
                try:
                    y = octave(x)
                except ValueError:
                    refused += 1
                    continue
            scale = max(float(expected.abs().max()), 1e-3)
            assert y.shape == expected.shape, text
            assert float((y - expected).abs().max()) < 1e-3 * scale, f"{seed}\n{text}\n{x.shape}"
            same += 1
    return same, refused


@pytest.mark.parametrize("count", slow_but([6], [6, 60]))
def test_random_forwards(count):
    same, refused = check_random_forwards(range(count))
    assert same > 3 * count
    assert refused < same / 5


if __name__ == "__main__":  # a longer run: python tests/conversion/test_size_questions.py 0 500
    import sys

    print("same, refused:", check_random_forwards(range(int(sys.argv[1]), int(sys.argv[2]))))
