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


def fix_input(path: Path, size: Sequence[int], copy: Path) -> None:
    """Write a copy of a ``.pdmodel`` file that takes inputs of one size alone."""
    program = read_program_file(path)
    _fed(program.block(0)).set_shape(list(size))
    copy.write_bytes(program.serialize_to_string())


def parameters_of(path: Path) -> Path:
    """Return the file of a program's weights.

    Raises:
        ValueError: there is no such file.
    """
    parameters = path.with_suffix(".pdiparams")
    if not parameters.is_file():
        raise ValueError(f"{path}: there is no {parameters.name} beside it")
    return parameters


def _fed(block: Any) -> Any:
    """Return the input variable of a block."""
    ops = map(block.op, range(block.op_size()))
    feed = next(op for op in ops if op.type() == "feed")
    return block.find_var(feed.output("Out")[0].encode())
