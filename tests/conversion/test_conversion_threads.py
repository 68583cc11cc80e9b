"""Converting while other threads run and convert networks."""

import threading

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_oct import octavize
from paddle_oct.conversion.follow import record

SIZE = (1, 3, 24, 32)


class Net(nn.Layer):
    def __init__(self, factor=1.0):
        super().__init__()
        self.stem, self.a, self.b, self.c = (nn.Conv2D(n, 8, 1) for n in (3, 8, 8, 8))
        self.norm = nn.BatchNorm2D(8)
        self.factor = factor

    def forward(self, image):
        x = F.relu(self.norm(self.a(self.stem(image))))
        if x.shape[2] > 30:
            x = x * 2
        return self.c(self.b(x)).mean([2, 3]) * self.factor


def in_threads(*functions):
    """Run functions at once, and raise what one of them raises."""
    errors = []
    start = threading.Barrier(len(functions))

    def run(function):
        try:
            start.wait()
            function()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_other_threads_run_and_train_the_network_meanwhile():
    """Neither its mode, nor its running statistics, nor what it computes changes."""
    net = Net()
    net.eval()
    trained = Net()
    x = paddle.randn([2, 3, 16, 16])
    expected = net(x).numpy()
    mean = net.norm._mean.numpy()
    over = threading.Event()
    calls = []

    def convert():
        try:
            for alpha in (0.25, 0.5, 0.75):
                octavize(net, alpha, input_size=SIZE)
        finally:
            over.set()

    def run():
        while not over.is_set():
            np.testing.assert_array_equal(net(x).numpy(), expected)
            assert type(x.shape[0]) is int
            assert not net.training
            calls.append(1)

    def train():
        while not over.is_set():
            trained(x).sum().backward()
            assert float(trained.b.weight.grad.abs().max()) > 0
            trained.clear_gradients()

    in_threads(convert, run, run, train)
    assert len(calls) > 10
    np.testing.assert_array_equal(net.norm._mean.numpy(), mean)


def test_several_convert_at_once():
    x = paddle.randn([2, 3, 1, 1]).tile([1, 1, 24, 32])
    large = paddle.randn([2, 3, 1, 1]).tile([1, 1, 40, 40])
    results = {}

    def convert(number):
        paddle.seed(number)
        net = Net(number)
        net.eval()
        octave = octavize(net, 0.5, input_size=SIZE)
        results[number] = [(octave(image), net(image)) for image in (x, large)]

    in_threads(*(lambda number=number: convert(number) for number in range(1, 5)))
    assert len(results) == 4
    for pairs in results.values():
        for y, expected in pairs:
            np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)


def test_threads_of_one_converted_network_find_new_ways_at_once():
    net = Net()
    net.eval()
    octave = octavize(net, 0.5, input_size=SIZE)

    def run(seed):
        rng = np.random.default_rng(seed)
        for _ in range(5):
            shape = [int(n) for n in rng.integers([1, 16, 16], [3, 50, 50])]
            x = paddle.randn([shape[0], 3, 1, 1]).tile([1, 1, *shape[1:]])
            np.testing.assert_allclose(octave(x).numpy(), net(x).numpy(), rtol=1e-4, atol=1e-5)

    in_threads(*(lambda seed=seed: run(seed) for seed in range(4)))


def test_the_functions_are_put_back_also_in_modules_that_are_imported_meanwhile(
    tmp_path, monkeypatch
):
    (tmp_path / "imported_meanwhile.py").write_text("from paddle.nn.functional import relu\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    class Imports(Net):
        def forward(self, image):
            from imported_meanwhile import relu

            return relu(self.b(self.stem(image)))

    graph = record(Imports(), paddle.rand(SIZE))
    assert [node.name for node in graph.nodes] == ["stem", "b", "relu"]
    import imported_meanwhile

    assert imported_meanwhile.relu is F.relu
    assert not hasattr(F.relu, "__wrapped__")
