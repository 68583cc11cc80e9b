"""Running a network without leaving a trace in it, or in Paddle's random numbers."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

import paddle
from paddle import nn


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Restore the state of Paddle's random numbers after the block."""
    state = paddle.get_rng_state()
    try:
        yield
    finally:
        paddle.set_rng_state(state)


@contextmanager
def kept_statistics(model: nn.Layer) -> Iterator[None]:
    """Restore after the block what training mode changes: buffers, parameters without gradients."""
    before = {
        tensor: tensor.clone()
        for tensor in [*model.buffers(), *model.parameters()]
        if tensor.stop_gradient
    }
    try:
        yield
    finally:
        with paddle.no_grad():
            for tensor, old in before.items():
                paddle.assign(old, tensor)
