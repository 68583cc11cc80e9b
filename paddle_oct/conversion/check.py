"""Making sure that a network was followed, and that its conversion fits."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import Callable, Iterator, Sequence

import numpy as np
import paddle
from paddle import Tensor, nn

from .follow.graph import leaves
from .follow.trace import CannotFollow


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


@dataclass(frozen=True)
class Sample:
    """An input of the old network, and the tensors that it returned."""

    x: Tensor
    outputs: list[np.ndarray]


def sample(model: nn.Layer, shape: Sequence[int]) -> Sample:
    """Run a network on noise of a shape; drawn random numbers are put back."""
    x = image(shape)
    random_state = paddle.get_rng_state()
    outputs = [tensor.numpy() for tensor in leaves(model(x)) if isinstance(tensor, Tensor)]
    paddle.set_rng_state(random_state)
    return Sample(x, outputs)


def sample_beside(model: nn.Layer, shape: Sequence[int]) -> Sample:
    """Run a network on another batch, and on another size if it takes one."""
    batch, channels, height, width = shape
    candidates = [
        (height // 2 + 1 - height // 2 % 2, width // 2 + 3 - width // 2 % 2),
        (height // 2, width // 2),
        (height + 32, width + 64),
    ]
    for size in candidates:
        try:
            known = sample(model, (batch + 1, channels, *size))
        except Exception:
            continue  # a network of a fixed size, or one that needs a larger image
        if all(np.isfinite(output).all() for output in known.outputs):
            return known  # of too small an image Paddle's pooling may make NaN
    return sample(model, (batch + 1, channels, height, width))


def image(shape: Sequence[int]) -> Tensor:
    """Return an input of this shape, noise."""
    numbers = np.random.default_rng(0).normal(size=shape)
    return paddle.to_tensor(numbers, dtype=paddle.get_default_dtype())


def check_followed(model: nn.Layer, forward: Callable, samples: Sequence[Sample]) -> None:
    """Compare a recorded forward with what the network returned.

    Raises:
        CannotFollow: they differ, or the recorded one does not run.
    """
    for known in samples:
        random_state = paddle.get_rng_state()
        try:
            found = [t.numpy() for t in leaves(forward(model, known.x)) if isinstance(t, Tensor)]
            same = len(found) == len(known.outputs) and all(map(_close, found, known.outputs))
            why = "gives another output"
        except Exception as error:
            same, why = False, f"fails ({' '.join(str(error).split())[:200]})"
        finally:
            paddle.set_rng_state(random_state)
        if not same:
            raise CannotFollow(
                f"the network's forward could not be followed: what was recorded {why} for an "
                f"input of {list(known.x.shape)}; perhaps it computes outside of paddle and "
                f"paddle.nn, or decides by the size of its input"
            )


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    if a.shape != b.shape:
        return False
    if not np.issubdtype(b.dtype, np.floating):
        return bool((a == b).all())
    scale = float(np.abs(b).max(initial=0.0))
    return bool(np.allclose(a, b, rtol=1e-4, atol=1e-5 * scale, equal_nan=True))


def check_converted(model: nn.Layer, samples: Sequence[Sample]) -> None:
    """Run a converted network, and compare the shapes of its outputs with the old ones.

    Raises:
        ValueError: it does not run, or an output has another shape.
    """
    for known in samples:
        size = list(known.x.shape)
        try:
            output = model(known.x)
        except Exception as error:
            raise ValueError(
                f"octavize: the converted network fails on an input of {size}: "
                f"{' '.join(str(error).split())[:300]}"
            ) from error
        found = [list(t.shape) for t in leaves(output) if isinstance(t, Tensor)]
        expected = [list(array.shape) for array in known.outputs]
        if found != expected:
            raise ValueError(
                f"octavize: the converted network's output for an input of {size} has the shape "
                f"{found}, not {expected}; where alpha is 1 every stage's size must be even"
            )
