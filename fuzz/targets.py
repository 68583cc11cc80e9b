"""What is fuzzed: for every reader of files, how its inputs are made and how it is called."""

from __future__ import annotations

import functools
import gzip
import io
import json
import pickle
import random
import struct
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import numpy as np
import paddle
from mutation import mutated
from pickle_programs import STORAGES, program, tensor, text
from PIL import Image

from paddle_oct.bench.results import _best_accuracy
from paddle_oct.models import create_model
from paddle_oct.training import Checkpoint, RunFolder, load_data, read_class_names, read_image
from paddle_oct.weights import load_weights, read_pickle, read_weights


@dataclass(frozen=True)
class Target:
    """A reader of files.

    Attributes:
        file: what its input is called.
        make: makes an input at random.
        read: reads it; it may raise ``ValueError`` and nothing else.
    """

    file: str
    make: Callable[[random.Random], bytes]
    read: Callable[[Path], Any]


ARRAYS = {
    "conv.weight": np.arange(8, dtype="float32").reshape(2, 1, 2, 2),
    "bn.gamma": np.ones(2, "float16"),
    "bn._mean": np.zeros(2),
    "größe": np.arange(3),
    "fc.bias": np.array(5.0, "float32"),
}
PICKLE_WORDS = (
    b"q\0",
    b"h\0",
    b"(",
    b"\x85",
    b"\x86",
    b"R",
    b"b",
    b"u",
    b"}",
    b"]",
    b"e",
    b"0",
    b"X",
)
JSON_WORDS = (b"[", b"]", b"{", b"}", b'"', b",", b":", b"null", b"1e999", b"NaN", b"-", b"9" * 30)


@functools.cache
def paddle_seeds() -> list[bytes]:
    seeds = []
    for protocol in (2, 3, 4):
        buffer = io.BytesIO()
        paddle.save({k: paddle.to_tensor(v) for k, v in ARRAYS.items()}, buffer, protocol=protocol)
        seeds += [buffer.getvalue(), pickle.dumps(ARRAYS, protocol)]
    return seeds


@functools.cache
def optimizer_seeds() -> list[bytes]:
    layer = paddle.nn.Linear(2, 2)
    rate = paddle.optimizer.lr.CosineAnnealingDecay(0.1, 10)
    optimizer = paddle.optimizer.AdamW(rate, parameters=layer.parameters())
    layer(paddle.ones([1, 2])).sum().backward()
    optimizer.step()
    seeds = []
    for protocol in (2, 3, 4):
        buffer = io.BytesIO()
        paddle.save(optimizer.state_dict(), buffer, protocol=protocol)
        seeds.append(buffer.getvalue())
    return seeds


def a_pickle(seeds: Callable[[], list[bytes]]) -> Callable[[random.Random], bytes]:
    def make(rng: random.Random) -> bytes:
        if rng.random() < 0.6:
            return program(rng)
        return mutated(rng.choice(seeds()), rng, PICKLE_WORDS)

    return make


def cifar_archive(rng: random.Random) -> bytes:
    """A tar archive with the right sums, of which a pickle, a header or any byte is changed."""
    kind = rng.random()
    members = {}
    for name in ("data_batch_1", "data_batch_2", "test_batch"):
        pixels = np.frombuffer(rng.randbytes(3072), "u1").reshape(1, 3072)
        batch = {b"data": pixels, b"labels": [rng.randrange(10)], b"filenames": [b"a.png"]}
        members[name] = pickle.dumps(batch, rng.choice((2, 4)))
    chosen = rng.choice(list(members))
    if kind < 0.35:
        members[chosen] = program(rng)
    elif kind < 0.6:
        head, tail = members[chosen][:60], members[chosen][-300:]
        members[chosen] = (
            mutated(head, rng, PICKLE_WORDS)
            + members[chosen][60:-300]
            + mutated(tail, rng, PICKLE_WORDS)
        )
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=rng.randrange(3)) as file:
        for name, data in members.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(data)
            if kind > 0.9:
                info.type = rng.choice((b"0", b"1", b"2", b"3", b"5", b"6", b"S", b"x", b"L"))
            file.addfile(info, io.BytesIO(data))
    content = archive.getvalue()
    if 0.6 < kind < 0.8:
        content = with_sums(mutated(content, rng, (b"77777777777", b"\0" * 512, b"ustar")))
    if rng.random() < 0.3:
        return content
    packed = gzip.compress(content, 1)
    return mutated(packed, rng) if kind > 0.8 else packed


def with_sums(content: bytes) -> bytes:
    """Correct the sums in what may be headers of tar, so that more is read than the first."""
    blocks = [bytearray(content[i : i + 512]) for i in range(0, len(content), 512)]
    for block in blocks:
        if len(block) == 512 and block[257:262] == b"ustar":
            block[148:156] = b" " * 8
            block[148:156] = f"{sum(block):06o}\0 ".encode()
    return b"".join(blocks)


