"""Writing a network in Paddle's own formats."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from typing import Iterator, Sequence

import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.static import InputSpec

from paddle_oct.base.errors import first_line
from paddle_oct.base.private import elementwise_in_old_ir, old_ir

from .paddle_program import tidy_program


def write_paddle(
    network: nn.Layer, prefix: Path, shape: Sequence[int], size: Sequence[int]
) -> None:
    """Write ``prefix.pdmodel`` and ``prefix.pdiparams``, tidied for Paddle Inference.

    Args:
        network: a network in evaluation mode.
        prefix: the path of the files, without a suffix.
        shape: the shape of the input, -1 for an axis of any length.
        size: the shape of an example input.

    Raises:
        ValueError: the network can't be made a static program.
    """
    with old_programs():
        save_program(network, prefix, shape)
    tidy_program(prefix.with_suffix(".pdmodel"))


def save_program(network: nn.Layer, prefix: Path, shape: Sequence[int]) -> None:
    """Write a network with ``paddle.jit.save``.

    That is ``prefix.json``, or within :func:`old_programs` ``prefix.pdmodel``, and the weights.

    Args:
        network, prefix, shape: as for :func:`write_paddle`.

    Raises:
        ValueError: the network can't be made a static program.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            paddle.jit.save(network, str(prefix), input_spec=[InputSpec(shape, "float32", "x")])
        except OSError:  # no room
            raise
        except Exception as error:
            raise ValueError(
                f"{type(network).__name__} can't be made a static program: {first_line(error)}"
            ) from error


@contextlib.contextmanager
def old_programs() -> Iterator[None]:
    """Have Paddle write programs in the older format in the block.

    Functions that can't be written so in Paddle 3.3 are replaced meanwhile.
    """
    originals = {
        (module, kind): getattr(module, kind)
        for module in (F, paddle)
        for kind in ("sigmoid", "tanh", "exp")
        if hasattr(module, kind)
    }
    with old_ir():
        try:
            for module, kind in originals:
                setattr(module, kind, elementwise_in_old_ir(kind))
            yield
        finally:
            for (module, kind), function in originals.items():
                setattr(module, kind, function)
