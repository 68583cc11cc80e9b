"""The tree of a network's layers and its graph."""

import paddle
import pytest
from paddle import nn

from paddle_oct import create_model
from paddle_oct.views import module_tree, write_graph


@pytest.fixture(scope="module")
def network():
    return create_model("oct_mobilenet_v1", scale=0.25, num_classes=10)


def test_the_tree_names_every_layer_with_its_parameters(network):
    lines = module_tree(network).splitlines()[1:]
    layers = [("", network), *network.named_sublayers()]
    assert len(lines) == len(layers)
    for line, (name, layer) in zip(lines, layers):
        assert line.split()[-1] == f"{sum(int(p.size) for p in layer.parameters()):,}"
        assert type(layer).__name__ in line
        assert f"{name.rpartition('.')[2]}: " in line or not name
    total = paddle.summary(network, (1, 3, 32, 32))["total_params"]
    assert lines[0].split() == ["OctMobileNetV1", f"{total:,}"]


def test_outputs_and_depth(network):
    lines = module_tree(network, (2, 3, 33, 65), depth=2).splitlines()
    assert lines[0].split() == ["layer", "parameters", "output"]
    (second,) = [line for line in lines if " 2: Sequential" in line]
    assert second.endswith("16x9x17 + 16x5x9")
    assert not any("conv_h2h" in line for line in lines)
    assert lines[-1].split()[-3:] == ["Linear", "2,570", "10"]
    assert len(module_tree(network, depth=0).splitlines()) == 2
    with pytest.raises(ValueError, match="depth must not be negative"):
        module_tree(network, depth=-1)


def test_the_graph_is_written_for_any_network(network, tmp_path):
    others = nn.Sequential(nn.Conv2D(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    network.train()
    for number, net in enumerate((network, others)):
        graph = write_graph(net, (3, 8, 8), tmp_path / str(number))
        assert graph.parent == tmp_path / str(number)
        assert b"conv2d" in graph.read_bytes()
    assert network.training
    assert paddle.in_dynamic_mode()


def test_errors(tmp_path):
    with pytest.raises(ValueError, match="graph of the network could not be drawn: Sequential: "):
        write_graph(nn.Sequential(nn.Linear(5, 2)), (3, 8, 8), tmp_path)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ValueError, match="a record can't be written here"):
        write_graph(nn.Sequential(nn.ReLU()), (3, 8, 8), file / "below")
