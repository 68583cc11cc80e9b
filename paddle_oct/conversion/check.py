"""Checks that a network was recorded in full, and that the converted one can replace it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Sequence

import numpy as np
import paddle
from paddle import Tensor, nn

from paddle_oct.base.errors import first_line
from paddle_oct.base.modes import kept_modes

from .follow import CannotFollow, kept_random_state, leaves


@contextmanager
def evaluating(model: nn.Layer) -> Iterator[None]:
    """Keep a network in evaluation mode, without gradients, in the block; then restore its mode."""
    with kept_modes(model, training=False), paddle.no_grad():
        yield


@dataclass(frozen=True)
class Sample:
    """An input of the network before its conversion, with the tensors that it returned."""

    x: Tensor
    outputs: list[np.ndarray]


def draw_samples(model: nn.Layer, shape: Sequence[int]) -> list[Sample]:
    """Run a network on noise of a shape, and of another batch and, if it takes one, another size.

    Args:
        model: the network.
        shape: ``(N, C, H, W)``.

    Raises:
        ValueError: the network does not take an input of this shape.
    """
    try:
        first = _run(model, shape)
    except Exception as error:
        raise ValueError(
            f"octavize: {type(model).__name__} does not take an input of {list(shape)}, give "
            f"another input_size: {first_line(error)}"
        ) from error
    batch, channels, height, width = shape
    other_sizes = [
        (height // 2 + 1 - height // 2 % 2, width // 2 + 3 - width // 2 % 2),  # both odd
        (height // 2, width // 2),
        (height + 32, width + 64),
    ]
    for size in other_sizes:
        try:
            other = _run(model, (batch + 1, channels, *size))
        except Exception:
            continue  # a network of a fixed size, or one that needs a larger image
        if all(np.isfinite(output).all() for output in other.outputs):
            return [first, other]  # pooling makes NaN of an image that is too small
    return [first, _run(model, (batch + 1, channels, height, width))]


def _run(model: nn.Layer, shape: Sequence[int]) -> Sample:
    noise = np.random.default_rng(0).normal(size=shape)
    x = paddle.to_tensor(noise, dtype=paddle.get_default_dtype())
    with kept_random_state():
        return Sample(x, tensors_of(model.forward(x)))


def tensors_of(output: Any) -> list[np.ndarray]:
    """Return the tensors that a network returned, as arrays."""
    return [leaf.numpy() for leaf in leaves(output) if isinstance(leaf, Tensor)]


def check_same(
    model: nn.Layer, forward: Callable, inputs: Sequence[Tensor], outputs: Sequence[np.ndarray]
) -> None:
    """Compare the outputs of a recorded forward with those of the network.

    Args:
        model: the network, which the forward is given as ``self``.
        forward: what was recorded.
        inputs: what both are given.
        outputs: what the network returned.

    Raises:
        CannotFollow: they differ, or the recorded one does not run.
    """
    with kept_random_state():
        try:
            found = tensors_of(forward(model, *(tensor.clone() for tensor in inputs)))
            same = len(found) == len(outputs) and all(map(_close, found, outputs))
            wrong = "" if same else "gives another output"
        except Exception as error:
            wrong = f"fails ({first_line(error)})"
    if wrong:
        shapes = ", ".join(str(list(tensor.shape)) for tensor in inputs)
        raise CannotFollow(
            f"the network's forward could not be followed: what was recorded {wrong} for an input "
            f"of {shapes}; perhaps it computes outside of paddle and paddle.nn"
        )


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    if a.shape != b.shape:
        return False
    if not np.issubdtype(b.dtype, np.floating):
        return bool((a == b).all())
    scale = float(np.abs(b).max(initial=0.0))
    return bool(np.allclose(a, b, rtol=1e-4, atol=1e-5 * scale, equal_nan=True))


def check_converted(model: nn.Layer, samples: Sequence[Sample]) -> None:
    """Run a converted network, and compare the shapes of its outputs with those before.

    Raises:
        ValueError: it does not run, or an output has another shape.
    """
    for sample in samples:
        size = list(sample.x.shape)
        try:
            output = model(sample.x)
        except Exception as error:
            raise ValueError(
                f"octavize: the converted network fails on an input of {size}: {first_line(error)}"
            ) from error
        found = [list(array.shape) for array in tensors_of(output)]
        expected = [list(array.shape) for array in sample.outputs]
        if found != expected:
            raise ValueError(
                f"octavize: the converted network's output for an input of {size} has the shape "
                f"{found}, not {expected}; where alpha is 1 every stage's size must be even"
            )