def zipped(members: dict[str, bytes], rng: random.Random) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", rng.choice((0, 8)), compresslevel=1) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    content = buffer.getvalue()
    return (
        mutated(content, rng, (b"PK\1\2", b"PK\3\4", b"PK\5\6")) if rng.random() < 0.4 else content
    )


def npz(rng: random.Random) -> bytes:
    members = {}
    for name, array in ARRAYS.items():
        buffer = io.BytesIO()
        np.save(buffer, np.asfortranarray(array) if rng.random() < 0.2 else array)
        members[f"{name}.npy"] = buffer.getvalue()
    chosen = rng.choice(list(members))
    header, data = members[chosen][:128], members[chosen][128:]
    words = (b"'shape'", b"(3,)", b"|O8", b"(", b"-", b"9" * 20, b"True", b"descr", b"[('a','f4')]")
    if rng.random() < 0.6:
        members[chosen] = mutated(header, rng, words) + data
    return zipped(members, rng)


def mxnet(rng: random.Random) -> bytes:
    parts = [struct.pack("<QQQ", 0x112, 0, len(ARRAYS))]
    for array in ARRAYS.values():
        array = np.atleast_1d(array).astype("float32")
        parts.append(struct.pack("<IiI", 0xF993FAC9, 0, array.ndim))
        parts.append(struct.pack(f"<{array.ndim}q", *array.shape) + struct.pack("<iii", 1, 0, 0))
        parts.append(array.tobytes())
    parts.append(struct.pack("<Q", len(ARRAYS)))
    for name in ARRAYS:
        parts.append(struct.pack("<Q", len(name.encode())) + name.encode())
    return mutated(b"".join(parts), rng)


@functools.cache
def torch_pickle() -> bytes:
    rng = random.Random(1)
    return b"\x80\2}(" + b"".join(text(name) + tensor(rng) for name in ARRAYS) + b"u."


def torch_file(rng: random.Random) -> bytes:
    kind = rng.random()
    content = program(rng) if kind < 0.6 else mutated(torch_pickle(), rng, PICKLE_WORDS)
    elements = rng.randbytes(16)
    if kind % 0.1 < 0.02:  # the older format
        start = b"".join(
            pickle.dumps(part, 2)
            for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
        )
        counts = [struct.pack("<q", count) for _, count in STORAGES.values()]
        end = pickle.dumps(list(STORAGES), 2) + b"".join(count + elements for count in counts)
        return mutated(start + content + end, rng) if rng.random() < 0.3 else start + content + end
    members = {"a/data.pkl": content, "a/byteorder": b"little"}
    members.update({f"a/data/{key}": elements for key in "012" if rng.random() < 0.9})
    return zipped(members, rng)


def safetensors(rng: random.Random) -> bytes:
    header, data = {}, b""
    for name, array in ARRAYS.items():
        place = len(data)
        data += array.tobytes()
        kind = {"f2": "F16", "f4": "F32", "f8": "F64", "i8": "I64"}[array.dtype.str[1:]]
        shape = list(array.shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [place, len(data)]}
    encoded = json.dumps(header).encode()
    if rng.random() < 0.7:
        encoded = mutated(encoded, rng, (*JSON_WORDS, b'"BF16"', b'"F8_E5M2"', b'"__metadata__"'))
        return struct.pack("<Q", len(encoded)) + encoded + data
    return mutated(struct.pack("<Q", len(encoded)) + encoded + data, rng)


CONFIG = {
    "network": "OctMobileNetV1",
    "model": "oct_mobilenet_v1",
    "model_options": {"scale": 0.25},
    "data": "digits",
    "data_options": {"limit": 10},
    "classes": ["a", "b"],
    "preprocessing": {"size": 32, "mean": [0.5] * 3, "std": [0.5] * 3, "short_side": None},
    "recipe": {"epochs": 2, "batch_size": 4},
}
COLUMNS = [
    "epoch",
    "train_loss",
    "train_acc_top1",
    "eval_loss",
    "eval_acc_top1",
    "images_per_second",
]
STATE = {
    "epoch": 1,
    "best_epoch": 1,
    "history": [dict.fromkeys(COLUMNS, 1)],
    "parameter_names": {"fc.weight": "linear_0.w_0"},
}


def a_json(content: dict[str, Any]) -> Callable[[random.Random], bytes]:
    def make(rng: random.Random) -> bytes:
        changed = dict(content)
        for key in content:
            if rng.random() < 0.05:
                del changed[key]
            elif rng.random() < 0.1:
                changed[key] = rng.choice((None, [], {}, 3, -1, "x" * 300, [[]], 1e300, True))
        encoded = json.dumps(changed).encode()
        return mutated(encoded, rng, JSON_WORDS) if rng.random() < 0.7 else encoded

    return make


def read_config(path: Path) -> None:
    run = RunFolder(path.parent)
    for name in ("config", "classes", "preprocessing", "recipe", "origin"):
        getattr(run, name)


