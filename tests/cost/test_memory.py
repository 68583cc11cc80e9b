"""What autograd keeps, against what a small layer is known to keep, and against the allocator."""

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import paddle
import pytest
from paddle import nn
from paddle.autograd import PyLayer

from paddle_oct.base.private import allocated_bytes, operators
from paddle_oct.bench import compare
from paddle_oct.cost import latency, measure_latency, profile
from paddle_oct.cost.reporting import reported_saved_tensors

MIB = 2**20


class Cube(PyLayer):
    """Keeps its input and the square of it."""

    @staticmethod
    def forward(ctx, x):
        square = x * x
        ctx.save_for_backward(x, square)
        return square * x

    @staticmethod
    def backward(ctx, gradient):
        _, square = ctx.saved_tensor()
        return 3 * square * gradient


class Forward(nn.Layer):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize("layers", [1, 3])
def test_what_a_py_layer_keeps(layers):
    """Each keeps its square and its input, which is the output of the layer before."""
    size = (1, 256, 1024)  # 1 MiB
    net = nn.Sequential(nn.Linear(1024, 1024), *(Forward(Cube.apply) for _ in range(layers)))
    cost = profile(net, size)
    # The linear layer keeps the input.
    assert cost.memory.training == (1 + 2 * layers) * MIB
    assert [layer.kept_bytes for layer in cost.layers] == [MIB, *[2 * MIB] * layers]
    x = paddle.rand(size)
    gc.collect()
    before = allocated_bytes()
    y = net(x)
    held = allocated_bytes() - before
    assert held == pytest.approx(2 * layers * MIB + MIB, abs=1e4)  # not the input, but the output
    del y


def test_the_step_of_a_py_layer():
    """At the peak: all that is kept, and the gradients of the last layer's output and input."""
    net = nn.Sequential(nn.Linear(1024, 1024), Forward(Cube.apply))
    cost = profile(net, (1, 256, 1024)).memory
    parameters = 4 * (1024 * 1024 + 1024)
    # Going back through the linear layer, where its own gradients are the largest part.
    assert cost.step == MIB + parameters + MIB


def test_tensors_that_are_kept_twice_count_once():
    double = Forward(lambda x: x * x + (x * x).tanh())
    net = nn.Sequential(nn.Linear(64, 64), double)
    # The input, the linear layer's output, and the output of tanh.
    assert profile(net, (8, 64)).memory.training == 3 * 8 * 64 * 4


def test_views_are_no_copies():
    net = nn.Sequential(nn.Linear(64, 64), nn.Flatten(0), Forward(lambda x: x.exp()))
    result = profile(net, (8, 64))
    assert result.memory.training == 2 * 8 * 64 * 4  # the input and the output of exp
    assert [layer.output_bytes for layer in result.layers] == [2048, 0, 2048]


def test_the_watch_ends():
    seen = []
    x = paddle.rand([2, 3])
    x.stop_gradient = False
    with reported_saved_tensors(lambda kept: seen.append(list(kept.shape))):
        y = x.exp()
        z = Cube.apply(y)
    after = z.tanh()
    assert seen == [[2, 3]] * 3
    after.sum().backward()
    expected = 3 * y**3 * (1 - (y**3).tanh() ** 2)
    assert paddle.allclose(x.grad, expected, rtol=1e-4)


def test_other_threads_are_not_counted():
    other = nn.Linear(100, 100)

    def forward(x):
        thread = threading.Thread(target=lambda: other(paddle.zeros([7, 100])).exp())
        thread.start()
        thread.join()
        return x.exp()

    result = profile(nn.Sequential(nn.Linear(8, 8), Forward(forward)), (2, 8))
    assert result.macs == 2 * 64
    assert result.memory.training == 2 * 2 * 8 * 4  # the input and the output of exp


def raise_in_programs(x):
    if not paddle.in_dynamic_mode():
        raise RuntimeError("not in_dynamic_mode")
    return x


def test_profiles_in_several_threads():
    nets = [nn.Sequential(nn.Conv2D(3, n, 3), nn.ReLU(), nn.Conv2D(n, 2, 3)) for n in (4, 5, 6)]
    expected = [profile(net, (2, 3, 16, 16)) for net in nets]
    before = dict(operators())
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda net: profile(net, (2, 3, 16, 16)), nets * 3))
    assert [r.to_dict() for r in results] == [e.to_dict() for e in expected * 3]
    assert dict(operators()) == before
    with pytest.raises(RuntimeError, match="in_dynamic"):  # functions are translated as before
        paddle.jit.to_static(raise_in_programs, full_graph=True)(paddle.zeros([1]))


@pytest.fixture
def clock(monkeypatch):
    """Let every run take a second more than the one before."""
    from paddle_oct.base import timing

    now = iter(n * (n + 1) / 2 for n in range(1, 1000))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(now))


def test_latency_is_median_and_half_the_distance_of_the_quartiles(clock):
    modes = []
    net = nn.Sequential(Forward(lambda x: modes.append((net.training, x.stop_gradient)) or x))
    (result,) = measure_latency([(net, [paddle.zeros([5, 2])])], 3)
    # 2, 4 and 6 seconds.
    assert result == latency.Latency(4000, 2000, 5 / 4, 3)
    assert net.training
    assert modes == [(False, True)] * 6


@pytest.mark.parametrize("repeats", [1, 2])
def test_few_repeats(repeats):
    net = nn.Linear(3, 4)
    result = profile(net, (6, 3), repeats=repeats).latency
    assert result.repeats == repeats
    assert result.images_per_second == pytest.approx(6000 / result.milliseconds)
    assert (result.spread == 0) == (repeats == 1)
    both = compare(net, nn.Linear(3, 4), input_size=(6, 3), repeats=repeats)
    assert [p.latency.repeats for p in both.profiles] == [repeats] * 2


def test_no_repeats_no_latency():
    assert profile(nn.Linear(3, 4), (6, 3)).latency is None
    with pytest.raises(ValueError, match="repeats must be 0 or more, got -1"):
        profile(nn.Linear(3, 4), (6, 3), repeats=-1)
