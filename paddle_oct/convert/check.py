"""Making sure that a network was followed, and that its conversion fits."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator

import numpy as np
import paddle
from paddle import Tensor, nn

from .follow import CannotFollow, leaves


@contextmanager
def evaluating(model: nn.Layer) -> Iterator[None]:
    """Have a network in evaluation mode, without gradients, and leave it in the mode it was in."""
    modes = {layer: layer.training for layer in model.sublayers(include_self=True)}
    model.eval()
    try:
        with paddle.no_grad():
            yield
    finally:
        for layer, mode in modes.items():
            layer.training = mode


def other_inputs(model: nn.Layer, x: Tensor) -> list[Tensor]:
    """Return an input of another batch than ``x``, and of another size if the network takes one."""
    batch, channels, height, width = x.shape
    candidates = [
        (height // 2 + 1 - height // 2 % 2, width // 2 + 3 - width // 2 % 2),
        (height // 2, width // 2),
        (height + 32, width + 64),
    ]
    for size in candidates:
        other = image((batch + 1, channels, *size))
        try:
            model(other)
        except Exception:
            continue  # a network of a fixed size, or one that needs a larger image
        return [other]
    return [image((batch + 1, channels, height, width))]


def image(shape: tuple[int, ...]) -> Tensor:
    """Return an input of this shape, noise."""
    numbers = np.random.default_rng(0).normal(size=shape)
    return paddle.to_tensor(numbers, dtype=paddle.get_default_dtype())


def check_followed(model: nn.Layer, forward: Callable, inputs: list[Tensor]) -> None:
    """Compare a recorded forward with the network's own.

    Raises:
        CannotFollow: they differ, or the recorded one does not run.
    """
    for x in inputs:
        random_state = paddle.get_rng_state()
        expected = [t.numpy() for t in leaves(model(x)) if isinstance(t, Tensor)]
        paddle.set_rng_state(random_state)
        try:
            found = [t.numpy() for t in leaves(forward(model, x)) if isinstance(t, Tensor)]
            same = len(found) == len(expected) and all(map(_close, found, expected))
            why = "gives another output"
        except Exception as error:
            same, why = False, f"fails ({' '.join(str(error).split())[:200]})"
        if not same:
            raise CannotFollow(
                f"the network's forward could not be followed: what was recorded {why} for an "
                f"input of {list(x.shape)}; perhaps it computes outside of paddle and paddle.nn, "
                f"or decides by the size of its input"
            )


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    if a.shape != b.shape:
        return False
    if not np.issubdtype(b.dtype, np.floating):
        return bool((a == b).all())
    scale = float(np.abs(b).max(initial=0.0))
    return bool(np.allclose(a, b, rtol=1e-4, atol=1e-5 * scale, equal_nan=True))


def check_converted(model: nn.Layer, shapes: list[Any], inputs: list[Tensor]) -> None:
    """Run a converted network on inputs, and compare the shapes of its outputs.

    Raises:
        ValueError: it does not run, or an output has another shape.
    """
    for x, expected in zip(inputs, shapes):
        try:
            found = output_shapes(model(x))
        except Exception as error:
            raise ValueError(
                f"octavize: the converted network fails on an input of {list(x.shape)}: "
                f"{' '.join(str(error).split())[:300]}"
            ) from error
        if found != expected:
            raise ValueError(
                f"octavize: the converted network's output for an input of {list(x.shape)} has "
                f"the shape {found}, not {expected}; where alpha is 1 the size must be even in "
                f"every stage"
            )


def output_shapes(output: Any) -> list[list[int]]:
    """Return the shapes of all tensors of an output."""
    return [[int(s) for s in t.shape] for t in leaves(output) if isinstance(t, Tensor)]
