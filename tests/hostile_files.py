"""Small files that would hang a careless reader, or fill the memory; each under 5 MB."""

import functools
import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from golden.mxnet_writer import mxnet_bytes

START, STOP = b"\x80\x02", b"."
MIB = 2**20


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def get(index):
    return b"j" + struct.pack("<I", index)


def put(index):
    return b"r" + struct.pack("<I", index)


def called(name, *arguments):
    """Return the opcodes of a call with up to three arguments."""
    module, _, function = name.rpartition(".")
    end = {0: b")", 1: b"\x85", 2: b"\x86", 3: b"\x87"}[len(arguments)]
    return f"c{module}\n{function}\n".encode() + b"".join(arguments) + end + b"R"


def doubled(levels, start=b")", pair=b"\x86"):
    """Return the opcodes of a pair whose halves are the same pair, and so on."""
    steps = b"".join(get(i) + get(i) + pair + put(i + 1) for i in range(levels))
    return start + put(0) + b"0" + steps.replace(put(levels), b"") if levels else start


def lists(levels):
    steps = b"".join(b"](" + get(i) + get(i) + b"e" + put(i + 1) + b"0" for i in range(levels))
    return b"]" + put(0) + b"0" + steps + get(levels)


def array(shape, data, kind="u1"):
    """Return the opcodes of a NumPy array from those of its shape and its bytes."""
    empty = called(
        "numpy.core.multiarray._reconstruct", b"cnumpy\nndarray\n", b"K\0\x85", text("b")
    )
    dtype = called("numpy.dtype", text(kind), b"K\0", b"K\1")
    return empty + b"(K\1" + shape + dtype + b"\x89" + data + b"tb"


def latin(data):
    """Return the opcodes of bytes, as protocol 2 has them."""
    return called("_codecs.encode", text(data.decode("latin1")), text("latin1"))


