"""Random pickles: valid programs for the machine of pickles, near those that Paddle writes.

A program is built along a model of the machine's stack, so that most of its opcodes find what they
need; now and then one is put in without regard to that.
"""

from __future__ import annotations

import random
import struct

from mutation import LARGE, repeated

NAMES = [
    *("numpy ndarray", "numpy dtype", "numpy.core.multiarray _reconstruct"),
    *("numpy._core.multiarray scalar", "collections OrderedDict", "builtins tuple"),
    *("__builtin__ bytes", "_codecs encode", "os system", "builtins eval", "torch FloatStorage"),
    *("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter", "torch Size"),
    *("torch.BFloat16Storage x", "torch BFloat16Storage", "collections Counter", "builtins list"),
]
TEXTS = [
    "a",
    "weight",
    "data",
    "labels",
    "latin1",
    "f4",
    "u1",
    "O8",
    "<",
    "storage",
    "0",
    "cpu",
    "",
]
WILD = b"0123456789.(]})NKMJGUXTBCbesuatlRqrhjcdVSILFQPoi\x80\x81\x85\x8a\x8b\x8c\x8e\x93\x94\x95"


def text(value: str) -> bytes:
    """Return the opcode of a text."""
    data = value.encode("utf-8")
    return b"X" + struct.pack("<I", len(data)) + data


def called(name: str, *arguments: bytes) -> bytes:
    """Return the opcodes of a call."""
    module, function = name.split()
    return f"c{module}\n{function}\n(".encode() + b"".join(arguments) + b"tR"


def array(rng: random.Random) -> bytes:
    """Return the opcodes of a NumPy array, sometimes of other elements than its shape has."""
    shape = [rng.choice((0, 1, 2, 3, 5)) for _ in range(rng.randrange(4))]
    kind, size = rng.choice((("f4", 4), ("u1", 1), ("f8", 8), ("u2", 2), ("b1", 1), ("O8", 8)))
    count = size
    for n in shape:
        count *= n
    if rng.random() < 0.1:
        count += rng.randrange(1, 9)
    data = rng.randbytes(count).decode("latin1")
    content = rng.choice(
        (
            b"C" + bytes([count % 256]) + rng.randbytes(count % 256),
            called("_codecs encode", text(data), text("latin1")),
            b"T" + struct.pack("<i", count) + data.encode("latin1"),
        )
    )
    empty = called("numpy.core.multiarray _reconstruct", b"cnumpy\nndarray\n", b"(K\0t", b"U\1b")
    dtype = called("numpy dtype", text(kind), b"\x89", b"\x88")
    if rng.random() < 0.8:
        dtype += b"(K\3" + text(rng.choice("<>|=")) + b"NNNtb"
    dimensions = b"(" + b"".join(b"K" + bytes([n]) for n in shape) + b"t"
    return empty + b"(K\1" + dimensions + dtype + rng.choice((b"\x89", b"\x88")) + content + b"tb"


STORAGES = {"0": ("FloatStorage", 4), "1": ("BFloat16Storage", 8), "2": ("LongStorage", 2)}


def tensor(rng: random.Random) -> bytes:
    """Return the opcodes of a PyTorch tensor; its storages have 16 bytes."""
    key = rng.choice("000112")
    kind, count = STORAGES[key]
    if rng.random() < 0.1:
        kind, count = rng.choice(("FloatStorage", "HalfStorage", "x")), rng.choice((1, 200))
    name = f"ctorch\n{kind}\n".encode()
    storage = (
        b"(" + text("storage") + name + text(key) + text("cpu") + b"K" + bytes([count]) + b"tQ"
    )
    shape, strides = rng.choice(
        (
            (b"(K\2K\1t", b"(K\1K\1t"),
            (b"K\2\x85", b"K\1\x85"),
            (b")", b")"),
            (b"(K\7K\7t", b"(K\0K\0t"),
            (b"(K\2K\2t", b"(K\1K\2t"),
            (b"(K\0K\2t", b"(K\1t"),
        )
    )
    more = rng.choice((b"\x89}", b"\x89}", b"\x89}}", b"\x89}}" + text("conj") + b"\x88s"))
    start = b"K" + bytes([rng.choice((0, 0, 0, 0, 1, 7))])
    return called("torch._utils _rebuild_tensor_v2", storage, start, shape, strides, more)


