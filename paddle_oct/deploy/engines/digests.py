"""The digests that an exported network carries, by which a file that was changed is refused.

The first file of an export begins with an entry that holds the SHA-256 of all that follows it and
of every file beside it, and ends with a second entry that says no more than that there was a first.
Readers of the format skip both: in ONNX they are metadata, in a Paddle program a field that Paddle
does not know. So a file may be renamed, and needs no further file. What remains of a damaged file
shows by either entry that there was a digest.
"""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Sequence, Tuple

#: The files of an exported network: the one that ``load`` takes, and those beside it.
Files = Tuple[Path, ...]

_KEY = b"paddle_oct.sha256"
_END = _KEY + b".end"
_FIELDS = {".onnx": 14, ".pdmodel": 4096}  # in protobuf: metadata_props; a number that is not used
_ZERO = "0" * 64  # as long as a digest
_CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as a hexadecimal number."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(partial(file.read, _CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def seal(files: Files) -> None:
    """Write the digests of the files of an export into the first of them."""
    first, *beside = files
    rest = first.read_bytes() + _entry(first, _END, "yes")
    digests = [hashlib.sha256(rest).hexdigest(), *map(sha256_of, beside)]
    first.write_bytes(_entry(first, _KEY, " ".join(digests)) + rest)


def waiting(path: Path, digest: str) -> Path:
    """Return the name that a file of an export has until it is given its own name, ``path``."""
    return path.with_name(f".{path.name}.{digest[:16]}.partial")


def checked_files(path: Path, suffixes: Sequence[str]) -> Files:
    """Return the files of an exported network, if they are as they were written.

    Files without a digest, which others wrote, are returned as they are. Where the writing of a
    pair was interrupted after its first file, the second is found by the name it had until then.

    Args:
        path: the first file.
        suffixes: those of all files.

    Raises:
        ValueError: one of them does not exist, is not a regular file, can't be read, or is not as
            it was written.
    """
    if not path.is_file():
        raise ValueError(f"{path}: {'not a regular file' if path.exists() else 'no such file'}")
    try:
        digests = _digests_in(path, len(suffixes))
        return (path, *map(partial(_beside, path), suffixes[1:], digests[1:]))
    except OSError as error:
        raise ValueError(f"{error.filename or path}: can't be read ({error.strerror})") from error


def _digests_in(path: Path, count: int) -> Sequence[str | None]:
    """Return the digests that a file carries after checking its own; None for each if it has none.

    Raises:
        ValueError: it had digests, and was changed.
    """
    content = path.read_bytes()
    opening = _entry(path, _KEY, " ".join([_ZERO] * count))
    start = len(opening) - len(_ZERO) * count - (count - 1)
    if content.startswith(opening[:start]):
        digests = content[start : len(opening)].decode("latin-1").split(" ")
        if digests[0] == hashlib.sha256(memoryview(content)[len(opening) :]).hexdigest():
            return digests
    elif _KEY not in content:
        return [None] * count
    raise ValueError(
        f"{path}: damaged, or changed after it was exported; export it again "
        f"(or remove its entries {_KEY.decode()}, if it was changed on purpose)"
    )


def _beside(first: Path, suffix: str, digest: str | None) -> Path:
    """Return the file with another suffix, and with this digest if it is known."""
    path = first.with_suffix(suffix)
    files = [path] if digest is None else [path, waiting(path, digest)]
    files = [file for file in files if file.is_file()]
    if not files:
        raise ValueError(f"{first}: there is no {path.name} beside it")
    for file in files:
        if digest is None or sha256_of(file) == digest:
            return file
    raise ValueError(
        f"{path}: not the file that was exported together with {first.name}; "
        f"one of them is damaged or was replaced, export both again"
    )


def _entry(path: Path, key: bytes, value: str) -> bytes:
    """Return a message ``{1: key, 2: value}`` of protobuf as a field of a file of this format."""
    message = b"\x0a" + _varint(len(key)) + key + b"\x12" + _varint(len(value)) + value.encode()
    return _varint(_FIELDS[path.suffix] << 3 | 2) + _varint(len(message)) + message


def _varint(number: int) -> bytes:
    """Return a number of 0 or more as protobuf writes it: seven bits a byte, the lowest first."""
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + _varint(rest) if rest else bytes([low])
