"""Programs in Paddle's older format (``.pdmodel``): reading them, and the shape of their input.

Paddle is imported only when a file is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

from .opened import Shape


def read_program_file(path: Path) -> Any:
    """Return the program in a file. Keep a reference to it: its blocks do not keep it alive.

    Raises:
        ValueError: the file holds no program. Paddle Inference crashes on some such files.
    """
    from paddle_oct.base.private import read_program

    try:
        program = read_program(path.read_bytes())
    except ValueError:
        program = None
    if program is None or not program.num_blocks():
        raise ValueError(f"{path}: not a Paddle program, or damaged")
    return program


def program_input(path: Path) -> Shape:
    """Return the shape of a program's input."""
    program = read_program_file(path)
    return tuple(n if n > 0 else None for n in _fed(program.block(0)).shape())


def write_program(path: Path, copy: Path, size: Sequence[int] | None, mark: str) -> None:
    """Write a copy of a ``.pdmodel`` file that computes the same.

    Args:
        path: the file.
        copy: the new file.
        size: the only shape that the copy takes, or None for what the file takes.
        mark: is added to the name of the input.
    """
    program = read_program_file(path)
    block = program.block(0)
    fed = _fed(block)
    if size is not None:
        fed.set_shape(list(size))
    block._rename_var(fed.name().encode(), (fed.name() + mark).encode())
    copy.write_bytes(program.serialize_to_string())


def _fed(block: Any) -> Any:
    """Return the input variable of a block."""
    ops = map(block.op, range(block.op_size()))
    feed = next(op for op in ops if op.type() == "feed")
    return block.find_var(feed.output("Out")[0].encode())
