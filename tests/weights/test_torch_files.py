"""The reader of PyTorch's files reads what ``torch.save`` writes."""

import argparse
import collections
import os

import numpy as np
import pytest
from torch_writer import Parameter, Storage, Tensor, torch_bytes

from paddle_oct.weights import read_weights


def arrays():
    rng = np.random.default_rng(0)
    return {
        "conv.weight": rng.standard_normal((2, 3, 1, 1)).astype("float32"),
        "bn.running_mean": rng.standard_normal(3),
        "half": rng.standard_normal(4).astype("float16"),
        "bn.num_batches_tracked": np.array(7),
        "mask": np.array([True, False]),
        "bytes": np.arange(5, dtype="uint8"),
        "empty": np.zeros((0, 3), "float32"),
    }


def state_dict(tensors):
    """Return a state dict with the table of versions that PyTorch adds as an attribute."""
    state = collections.OrderedDict(tensors)
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    return state


def same(read, expected):
    assert list(read) == list(expected)
    for name, array in expected.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("key", [None, "state_dict", "model_state_dict", "model"])
def test_what_was_written_is_read(tmp_path, key, older):
    path, state = tmp_path / "a.pth", state_dict({k: Tensor(a) for k, a in arrays().items()})
    optimizer = {"state": {0: {"step": 3}, 140_234_567_890_123: {}}, "param_groups": [{"lr": 0.1}]}
    others = {"args": argparse.Namespace(lr=0.1), "milestones": collections.Counter([3])}
    others["seen"] = collections.defaultdict(list, {"a": [{1, 2}]})
    whole = {"epoch": 3, key: state, "optimizer": optimizer, **others} if key else state
    path.write_bytes(torch_bytes(whole, older))
    same(read_weights(path), arrays())


class Runs:
    """Pickles as a call that leaves a file behind."""

    def __reduce__(self):
        return os.system, ("touch evil",)


@pytest.mark.parametrize("older", [False, True])
def test_nothing_is_run_beside_the_state_dict_either(tmp_path, monkeypatch, older):
    monkeypatch.chdir(tmp_path)
    whole = {"other": Runs(), "state_dict": {"a": Tensor(np.ones(2))}}
    (tmp_path / "a.pth").write_bytes(torch_bytes(whole, older))
    same(read_weights("a.pth"), {"a": np.ones(2)})
    (tmp_path / "a.pth").write_bytes(torch_bytes({"a": Tensor(np.ones(2)), "b": Runs()}, older))
    with pytest.raises(ValueError, match=r"a\.pth: .*refers to posix\.system.* nothing of it was"):
        read_weights("a.pth")
    assert os.listdir() == ["a.pth"]


@pytest.mark.parametrize("older", [False, True])
def test_parts_of_a_storage(tmp_path, older):
    numbers = np.arange(12, dtype="float32")
    storage = Storage(numbers)
    upper = np.array([1, 2.5, -3], "float32")
    bits = (upper.view("<u4") >> 16).astype("u2")
    expected = {
        "part": numbers[4:10].reshape(2, 3),
        "turned": numbers.reshape(3, 4).T,
        "repeated": np.broadcast_to(numbers[5], (2, 2)),
        "parameter": numbers.reshape(2, 6),
        "bfloat16": upper,
    }
    state = {
        "part": Tensor(expected["part"], storage, 4),
        "turned": Tensor(expected["turned"], storage, 0, (1, 4)),
        "repeated": Tensor(expected["repeated"], storage, 5, (0, 0)),
        "parameter": Parameter(expected["parameter"], storage),
        "bfloat16": Tensor(upper, Storage(bits, "BFloat16Storage")),
    }
    path = tmp_path / "a.pt"
    path.write_bytes(torch_bytes(state, older))
    same(read_weights(path), expected)


@pytest.mark.parametrize("older", [False, True])
def test_truncations_are_errors(tmp_path, older):
    data = torch_bytes({k: Tensor(a) for k, a in arrays().items()}, older)
    path = tmp_path / "a.pth"
    for length in range(0, len(data) - 1, 7):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"a\.pth: can't be read as a PyTorch state dict"):
            read_weights(path)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2], "holds no state dict but list"),
        ({"epoch": 3}, "holds more than a state dict: 'epoch' is int"),
        ({3: Tensor(np.ones(2))}, "holds no state dict but a dictionary with other keys"),
        ({"a": Tensor(np.ones(2), start=1)}, "a tensor is larger than its storage"),
        ({"a": Tensor(np.ones(2), strides=(2**61,))}, "a tensor is larger than its storage"),
        ({"a": Tensor(np.ones((2, 2)), strides=(1,))}, "it holds a broken tensor"),
        ({"a": Tensor(np.ones(2), strides=(-1,))}, "it holds an array of a broken shape"),
        ({"a": Storage(np.ones(2))}, "it holds more than arrays"),
        ({"a": collections.Counter()}, "refers to collections.Counter, which is no array"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path, value, message):
    path = tmp_path / "a.pth"
    for older in (False, True):
        path.write_bytes(torch_bytes(value, older))
        with pytest.raises(ValueError, match=r"a\.pth: ") as error:
            read_weights(path)
        assert message in str(error.value)


def test_pytorch_s_own_files(tmp_path):
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Conv2d(2, 4, 3), torch.nn.BatchNorm2d(4))
    tensors = dict(network.state_dict())
    tensors["turned"] = torch.arange(6.0).reshape(2, 3).T
    tensors["repeated"] = torch.ones(1).expand(3, 2)
    tensors["bfloat16"] = torch.tensor([1, 2.5]).bfloat16()
    expected = {k: t.detach().numpy() for k, t in tensors.items() if k != "bfloat16"}
    expected["bfloat16"] = np.array([1, 2.5], "float32")
    for newer in (True, False):
        path = tmp_path / f"{newer}.pth"
        wrapped = {"state_dict": state_dict(tensors), "epoch": 1}
        torch.save(wrapped, path, _use_new_zipfile_serialization=newer)
        same(read_weights(path), expected)
    for name, odd in (
        ("sparse", torch.eye(3).to_sparse()),
        ("quantised", torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)),
        ("conjugate", torch.tensor([1 + 2j]).conj()),
        ("nested", torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])),
        ("meta", torch.ones(2, device="meta")),
    ):
        torch.save({"a": odd}, tmp_path / f"{name}.pth")
        with pytest.raises(ValueError, match=rf"{name}\.pth: can't be read .* nothing of it"):
            read_weights(tmp_path / f"{name}.pth")