def history(rng: random.Random) -> bytes:
    rows = "\n".join(",".join(str(rng.random()) for _ in COLUMNS) for _ in range(3))
    content = f"{','.join(COLUMNS)}\n{rows}\n".encode()
    return mutated(content, rng, (b",", b'"', b"\n", b"\0", b"nan", b"1e999", b"eval_acc_top1"))


@functools.cache
def image_seeds() -> list[bytes]:
    rng = np.random.RandomState(0)
    grey = rng.randint(0, 256, (8, 9), dtype="uint8")
    pictures = {
        "RGB": Image.fromarray(rng.randint(0, 256, (8, 9, 3), dtype="uint8")),
        "L": Image.fromarray(grey),
        "P": Image.fromarray(grey).convert("P"),
        "1": Image.fromarray(grey).convert("1"),
        "RGBA": Image.fromarray(rng.randint(0, 256, (8, 9, 4), dtype="uint8")),
        "I;16": Image.fromarray(rng.randint(0, 65536, (8, 9)).astype("uint16")),
    }
    turned = Image.Exif()
    turned[0x0112] = 6
    seeds = []
    for kind in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM"):
        for picture in pictures.values():
            options: list[dict[str, Any]] = [{"exif": turned}, {}]
            if kind == "TIFF":
                options = [
                    {"compression": c} for c in ("tiff_lzw", "packbits", "tiff_adobe_deflate")
                ]
            for option in options:
                buffer = io.BytesIO()
                try:
                    picture.save(buffer, kind, **option)
                except (OSError, TypeError, ValueError, KeyError):
                    continue  # not every format has every mode
                seeds.append(buffer.getvalue())
    return seeds


def image(rng: random.Random) -> bytes:
    data = mutated(rng.choice(image_seeds()), rng)
    if data[:4] == b"\x89PNG" and rng.random() < 0.8:
        data = with_png_sums(data)
    return data


def with_png_sums(data: bytes) -> bytes:
    """Correct the sums of the chunks, so that more is read than the first."""
    fixed, place = bytearray(data), 8
    while place + 12 <= len(fixed):
        end = place + 8 + int.from_bytes(fixed[place : place + 4], "big")
        if end + 4 > len(fixed):
            break
        fixed[end : end + 4] = zlib.crc32(fixed[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return bytes(fixed)


def class_names(rng: random.Random) -> bytes:
    return mutated(
        "tench\ngoldfish\ngroßer Hai\n狗\r\n\ncat".encode(), rng, (b"\n", b"\xff", b"\0")
    )


@functools.cache
def small_network() -> paddle.nn.Layer:
    """A network that is loaded from several layouts: their tables of names are read, too."""
    return create_model("oct_mobilenet_v1", scale=0.25, num_classes=2)


def foreign_names(rng: random.Random) -> bytes:
    """A file of MXNet's with names near those of the authors' network, or of our own."""
    names = ["conv1.0.weight", "conv2.0.bn1a.bn_h.gamma", "classifer.weight", "fc.weight"]
    names += ["L1_B1.bn1.gamma", "conv1.1.running_mean", "module.fc.bias", "conv2_1.bn.gamma"]
    chosen = [mutated(name.encode(), rng, (b"_B", b".", b"L")) for name in names]
    parts = [struct.pack("<QQQ", 0x112, 0, len(chosen))]
    for _ in chosen:
        shape = [rng.choice((1, 1, 2, 8)) for _ in range(rng.choice((1, 2, 4)))]
        parts.append(struct.pack("<IiI", 0xF993FAC9, 0, len(shape)))
        parts.append(struct.pack(f"<{len(shape)}q", *shape) + struct.pack("<iii", 1, 0, 0))
        parts.append(bytes(4 * int(np.prod(shape))))
    parts.append(struct.pack("<Q", len(chosen)))
    parts += [struct.pack("<Q", len(name)) + name for name in chosen]
    return b"".join(parts)


TARGETS = {
    "pdparams": Target("a.pdparams", a_pickle(paddle_seeds), read_weights),
    "pdopt": Target("a.pdopt", a_pickle(optimizer_seeds), read_pickle),
    "cifar": Target("a.tar.gz", cifar_archive, lambda path: load_data("cifar10", str(path))),
    "npz": Target("a.npz", npz, read_weights),
    "params": Target("a.params", mxnet, read_weights),
    "pth": Target("a.pth", torch_file, read_weights),
    "safetensors": Target("a.safetensors", safetensors, read_weights),
    "names": Target("b.params", foreign_names, lambda path: load_weights(small_network(), path)),
    "config": Target("config.json", a_json(CONFIG), read_config),
    "state": Target("state.json", a_json(STATE), lambda path: Checkpoint(path.parent).state),
    "history": Target("history.csv", history, lambda path: _best_accuracy(RunFolder(path.parent))),
    "image": Target("a.png", image, read_image),
    "classes": Target("classes.txt", class_names, read_class_names),
}
