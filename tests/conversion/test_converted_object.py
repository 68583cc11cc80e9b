"""A converted network as an object: pickling and copying it, its other methods, what it leaves."""

import copy
import gc
import inspect
import linecache
import multiprocessing
import pickle

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from helpers import randomise_norms, slow_but
from paddle import nn

from paddle_oct import octavize

SIZE = (1, 3, 24, 32)


class Backbone(nn.Layer):
    """A forward with options, and other methods."""

    def __init__(self, num_classes=5):
        super().__init__()
        self.stem, self.a, self.b, self.c = (nn.Conv2D(n, 8, 1) for n in (3, 8, 8, 8))
        self.norm = nn.BatchNorm2D(8)
        self.fc = nn.Linear(8, num_classes)
        self.calls = 0

    @property
    def channels(self):
        return self.fc.weight.shape[0]

    def forward_features(self, image, last=True):
        """Return maps."""
        x = F.relu(self.norm(self.a(self.stem(image))))
        x = self.b(x)
        return self.c(x) if last else x

    def forward(self, image, mask=None, *, scale=1.0, features=False):
        x = self.forward_features(image)
        if x.shape[2] > 30:
            x = x * 3
        if mask is not None:
            x = x * mask
        y = self.fc(x.mean([2, 3])) * scale
        return (y, x) if features else y

    def several(self, *images, **options):
        return [self.forward_features(image, **options) for image in images]

    def predict(self, image):
        self.calls += 1
        return self(image).argmax(1).numpy().tolist()

    def loss(self, logits, labels):
        if float(labels.max()) >= self.fc.weight.shape[1]:
            raise ValueError("no such class")
        return F.cross_entropy(logits, labels)

    def freeze(self):
        for parameter in self.parameters():
            parameter.stop_gradient = True
        return self


@pytest.fixture(scope="module")
def net():
    paddle.seed(2)
    return randomise_norms(Backbone())


@pytest.fixture(scope="module")
def octave(net):
    return octavize(net, 0.5, input_size=SIZE)


def constant(batch, height=24, width=32):
    return paddle.randn([batch, 3, 1, 1]).tile([1, 1, height, width])


def assert_same(y, expected):
    if isinstance(expected, (list, tuple)):
        assert type(y) is type(expected)
        assert len(y) == len(expected)
        for one, other in zip(y, expected):
            assert_same(one, other)
    else:
        np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)


# -- arguments and methods ------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(2, 24, 32), (1, 40, 16)], ids=str)
def test_the_forward_takes_the_same_arguments(net, octave, size):
    x = constant(*size)
    mask = paddle.rand([size[0], 1, 1, 1])
    for args, kwargs in [
        ((x,), {}),
        ((), {"image": x}),
        ((x, mask), {}),
        ((x,), {"mask": mask, "scale": 2}),
        ((x, None), {"features": True, "scale": 0.5}),
    ]:
        assert_same(octave(*args, **kwargs), net(*args, **kwargs))
    with pytest.raises(TypeError, match="unexpected keyword argument 'masc'"):
        octave(x, masc=mask)
    names = list(inspect.signature(net.forward).parameters)
    assert list(inspect.signature(octave.forward).parameters) == names


def test_hooks_run_once(net):
    hooked = copy.deepcopy(net)
    hooked.register_forward_pre_hook(lambda layer, inputs: (inputs[0] * 2, *inputs[1:]))
    hooked.register_forward_post_hook(lambda layer, inputs, output: output + 1)
    octave = octavize(hooked, 0.5, input_size=SIZE)
    for x in (constant(1), constant(2, 40, 40)):
        assert_same(octave(x), hooked(x))
        assert_same(octave(x), net(2 * x) + 1)


def test_the_same_tensor_twice_and_two_tensors():
    class Two(nn.Layer):
        def __init__(self):
            super().__init__()
            self.stem, self.a, self.b = (nn.Conv2D(n, 8, 1) for n in (3, 8, 8))

        def forward(self, x, y=None):
            x = self.a(self.stem(x))
            return self.b(x if y is None else x - self.a(self.stem(y)))

    net = Two()
    octave = octavize(net, 0.5, input_size=SIZE)
    x, y = constant(2), constant(2)
    for args in ((x, x), (x, y), (x,)):
        assert_same(octave(*args), net(*args))


def test_other_methods_compute_the_same(net, octave):
    x, small = constant(2), constant(3, 10, 9)
    assert octave.channels == 8
    assert octave.forward_features.__doc__ == "Return maps."
    assert_same(octave.forward_features(x), net.forward_features(x))
    assert_same(octave.forward_features(x, last=False), net.forward_features(x, last=False))
    assert_same(octave.several(x, small, last=False), net.several(x, small, last=False))
    calls = octave.calls
    assert octave.predict(x) == net.predict(x)
    assert octave.calls == calls + 1
    labels = paddle.to_tensor([1, 2])
    assert_same(octave.loss(octave(x), labels), net.loss(net(x), labels))
    with pytest.raises(ValueError, match="no such class"):
        octave.loss(octave(x), paddle.to_tensor([1, 7]))
    frozen = copy.deepcopy(octave).freeze()
    assert all(parameter.stop_gradient for parameter in frozen.parameters())


