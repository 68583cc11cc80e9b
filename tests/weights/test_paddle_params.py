"""The reader of .pdparams files reads what Paddle writes, and runs nothing."""

import collections
import os
import pickle
import time

import numpy as np
import paddle
import pytest

from paddle_oct.weights import load_weights, read_pickle, read_weights


def small_network():
    return paddle.nn.Sequential(paddle.nn.Linear(3, 4), paddle.nn.BatchNorm1D(4))


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_what_paddle_saved_is_read(tmp_path, protocol):
    network = small_network()
    path = str(tmp_path / "a.pdparams")
    paddle.save(network.state_dict(), path, protocol=protocol)
    read = read_weights(path)
    assert list(read) == list(network.state_dict())
    for key, tensor in network.state_dict().items():
        assert read[key].dtype == np.float32
        np.testing.assert_array_equal(read[key], tensor.numpy())
    other = small_network()
    load_weights(other, path)
    np.testing.assert_array_equal(other[0].weight.numpy(), network[0].weight.numpy())


def test_other_precisions(tmp_path):
    path = str(tmp_path / "a.pdparams")
    for dtype in ("bfloat16", "float16", "float64"):
        network = small_network().to(dtype=dtype)
        paddle.save(network.state_dict(), path)
        other = small_network()
        load_weights(other, path)
        assert other[0].weight.dtype == paddle.float32
        expected = network[0].weight.astype("float32").numpy()
        np.testing.assert_array_equal(other[0].weight.numpy(), expected)


def test_the_state_of_an_optimiser(tmp_path):
    network = small_network()
    rate = paddle.optimizer.lr.CosineAnnealingDecay(0.1, 10)
    optimizer = paddle.optimizer.AdamW(rate, parameters=network.parameters())
    network(paddle.rand([2, 3])).sum().backward()
    optimizer.step()
    rate.step()
    paddle.save(optimizer.state_dict(), str(tmp_path / "a.pdopt"))
    expected = paddle.load(str(tmp_path / "a.pdopt"))
    read = read_pickle(tmp_path / "a.pdopt")
    assert list(read) == list(expected)
    assert read["LR_Scheduler"] == expected["LR_Scheduler"]
    for key, value in expected.items():
        if key != "LR_Scheduler":
            np.testing.assert_array_equal(read[key], value.numpy())


def test_arrays_of_other_shapes_and_orders(tmp_path):
    arrays = collections.OrderedDict(
        fortran=np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        big_endian=np.arange(3, dtype=">f4"),
        single=np.array(5.0),
        empty=np.zeros((0, 3), "float32"),
    )
    for protocol in (2, 3, 4):
        (tmp_path / "a").write_bytes(pickle.dumps({**arrays, "n": np.float64(2)}, protocol))
        read = read_pickle(tmp_path / "a")
        assert read.pop("n") == 2
        assert list(read) == list(arrays)
        for key, array in arrays.items():
            np.testing.assert_array_equal(read[key], array)


def test_another_byte_order_is_loaded(tmp_path):
    weight, bias = np.arange(6, dtype=">f4").reshape(2, 3), np.arange(3, dtype=">f8")
    (tmp_path / "a.pdparams").write_bytes(pickle.dumps({"weight": weight, "bias": bias}, 2))
    layer = paddle.nn.Linear(2, 3)
    load_weights(layer, tmp_path / "a.pdparams")
    np.testing.assert_array_equal(layer.weight.numpy(), weight)
    np.testing.assert_array_equal(layer.bias.numpy(), bias)


class Runs:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (Runs(os.system, "touch evil"), "system"),
        (Runs(eval, "open('evil', 'w')"), "eval"),
        (Runs(getattr, "a", "upper"), "getattr"),
        (Runs(np.memmap, "evil", "uint8", "w+", 0, 9), "memmap"),
        ({"weight": np.ones(3), "x": Runs(open, "evil", "w")}, "open"),
        (paddle.nn.ReLU, "ReLU"),
    ],
)
def test_a_malicious_file_is_refused_and_nothing_of_it_is_run(
    tmp_path, monkeypatch, content, named
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pdparams").write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=rf"a\.pdparams: can't be read .*{named}.* nothing of it"):
        read_weights("a.pdparams")
    assert os.listdir() == ["a.pdparams"]


def test_pickles_that_misuse_what_is_allowed(tmp_path):
    array = pickle.dumps(np.ones(3, "float32"), 2)
    path = tmp_path / "a.pdparams"
    for damaged, message in (
        (array.replace(b"K\x03", b"K\x04"), "an array of shape"),
        (array.replace(b"f4", b"O8"), "its elements are 'O8', no numbers"),
        (b"\x80\x02cnumpy\nndarray\n.", "it holds more than arrays"),
        (b"\x80\x02cnumpy\nndarray\n)R.", "it calls what is no function"),
        (b"\x80\x02cbuiltins\ntuple\n}b.", "it changes what is no array"),
        (b"\x80\x02c_codecs\nencode\nX\x01\0\0\0aX\x05\0\0\0rot13\x86R.", "as 'rot13'"),
        (b"\x80\x02(ios\nsystem\n.", "opcode b'i' has no place in it"),
        (b"\x80\x02]q\0h\0a.", "it nests more than 32 containers"),  # a list that holds itself
        (b"\x80\x02Nr\xff\xff\xff\xff.", "does not count what"),  # a memo of 2**32 entries
        (
            b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
            "it ends too early",
        ),  # bytes without end
        (b"", "it ends too early"),
        (pickle.dumps({"a": 1}), "holds more than parameters: 'a' is int"),
        (pickle.dumps([1]), "holds no parameters but list"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.pdparams: ") as error:
            read_weights(path)
        assert message in str(error.value)


def test_corruptions_and_truncations_are_errors_or_read(tmp_path):
    path = tmp_path / "a.pdparams"
    paddle.save(small_network().state_dict(), str(path))
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    start, refused = time.monotonic(), 0
    for number in range(600):
        damaged = bytearray(data[: int(rng.integers(len(data)))] if number % 4 == 0 else data)
        for _ in range(rng.integers(1, 4) if damaged else 0):
            damaged[int(rng.integers(len(damaged)))] = int(rng.integers(256))
        path.write_bytes(damaged)
        try:
            assert all(isinstance(array, np.ndarray) for array in read_weights(path).values())
        except ValueError as error:
            assert str(error).startswith(str(path))  # noqa: PT017
            refused += 1
    assert refused > 150
    assert time.monotonic() - start < 30