class Program:
    """A pickle in the making, with a model of the machine's stack."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.code = bytearray(rng.choice((b"", b"\x80\x02", b"\x80\x04", b"\x80\xff")))
        self.kinds: list[str] = []  # what is on the stack
        self.remembered: list[str] = []

    def value(self, depth: int = 0) -> bytes:
        """Return the opcodes of one value."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.25:
            return rng.choice(
                (b"N", b"\x88", b"\x89", b"K\3", b"M\1\2", b"J" + rng.randbytes(4), b"\x8a\1\7")
            )
        if kind < 0.45:
            return rng.choice(
                (text(rng.choice(TEXTS)), b"U\2ab", b"C\2ab", b"G" + rng.randbytes(8), b")")
            )
        if kind < 0.6:
            return array(rng)
        if kind < 0.7:
            return tensor(rng)
        if kind < 0.75:
            return f"c{rng.choice(NAMES)}\n".replace(" ", "\n").encode()
        if kind < 0.8 and self.remembered:
            return b"h" + bytes([rng.randrange(min(255, len(self.remembered)) + 1)])
        if depth > 4:
            return b"N"
        parts = b"".join(self.value(depth + 1) for _ in range(rng.randrange(4)))
        if kind < 0.86:
            return b"](" + parts + b"e"
        if kind < 0.9:
            return b"(" + parts + b"t"
        if kind < 0.94:
            return self.value(depth + 1) + self.value(depth + 1) + b"\x86"
        if kind < 0.97:
            return called(rng.choice(NAMES), parts)
        return b"}(" + b"".join(self.entry(depth + 1) for _ in range(rng.randrange(4))) + b"u"

    def entry(self, depth: int = 0) -> bytes:
        """Return the opcodes of a key and its value."""
        key = text(self.rng.choice(TEXTS) + str(self.rng.randrange(100)))
        if self.rng.random() < 0.1:
            key = self.value(5)
        return key + self.remember() + self.value(depth)

    def remember(self) -> bytes:
        """Return nothing, or the opcode that keeps the last value for later."""
        if self.rng.random() < 0.5 or len(self.remembered) > 250:
            return b""
        self.remembered.append("")
        return b"q" + bytes([len(self.remembered) - 1])

    def doubled(self) -> bytes:
        """Return a value that is within itself twice, and so on."""
        start = len(self.remembered)
        levels = self.rng.randrange(1, 60)
        if start + levels > 250:
            return b"N"
        code, pair = self.value(5), self.rng.choice((b"\x86", b"0](h%ch%ce", b"0}"))
        for level in range(levels):
            index = bytes([start + level])
            code += (
                b"q"
                + index
                + (b"h" + index + b"\x86" if pair == b"\x86" else pair.replace(b"%c", index))
            )
        self.remembered += [""] * levels
        return code


def program(rng: random.Random) -> bytes:
    """Return a random pickle."""
    made = Program(rng)
    code = made.code
    if rng.random() < 0.8:
        code += b"}" + made.remember() + b"("
        for _ in range(rng.randrange(8)):
            code += made.entry()
            if rng.random() < 0.1:
                code += text("x") + made.doubled()
        code += b"u"
    else:
        code += made.doubled() if rng.random() < 0.3 else made.value()
    if rng.random() < LARGE:
        repeated(code, rng)
    code += b"."
    while rng.random() < 0.3:
        place = rng.randrange(len(code))
        code[place:place] = rng.choice((bytes([rng.choice(WILD)]), made.value()))
    return bytes(code)
