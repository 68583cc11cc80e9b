"""What is written is checked: a wrong weight is noticed, and rounding is not taken for one."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from helpers import slow_but
from paddle import nn

from paddle_oct import create_model
from paddle_oct.deploy import export, fold, folded, onnx_graph
from paddle_oct.deploy.norms import randomise_norms
from paddle_oct.deploy.probing import example, outputs, relative_difference, rounding, run

ILL_CONDITIONED = (1, 3, 32, 32)  # for MobileNet, whose maps are down to one pixel then


def mobilenet(seed=0):
    paddle.seed(seed)
    network = create_model("oct_mobilenet_v1", scale=0.25, num_classes=10)
    network.eval()
    return network


def train(network, size, seed):
    """Take a few steps, after which the statistics of the norms are those of a young network."""
    rng = np.random.default_rng(seed)
    optimiser = paddle.optimizer.Momentum(0.05, parameters=network.parameters())
    network.train()
    for _ in range(8):
        x = paddle.to_tensor(rng.standard_normal((16, *size[1:])).astype(np.float32))
        F.cross_entropy(network(x), paddle.to_tensor(rng.integers(0, 10, 16))).backward()
        optimiser.step()
        optimiser.clear_grad()
    network.eval()


def assert_folds_wholly(network, size):
    folded_network = fold(network, size)
    assert not [layer for layer in folded_network.sublayers() if isinstance(layer, nn.BatchNorm2D)]


@pytest.mark.parametrize("size", slow_but([ILL_CONDITIONED], [ILL_CONDITIONED, (1, 3, 64, 64)]))
@pytest.mark.parametrize("seed", slow_but(range(2), range(20)))
def test_rounding_is_not_taken_for_a_defect(seed, size):
    network = mobilenet(seed)
    assert_folds_wholly(network, size)
    train(network, size, seed)
    assert_folds_wholly(network, size)


def one_wrong_weight(weight):
    weight[0, 0, 0, 0] += 1e-2
    return weight


def two_channels_swapped(weight):
    return weight[[1, 0, *range(2, len(weight))]]


LAYERS = ["features.2.1.conv.conv_h2h", "features.8.1.conv.conv_h2l"]
SPOIL = [one_wrong_weight, two_channels_swapped]


@pytest.mark.parametrize("spoil", SPOIL)
@pytest.mark.parametrize("name", slow_but(LAYERS[:1], LAYERS))
def test_a_defect_of_folding_is_noticed(spoil, name, monkeypatch):
    network = mobilenet()
    shape = network.state_dict()[f"{name}.weight"].shape
    scaled = folded.scaled

    def spoilt(conv, affine):
        weight, bias = scaled(conv, affine)
        return (spoil(weight) if list(weight.shape) == shape else weight), bias

    monkeypatch.setattr(folded, "scaled", spoilt)
    with pytest.raises(RuntimeError, match="returns other values when folded"):
        fold(network, (1, 3, 64, 64))


class Residual(nn.Layer):
    def __init__(self):
        super().__init__()
        self.convs = nn.LayerList([nn.Conv2D(8, 8, 3, padding=1) for _ in range(3)])

    def forward(self, x):
        for conv in self.convs:
            x = x + F.relu(conv(x))
        return x.mean([2, 3])


@pytest.mark.parametrize("spoil", SPOIL)
def test_a_defect_of_exporting_is_noticed(spoil, tmp_path, monkeypatch):
    pytest.importorskip("paddle2onnx")
    drop_unused = onnx_graph.drop_unused

    def spoilt(graph):
        drop_unused(graph)
        name = next(name for name, value in graph.constants.items() if value.ndim == 4)
        graph.constants[name] = spoil(graph.constants[name].copy())

    monkeypatch.setattr(onnx_graph, "drop_unused", spoilt)
    network = Residual()
    network.eval()
    with pytest.raises(RuntimeError, match="returns other values for an input of shape"):
        export(network, tmp_path / "net", "onnx", (1, 8, 9, 9))
    assert not list(tmp_path.iterdir())


def test_what_rounding_explains():
    network = mobilenet()
    x = example(ILL_CONDITIONED)
    randomise_norms(network, x)
    expected = outputs(run(network, x))
    explained = rounding(network, x, expected)
    precise = mobilenet()
    randomise_norms(precise, x)
    precise.to(dtype="float64")
    exact = outputs(run(precise, x.astype("float64")))
    off = relative_difference(exact, expected)  # what rounding did
    assert explained / 1000 < off < explained
    np.testing.assert_array_equal(outputs(run(network, x))[0], expected[0])  # no hook is left


def test_a_network_that_runs_in_float32_alone():
    class Mixed(nn.Layer):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2D(3, 4, 3), nn.BatchNorm2D(4)

        def forward(self, x):
            return F.conv2d(self.norm(self.conv(x)), paddle.full([1, 4, 1, 1], 0.5, "float32"))

    network = Mixed()
    network.eval()
    with pytest.raises(ValueError, match="can't be run"):
        run(Mixed().to(dtype="float64"), example((1, 3, 8, 8)).astype("float64"))
    assert_folds_wholly(network, (1, 3, 8, 8))
