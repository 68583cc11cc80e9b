"""The MXNet reader: the format, and files that are not what they say."""

import resource
import struct
import time

import golden
import numpy as np
import pytest
from golden.mxnet_writer import CODES, mxnet_bytes

from paddle_oct.weights.mxnet_params import parse_mxnet, read_mxnet


def small_arrays():
    rng = np.random.default_rng(0)
    return {
        "conv.weight": rng.standard_normal((2, 3, 1, 1)).astype("float32"),
        "bn.gamma": np.ones(2, "float32"),
        "bn.running_mean": np.zeros(2, "float64"),
        "größe": np.arange(3, dtype="int64"),
    }


def same(a, b):
    return list(a) == list(b) and all(
        a[k].dtype == b[k].dtype and np.array_equal(a[k], b[k]) for k in a
    )


@pytest.mark.parametrize("version", [1, 2])
def test_what_was_written_is_read(version):
    arrays = {name: np.arange(6).reshape(1, 3, 2).astype(name) for name in CODES}
    arrays.update(small_arrays())
    assert same(parse_mxnet(mxnet_bytes(arrays, version)), arrays)


def test_prefixes_of_exported_networks_are_taken_off():
    arrays = {"arg:conv.weight": np.ones(1), "aux:bn.running_mean": np.ones(1)}
    assert list(parse_mxnet(mxnet_bytes(arrays))) == ["conv.weight", "bn.running_mean"]


def test_every_truncation_is_an_error():
    data = mxnet_bytes(small_arrays())
    for length in range(len(data)):
        with pytest.raises(
            ValueError, match=r"^file\.params: (damaged|not an) MXNet parameter file"
        ):
            parse_mxnet(data[:length], "file.params")
    with pytest.raises(ValueError, match="1 bytes follow the last name"):
        parse_mxnet(data + b"\0")


def corrupt(data, rng):
    """Change some bytes, or a number to an extreme, or cut or repeat a part."""
    damaged = bytearray(data)
    kind = rng.integers(4)
    place = int(rng.integers(len(data)))
    if kind == 0:
        for _ in range(rng.integers(1, 5)):
            damaged[int(rng.integers(len(data)))] = int(rng.integers(256))
    elif kind == 1:
        extreme = rng.choice([-1, 2**31 - 1, 2**62, -(2**63), 0, 2**40])
        damaged[place : place + 8] = struct.pack("<q", extreme)
    elif kind == 2:
        del damaged[place : place + int(rng.integers(1, 9))]
    else:
        damaged[place:place] = damaged[place : place + int(rng.integers(1, 65))]
    return bytes(damaged)


def is_right(read, arrays):
    """Whether what was read is right but for the elements, which have no checksum."""
    return len(read) == len(arrays) and all(
        a.nbytes in {b.nbytes for b in arrays.values()} for a in read.values()
    )


def survives(data, arrays, count, seed):
    """Return how many of ``count`` corruptions are refused; the others must be read right."""
    rng = np.random.default_rng(seed)
    refused = 0
    for _ in range(count):
        damaged = corrupt(data, rng)
        try:
            read = parse_mxnet(damaged, "file.params")
        except ValueError as error:
            assert str(error).startswith("file.params: "), error  # noqa: PT017
            refused += 1
        else:
            assert is_right(read, arrays)
    return refused


def test_ten_thousand_corruptions_cost_no_time_and_no_memory():
    arrays = small_arrays()
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    refused = survives(mxnet_bytes(arrays), arrays, 10_000, seed=1)
    assert time.monotonic() - start < 30
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB
    assert 5_000 < refused < 10_000


@pytest.mark.parametrize(
    ("place", "kind", "value", "message"),
    [
        (0, "Q", 0x113, "not an MXNet parameter file"),
        (16, "Q", 2**60, "1152921504606846976 arrays can't be in"),
        (24, "I", 0xF993FACB, "array 0 has an unknown version"),
        (28, "i", 1, "array 0 is sparse"),
        (32, "I", 0, "array 0 has 0 dimensions"),
        (32, "I", 2**32 - 1, "array 0 has 4294967295 dimensions"),
        (36, "q", 2**62, "truncated in array 0 of shape"),
        (36, "q", -2, r"array 0 is of shape \[-2, 3, 1, 1\]"),
        (36, "q", 0, r"array 0 is of shape \[0, 3, 1, 1\]"),
        (76, "i", 12, "array 0 has the unknown element type 12"),
    ],
)
def test_the_message_says_what_is_wrong(place, kind, value, message):
    data = bytearray(mxnet_bytes(small_arrays()))
    struct.pack_into(f"<{kind}", data, place, value)
    with pytest.raises(ValueError, match=message):
        parse_mxnet(bytes(data))


def test_names_that_are_wrong():
    data = mxnet_bytes(small_arrays())
    with pytest.raises(ValueError, match=r"two arrays are called 'bn\.gamma'"):
        parse_mxnet(
            data.replace(b"conv.weight", b"bn.gamma").replace(
                struct.pack("<Q", 11) + b"bn.gamma", struct.pack("<Q", 8) + b"bn.gamma"
            )
        )
    with pytest.raises(ValueError, match="name 3 is not text"):
        parse_mxnet(data.replace("ö".encode(), b"\xff\xfe"))


def test_a_file_that_is_something_else(tmp_path):
    path = tmp_path / "page.params"
    path.write_text("<!DOCTYPE html><title>Please log in</title>")
    with pytest.raises(ValueError, match=r"page\.params: not an MXNet .*begins with b'<!DOCTYP'"):
        read_mxnet(path)


@golden.needs_shared
@pytest.mark.parametrize("name", ["mobilenet_v1_075", "mobilenet_v2_100"])
def test_the_files_that_mxnet_wrote(name):
    assert same(read_mxnet(golden.SHARED / f"{name}.params"), golden.parameters(name))


def test_truncations_of_a_whole_network():
    data = golden.params_file("mobilenet_v1_075")
    for length in np.random.default_rng(2).integers(len(data), size=60):
        with pytest.raises(ValueError, match="damaged MXNet parameter file"):
            parse_mxnet(memoryview(data)[:length])


def test_corruptions_of_a_whole_network():
    """Each in the first array or among the names, where they matter."""
    data = golden.params_file("mobilenet_v1_075")
    arrays = parse_mxnet(data)
    rng = np.random.default_rng(3)
    for _ in range(60):
        damaged = bytearray(data)
        place = int(rng.integers(80)) if rng.integers(2) else len(data) - int(rng.integers(1, 9000))
        damaged[place] ^= int(rng.integers(1, 256))
        try:
            read = parse_mxnet(bytes(damaged))
        except ValueError:
            continue
        assert is_right(read, arrays)