def test_a_method_trains_the_network(octave):
    octave = copy.deepcopy(octave)
    octave.forward_features(constant(1)).sum().backward()
    assert octave.b.conv_h2h.weight.grad is not None


def test_a_method_that_reads_values_between_layers_is_refused():
    class Reads(Backbone):
        def gated(self, image):
            x = self.a(self.stem(image))
            return self.b(x) if float(x.mean()) > 0 else x

    octave = octavize(Reads(), 0.5, input_size=SIZE)
    with pytest.raises(ValueError, match=r"Reads.gated.*reads the values of a tensor"):
        octave.gated(constant(1))


# -- copies ---------------------------------------------------------------------------------------


def run(network, x):
    return network.forward_features(paddle.to_tensor(x)).numpy()


def run_and_send(network, x, queue):
    queue.put((type(network).__name__, run(network, x)))


@pytest.mark.parametrize("way", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_copies_compute_the_same_and_are_on_their_own(net, octave, way):
    other = way(octave)
    assert type(other).__name__ == "OctaveBackbone"
    assert isinstance(other, Backbone)
    assert str(other.octave_report) == str(octave.octave_report)
    assert other.octave_forward == octave.octave_forward
    for x in (constant(2), constant(1, 40, 16)):
        assert_same(other(x), octave(x))
        assert_same(other.forward_features(x, last=False), octave.forward_features(x, last=False))
    assert other.set_state_dict(octave.state_dict()) == ([], [])
    other.fc.weight.set_value(paddle.zeros_like(other.fc.weight))
    assert float(octave.fc.weight.abs().max()) > 0
    again = way(other)
    assert_same(again(constant(1, 50, 50)), other(constant(1, 50, 50)))


def test_an_unpickled_network_is_trained(octave):
    octave = copy.deepcopy(octave)
    octave.a.conv_h2h.weight.stop_gradient = True
    other = pickle.loads(pickle.dumps(octave))
    names = [name for name, parameter in octave.named_parameters() if parameter.trainable]
    assert [name for name, parameter in other.named_parameters() if parameter.trainable] == names
    other.train()
    optimizer = paddle.optimizer.Adam(0.1, parameters=other.parameters())
    losses = []
    for _ in range(4):
        loss = F.cross_entropy(other(constant(2) * 0 + 1), paddle.to_tensor([1, 1]))
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        losses.append(float(loss))
    assert losses[-1] < losses[0]


def test_networks_that_are_left_as_they_were_are_pickled(net):
    octave = octavize(net, 0, input_size=SIZE)
    other = pickle.loads(pickle.dumps(octave))
    x = paddle.randn([2, 3, 40, 20])
    np.testing.assert_array_equal(other(x).numpy(), net(x).numpy())
    assert not other.octave_report.replaced


def test_networks_of_paddle_vision_are_pickled():
    octave = octavize(paddle.vision.models.shufflenet_v2_x0_25(), 0.5, input_size=(1, 3, 64, 64))
    octave.eval()
    other = pickle.loads(pickle.dumps(octave))
    x = paddle.randn([2, 3, 40, 72])
    np.testing.assert_array_equal(other(x).numpy(), octave(x).numpy())


@pytest.mark.slow
def test_a_spawned_process_is_given_a_network(octave):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    x = constant(1, 40, 16).numpy()
    process = context.Process(target=run_and_send, args=(octave, x, queue))
    process.start()
    name, y = queue.get(timeout=120)
    process.join()
    assert name == "OctaveBackbone"
    np.testing.assert_allclose(y, run(octave, x), rtol=1e-5, atol=1e-6)


# -- what stays behind ----------------------------------------------------------------------------


def sources():
    return [name for name in linecache.cache if name.startswith("<")]


def test_the_source_is_there_as_long_as_the_network(net):
    gc.collect()
    before = len(sources())
    octave = octavize(net, 0.5, input_size=SIZE)
    octave(constant(1, 40, 40))
    assert len(sources()) > before
    assert "_octave_paths" in inspect.getsource(type(octave).forward)
    del octave
    gc.collect()
    assert len(sources()) == before


@pytest.mark.parametrize("times", slow_but([5], [5, 50]))
def test_conversions_leave_nothing(net, times):
    def convert(times):
        for _ in range(times):
            octave = octavize(net, 0.5, input_size=SIZE)
            octave(constant(1, 40, 40))
            del octave
        gc.collect()
        # Paddle itself leaves an empty list behind for each parameter that is made.
        return len(sources()), sum(type(held) is not list for held in gc.get_objects())

    entries, objects = convert(2)
    entries_after, objects_after = convert(times)
    assert entries_after == entries
    assert objects_after - objects < 20  # one conversion makes thousands