def pickles(many=4 * MIB):
    """Return pickles by name; the largest hold ``many`` of something."""
    million = b"](" + b"N" * (many // 4) + b"e"
    entries = b"".join(text(f"{i:05d}") + b"N" for i in range(50_000))
    long_integer = b"\x8a\xff" + b"\x7f" * 255
    one = array(b"K\1\x85", latin(b"\1"))
    big = array(b"J" + struct.pack("<i", MIB) + b"\x85", latin(bytes(MIB)), "u1")
    programs = {
        "nested tuples as a key": b"}" + doubled(60) + b"Ns",
        "nested tuples as a value": b"}" + text("a") + doubled(60) + b"s",
        "nested lists as a value": b"}" + text("a") + lists(60) + b"s",
        "nested tuples as the whole": doubled(60),
        "nested tuples as a name": doubled(60) + text("a") + b"\x93",
        "nested tuples as arguments": b"cnumpy\ndtype\n" + doubled(60) + b"R",
        "a shape of huge integers": array(b"(" + long_integer * 18_000 + b"t", latin(b"")),
        "a shape of many integers": array(b"(" + b"K\2" * (many // 2) + b"t", latin(b"")),
        "a dictionary made again": b"}(" + entries + b"u" + put(0) + b"0"
        b"(" + (b"ccollections\nOrderedDict\n" + get(0) + b"\x85R") * (many // 40) + b"t",
        "a list made a tuple": million + put(0) + b"0("
        b"cbuiltins\ntuple\n" + put(1) + (get(1) + get(0) + b"\x85R") * (many // 14) + b"t",
        "many arguments": million[:-1] + b"t" + put(0) + b"0cnumpy\ndtype\n" + put(1)
        + (get(1) + get(0) + b"R") * (many // 14),
        "a text encoded again": text("a" * MIB) + put(0) + b"0("
        + called("_codecs.encode", get(0), text("latin1")) * (many // 70) + b"t",
        "empty lists": b"(" + b"]" * many + b"t",
        "empty dictionaries": b"(" + b"}" * many + b"t",
        "tuples in tuples": b")" + b"\x85" * many,
        "lists in lists": b"]" * (many // 2) + b"a" * (many // 2 - 1),
        "marks": b"(" * many,
        "pushed and popped": b"N0" * (many // 2) + b"}",
        "a memo of every entry": b"N" + b"\x94" * many,
        "a memo without end": b"Nr\xff\xff\xff\xff",
        "a list of itself": b"]" + put(0) + get(0) + b"a",
        "equal long keys": text("k" * MIB) + put(0) + text("k" * MIB) + put(1)
        + b"}(" + (get(0) + b"N" + get(1) + b"N") * (many // 20) + b"u",
        "integers as keys": b"}(" + b"".join(
            b"J" + struct.pack("<i", i << 14) + b"N" for i in range(-(2**17), 2**17)
        ) + b"u" + b"0" + b"}(" + b"".join(
            b"J" + struct.pack("<i", i) + b"N" for i in range(many // 8)) + b"u",
        "one array a million times": b"}" + text("a") + one + put(0) + b"0]("
        + get(0) * (many // 5) + b"es",
        "one large array many times": big + put(0) + b"0}("
        + b"".join(text(str(i)) + get(0) for i in range(100_000)) + b"u",
        "bfloat16 many times": array(b"J" + struct.pack("<i", MIB // 2) + b"\x85",
                                     latin(bytes(MIB)), "u2") + put(0) + b"0}("
        + b"".join(text(str(i)) + get(0) for i in range(100_000)) + b"u",
        "the name of a function": b"c" + b"m" * MIB + b"\n" + b"f" * MIB + b"\n",
        "the name of a function from the stack": text("m" * MIB) + put(0) + get(0) + b"\x93",
        "a long key": b"}" + text("k\n" * MIB) + b"K\1s",
        "a long text in place of a dtype": called("numpy.dtype", text("f" * MIB)),
        "bytes without end": b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
        "text of a negative length": b"T\xff\xff\xff\xff" + bytes(100),
        "an array of objects": array(b"K\1\x85", latin(bytes(8)), "O8"),
        "a call without arguments": b"cnumpy\ndtype\n)R",
        "an empty shape that is huge": b"}" + text("a") + array(
            b"(K\0" + b"\x8a\x08" + b"\xff" * 7 + b"\x7f" + b"t", latin(b"")) + b"s",
    }  # fmt: skip
    return {name: START + program + STOP for name, program in programs.items()}


@functools.cache
def zeros_deflated(gibibytes):
    """Return a raw deflate stream of zeros that is a thousand times smaller."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(16 * MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (64 * gibibytes) + zlib.compressobj(9, zlib.DEFLATED, -15).flush()


def zip_file(members, count=1, declared=None, method=8):
    """Return a zip archive of members that are compressed already; the last one ``count`` times."""
    body, directory = b"", b""
    last = len(members) - 1
    for index, (name, data) in enumerate(members.items()):
        head = struct.pack(
            "<HHHHHIIIHH", 20, 0, method, 0, 0, 0, len(data), declared or len(data), len(name), 0
        )
        place = len(body)
        body += b"PK\3\4" + head + name.encode() + data
        for copy in range(count if index == last else 1):
            other = (name if copy == 0 else f"{copy:06d}.npy")[: len(name)].ljust(len(name), "_")
            directory += b"PK\1\2\x14\0" + head + bytes(6) + struct.pack("<II", 0, place)
            directory += other.encode()
    number = len(members) - 1 + count
    end = struct.pack("<HHHHIIH", 0, 0, number, number, len(directory), len(body), 0)
    return body + directory + b"PK\5\6" + end


def npy(header, data=b""):
    header = header.encode() if isinstance(header, str) else header
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + data


def described(descr="<f4", shape=(3,)):
    return f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}\n"


def stored(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def npz_files():
    bomb = zeros_deflated(4)
    return {
        "4 GB of zeros": zip_file({"a.npy": bomb}, declared=2**32 - 2),
        "4 GB that are said to be few": zip_file({"a.npy": bomb}, declared=1000),
        "4 GB as one of two": zip_file({"a.npy": b"", "b.npy": bomb}, declared=1000),
        "overlapping members": zip_file({"000000.npy": bytes(MIB)}, count=10_000, method=0),
        "many members": stored({f"{i}.npy": b"" for i in range(20_000)}),
        "no array": stored({"a.txt": b"text"}),
        "objects": stored({"a.npy": npy(described("|O"), bytes(24))}),
        "a huge shape": stored({"a.npy": npy(described(shape=(2**40, 2**40)), bytes(24))}),
        "a negative shape": stored({"a.npy": npy(described(shape=(-1, -3)), bytes(12))}),
        "a nested header": stored({"a.npy": npy("(" * 60_000)}),
        "a header of signs": stored({"a.npy": npy("-" * 1900 + "1")}),
        "a long name": stored({"n" * 60_000 + ".npy": npy(described("|O"))}),
        "no member": stored({}),
    }


def mxnet_files():
    names = [b"layer.weight"] * 100_000
    row = struct.pack("<IiIqiii", 0xF993FAC9, 0, 1, 1, 1, 0, 3) + b"\0"
    equal = struct.pack("<QQQ", 0x112, 0, len(names)) + row * len(names)
    equal += struct.pack("<Q", len(names)) + b"".join(struct.pack("<Q", 12) + n for n in names)
    return {
        "equal names": equal[: 5 * MIB],
        "equal long names": mxnet_bytes({"n" * 2 * MIB: np.ones(1), "m" * 2 * MIB: np.ones(1)})
        .replace(b"m" * 2 * MIB, b"n" * 2 * MIB),
        "a long shape": struct.pack("<QQQIiI", 0x112, 0, 1, 0xF993FAC9, 0, 2**32 - 1) + bytes(MIB),
    }  # fmt: skip


def safetensors_files():
    def file(header, data=b""):
        encoded = json.dumps(header).encode() if isinstance(header, dict) else header
        return struct.pack("<Q", len(encoded)) + encoded + data

    one = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    return {
        "many dimensions": file({"a": {**one, "shape": [1] * 100_000}}, bytes(4)),
        "a huge shape": file({"a": {**one, "shape": [2**62, 0]}}, bytes(4)),
        "a long name": file({"n" * MIB: {**one, "dtype": "F8_E4M3"}}, bytes(4)),
        "many tensors": file({str(i): empty for i in range(40_000)}),
        "nested": file(b"[" * (2 * MIB)),
        "a header without end": struct.pack("<Q", 2**63) + bytes(100),
    }


def storage(kind="FloatStorage", key="0", count=1):
    """Return the opcodes of a persistent id."""
    name = f"ctorch\n{kind}\n".encode()
    count = b"\x8a\x08" + struct.pack("<q", count)
    return b"(" + text("storage") + name + text(key) + text("cpu") + count + b"tQ"


def tensor(shape=b"K\1\x85", strides=b"K\1\x85", source=None, start=b"K\0", more=b"\x89)R"):
    """Return the opcodes of a tensor; ``more`` closes the call."""
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + (source or storage())
        + start
        + shape
        + strides
        + (b"\x89" + b"}" + b"tR" if more == b"\x89)R" else more)
    )


def torch_zip(program, storages=None):
    """Return a file of ``torch.save`` with these opcodes as its pickle."""
    storages = {"0": bytes(4)} if storages is None else storages
    return stored(
        {
            "archive/data.pkl": START + program + STOP,
            "archive/byteorder": b"little",
            **{f"archive/data/{key}": data for key, data in storages.items()},
        }
    )


def torch_row(program, keys, storages=bytes(24)):
    """Return a file of the older format with these opcodes for the state dict and for the keys."""
    start = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    parts = [pickle.dumps(part, 2) for part in start]
    return b"".join([*parts, START + program + STOP, START + keys + STOP, storages])


def torch_files(programs):
    """Return files of PyTorch's: with these hostile pickles, and with what else may be wrong."""
    big = b"\x8a\x08" + struct.pack("<q", 2**40)
    state = b"}" + text("a")
    files = {name: torch_zip(program[2:-1]) for name, program in programs.items()}
    files.update(
        {
            "strides of 0": torch_zip(state + tensor(big + b"\x85", b"K\0\x85") + b"s"),
            "beyond its storage": torch_zip(state + tensor(b"K\2\x85") + b"s"),
            "a start beyond its storage": torch_zip(state + tensor(start=big) + b"s"),
            "a storage that is not there": torch_zip(state + tensor() + b"s", {}),
            "a conjugate tensor": torch_zip(
                state + tensor(more=b"\x89}}" + text("conj") + b"\x88stR") + b"s"
            ),
            "a sparse tensor": torch_zip(
                state + called("torch._utils._rebuild_sparse_tensor", b")") + b"s"
            ),
            "a quantised tensor": torch_zip(
                state + called("torch._utils._rebuild_qtensor", b")") + b"s"
            ),
            "a meta tensor": torch_zip(
                state + called("torch._utils._rebuild_meta_tensor_no_storage", b")") + b"s"
            ),
            "a nested tensor": torch_zip(
                state + called("torch._utils._rebuild_nested_tensor", b")") + b"s"
            ),
            "integers in place of names": torch_zip(b"}K\1" + tensor() + b"s"),
            "a storage of 4 GB": zip_file(
                {"a/data.pkl": b"\3\0", "a/data/0": zeros_deflated(4)}, declared=2**32 - 2
            ),
            "no pickle": stored({"a": b""}),
            "nested tuples as a key of a row": torch_row(b"}", b"](" + doubled(60) + b"e"),
            "a storage twice": torch_row(
                b"}" + text("a") + tensor() + b"s", b"](" + text("0") * 2 + b"e"
            ),
            "an unfinished row": pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2),
        }
    )
    return files


def tar(members, kind=b"0"):
    """Return a tar archive; a member is ``(name, content)``."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as file:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(data) if kind == b"0" else 0
            info.linkname = "/etc/passwd" if kind in b"12" else ""
            file.addfile(info, io.BytesIO(data))
    return archive.getvalue()


def cifar_archives(programs):
    """Return archives: with these hostile pickles, and with what else may be wrong."""
    batch = "cifar-10-batches-py/data_batch_1"
    header = tar([(batch, b"")])[:512]
    large = header[:124] + b"77777777777\0" + header[136:]
    checked = large[:148] + b" " * 8 + large[156:]
    large = large[:148] + f"{sum(checked):06o}\0 ".encode() + large[156:]
    files = {name: gzip.compress(tar([(batch, data)]), 1) for name, data in programs.items()}
    files.update(
        {
            "4 GB of zeros": b"\x1f\x8b\x08\0\0\0\0\0\0\3" + zeros_deflated(4),
            "a member of 8 GB": b"\x1f\x8b\x08\0\0\0\0\0\0\3"
            + zlib.compressobj(1, zlib.DEFLATED, -15).compress(b"")
            + deflated(large)
            + zeros_deflated(4),
            "a member of 8 GB that ends": gzip.compress(large),
            "a link": gzip.compress(tar([(batch, b"")], b"2")),
            "a hard link": gzip.compress(tar([(batch, b"")], b"1")),
            "a device": gzip.compress(tar([(batch, b"")], b"3")),
            "a sparse file": gzip.compress(tar([(batch, b"")], b"S")),
            "many folders": gzip.compress(tar([("x", b"")], b"5")[:512] * 100_000),
            "a batch twice": gzip.compress(tar([(batch, pickle.dumps({}))] * 2)),
            "a long name of the file": b"\x1f\x8b\x08\x08\0\0\0\0\0\3" + b"n" * (4 * MIB),
            "the wrong labels": gzip.compress(
                tar([(batch, pickle.dumps({"data": np.zeros((1, 3072), "u1"), "labels": [10]}, 2))])
            ),
        }
    )
    return files


def deflated(data):
    """Return a raw deflate stream that more can follow."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)


def png(width, height, depth, colour, packed):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def images():
    zeros = b"\x78\x9c" + zeros_deflated(2)
    return {
        "a bomb": png(40_000, 40_000, 8, 2, zeros),
        "a bomb of one bit": png(60_000, 60_000, 1, 0, zeros),
        "a bomb of sixteen bits": png(6_500, 6_500, 16, 0, zeros),
        "a bomb that is small enough": png(5_500, 5_500, 8, 6, zeros),
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(evil) (w) file\n",
        "a long header": b"P6 " + b"1" * (4 * MIB),
        "a bitmap of nothing": b"BM" + bytes(52) + b"\xff" * 100,
    }


def peak_memory():
    """Return the largest memory of this process in MiB since the last :func:`forget_peak`."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else ["VmHWM: 0 kB"]
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024


def forget_peak():
    forget = Path("/proc/self/clear_refs")
    if forget.exists():
        forget.write_text("5")


def read_cheaply(read, path, content):
    """Read a file that is harmless or refused; return the error's message, if there is one.

    It may take 5 seconds of a processor and 500 MB. The message must name the file, in one short
    line.
    """
    assert len(content) < 5.5 * MIB
    path.write_bytes(content)
    forget_peak()
    before, start, message = peak_memory(), time.process_time(), ""
    try:
        read(path)
    except ValueError as error:
        message = str(error)
        assert path.name in message, message[:500]
        assert len(message) < 700, message[:500]
        assert "\n" not in message, message[:500]
    assert time.process_time() - start < 5
    assert peak_memory() - before < 500
    return message


def assert_no_pipe_is_read(read, path):
    """Check that a reader refuses a pipe, and a link to a device, at once."""
    os.mkfifo(path)
    for _ in range(2):
        with pytest.raises(ValueError, match=rf"{path.name}: is a pipe or a device, no regular"):
            read(path)
        path.unlink()
        path.symlink_to("/dev/zero")
    path.unlink()


def accepted(read, path, files):
    """Read many such files; return the names of those that were not refused."""
    names = []
    for name, content in files.items():
        try:
            if not read_cheaply(read, path, content):
                names.append(name)
        except Exception as error:
            raise AssertionError(f"{name}: {type(error).__name__}: {error}") from error
    return names
