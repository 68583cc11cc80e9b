"""Changing the bytes of a file at random."""

from __future__ import annotations

import random
import struct

LARGE = 1 / 300  # of the inputs: most are small, so that there can be many
_EXTREMES = (0, 1, -1, 127, 255, 2**15, 2**31 - 1, -(2**31), 2**32 - 1, 2**62, 2**63 - 1, -(2**63))


def repeated(data: bytearray, rng: random.Random) -> None:
    """Repeat a part of the data, up to 200 kB."""
    place = rng.randrange(len(data) + 1)
    part = data[place : place + rng.randrange(1, 40)]
    data[place:place] = part * (200_000 // max(1, len(part)))


def mutated(data: bytes, rng: random.Random, words: tuple[bytes, ...] = ()) -> bytes:
    """Return the data with one to six changes.

    Args:
        data: what to change.
        rng: where the choices come from.
        words: pieces that mean something in the format.
    """
    changed = bytearray(data)
    for _ in range(1 + min(rng.randrange(6), rng.randrange(6))):
        place = rng.randrange(len(changed) + 1)
        kind = rng.randrange(8)
        if kind == 0 and changed:
            changed[place % len(changed)] = rng.randrange(256)
        elif kind == 1 and changed:
            changed[place % len(changed)] ^= 1 << rng.randrange(8)
        elif kind == 2:
            layout = rng.choice("bBhHiIqQ")
            number = rng.choice(_EXTREMES) % 2 ** (8 * struct.calcsize(layout))
            piece = number.to_bytes(struct.calcsize(layout), rng.choice(("little", "big")))
            changed[place : place + len(piece)] = piece
        elif kind == 3:
            del changed[place : place + rng.randrange(1, 40)]
        elif kind == 4:
            changed[place:place] = changed[place : place + rng.randrange(1, 80)] * rng.randrange(
                1, 4
            )
        elif kind == 5 and words:
            changed[place:place] = rng.choice(words)
        elif kind == 6 and words:
            word = rng.choice(words)
            changed[place : place + len(word)] = word
        elif kind == 7 and rng.randrange(4) == 0:
            del changed[place:]
    if rng.random() < LARGE:
        repeated(changed, rng)
    return bytes(changed)
