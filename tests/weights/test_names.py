"""Tables of names, and a network of one's own that states some."""

import numpy as np
import paddle
import pytest
from golden.mxnet_writer import mxnet_bytes
from paddle import nn

from paddle_oct import Conv_BN
from paddle_oct.weights import GluonLayout, NameTable, VanillaLayout, load_weights


def test_rows():
    names = NameTable(
        {
            "stage{i}.{j}.down": "L{i}_B{j}.conv4",
            "stage{i}.{j}.conv{k}": "L{i}_B{j}.conv{k}",
            "same.{x}.{x}": "twice.{x}",
            "fc": "output",
        }
    )
    for here, there in (
        ("stage2.10.down.weight", "L2_B10.conv4.weight"),  # the first row that fits
        ("stage2.10.conv1.conv_h2h.weight", "L2_B10.conv1.conv_h2h.weight"),
        ("stage1.0.conv3", "L1_B0.conv3"),
        ("same.a.a.b", "twice.a.b"),
        ("fc.bias", "output.bias"),
        ("fc2.bias", "fc2.bias"),  # another layer
        ("a.fc.bias", "a.fc.bias"),
        ("stage2.down", "stage2.down"),
    ):
        assert names.there(here) == there
        assert names.here(there) == here
    assert names.there("same.a.b") == "same.a.b"
    with pytest.raises(ValueError, match="do not have the same placeholders"):
        NameTable({"a{i}": "b{j}"})


class Net(nn.Layer):
    foreign_layouts = (
        GluonLayout({"block.conv": "L1.conv", "block": "L1.bn", "fc": "out"}),
        VanillaLayout({"block.conv": "conv", "block.bn": "norm"}),
    )

    def __init__(self):
        super().__init__()
        self.block = Conv_BN(4, 6, 3, 0.5, 0.5, padding=1)
        self.fc = nn.Linear(6, 2)


def test_a_network_of_ones_own_is_loaded_from_the_layouts_that_it_states(tmp_path):
    rng = np.random.default_rng(0)
    kernel = rng.random([6, 4, 3, 3], "float32")
    norm = {name: rng.random(6, "float32") for name in ("weight", "bias", "_mean", "_variance")}
    fc = {"fc.weight": rng.random([6, 2], "float32"), "fc.bias": rng.random(2, "float32")}
    vanilla = {"conv.weight": kernel, **{f"norm.{k}": array for k, array in norm.items()}, **fc}
    words = dict(zip(norm, ("gamma", "beta", "running_mean", "running_var")))
    gluon = {
        "L1.conv.conv_h2h.weight": kernel[:3, :2],
        "L1.conv.conv_l2h.weight": kernel[:3, 2:],
        "L1.conv.conv_h2l.weight": kernel[3:, :2],
        "L1.conv.conv_l2l.weight": kernel[3:, 2:],
        **{f"L1.bn.bn_h.{words[k]}": array[:3] for k, array in norm.items()},
        **{f"L1.bn.bn_l.{words[k]}": array[3:] for k, array in norm.items()},
        "out.weight": fc["fc.weight"].T[:, :, None, None].copy(),
        "out.bias": fc["fc.bias"],
    }
    np.savez(tmp_path / "vanilla.npz", **vanilla)
    gluon = {name: np.ascontiguousarray(array) for name, array in gluon.items()}
    (tmp_path / "gluon.params").write_bytes(mxnet_bytes(gluon))
    for file in ("vanilla.npz", "gluon.params"):
        network = Net()
        load_weights(network, tmp_path / file)
        paths = ("h2h", "l2h", "h2l", "l2l")
        hh, lh, hl, ll = (
            getattr(network.block.conv, f"conv_{path}").weight.numpy() for path in paths
        )
        whole = np.concatenate([np.concatenate([hh, lh], 1), np.concatenate([hl, ll], 1)])
        np.testing.assert_array_equal(whole, kernel)
        for name, array in norm.items():
            bands = [getattr(bn, name).numpy() for bn in (network.block.bn_h, network.block.bn_l)]
            np.testing.assert_array_equal(np.concatenate(bands), array)
        np.testing.assert_array_equal(network.fc.weight.numpy(), fc["fc.weight"])


def test_two_tensors_of_one_name_here(tmp_path):
    """The second keeps the name that it has there, and is left over."""
    network = Net()
    state = {k: t.numpy() for k, t in network.state_dict().items()}
    state["block.bn_h.gamma"] = state["block.bn_h.weight"]
    (tmp_path / "a.params").write_bytes(mxnet_bytes(state))
    with pytest.raises(ValueError, match=r"left over block\.bn_h\.gamma"):
        load_weights(network, tmp_path / "a.params")


def test_parameters_called_gamma_are_nothing_special(tmp_path):
    """In a network that states no layout, nor in a PyTorch state dict."""

    class Scaled(nn.Layer):
        def __init__(self):
            super().__init__()
            self.gamma = self.create_parameter([3])
            self.norm = nn.BatchNorm1D(3)

    network = Scaled()
    paddle.seed(2)
    state = {k: np.random.rand(*t.shape).astype("float32") for k, t in network.state_dict().items()}
    np.savez(tmp_path / "own.npz", **state)
    words = {"norm._mean": "norm.running_mean", "norm._variance": "norm.running_var"}
    np.savez(tmp_path / "torch.npz", **{words.get(k, k): array for k, array in state.items()})
    for file in ("own.npz", "torch.npz"):
        load_weights(network, tmp_path / file)
        for key, tensor in network.state_dict().items():
            np.testing.assert_array_equal(tensor.numpy(), state[key])
            tensor.set_value(np.zeros(3, "float32"))
