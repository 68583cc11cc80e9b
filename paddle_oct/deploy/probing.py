"""Running a network on an example, and comparing two results."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Iterator, Sequence

import numpy as np
import paddle
from paddle import Tensor, nn

from paddle_oct.base.errors import first_line

#: How much is added to values to see what rounding does to them, in units of the last place.
NOISE = 10
_TRIES = 3


def example(size: Sequence[int]) -> Tensor:
    """Return a random input of a size, the same every time."""
    values = np.random.default_rng(0).standard_normal(tuple(size))
    return paddle.to_tensor(values.astype(np.float32))


def run(network: nn.Layer, x: Tensor) -> Any:
    """Run a network without gradients.

    Raises:
        ValueError: it fails.
    """
    try:
        with paddle.no_grad():
            return network(x)
    except Exception as error:
        raise ValueError(
            f"{type(network).__name__} can't be run on an input of shape {list(x.shape)}: "
            f"{first_line(error)}"
        ) from error


def outputs(result: Any) -> list[np.ndarray]:
    """Return what a network returned as arrays, one per Tensor in it.

    Raises:
        ValueError: there is something else in it than Tensors, tuples, lists, dicts and None.
    """
    if result is None:
        return []
    if isinstance(result, Tensor):
        return [result.numpy()]
    if isinstance(result, dict):
        result = list(result.values())
    if not isinstance(result, (tuple, list)):
        raise ValueError(f"a network must return Tensors, got {type(result).__name__}")
    return [array for part in result for array in outputs(part)]


def relative_difference(
    expected: Sequence[np.ndarray], result: Sequence[np.ndarray], smallest: float = 1e-6
) -> float:
    """Return the largest difference of two lists of arrays, relative to each array's largest value.

    Args:
        expected: the values that the differences refer to.
        result: the values to compare with them.
        smallest: is used for the largest value of an array where that is smaller.

    Returns:
        Infinity if there are more or fewer arrays or their shapes differ, NaN if a value is NaN.
    """
    if [a.shape for a in expected] != [b.shape for b in result]:
        return float("inf")
    worst = [0.0]
    for a, b in zip(expected, result):
        largest = max(smallest, float(np.abs(a).max(initial=0))) or 1.0
        worst.append(float(np.abs(a - b).max(initial=0)) / largest)
    return float(np.max(worst))


def rounding(
    network: nn.Layer, x: Tensor, expected: Sequence[np.ndarray], smallest: float = 1e-6
) -> float:
    """Return the relative difference of a network's outputs that rounding may explain.

    That is the largest change in three runs, in which what every layer returns is changed at random
    by several times what rounding does. Deep networks that are not trained amplify that a
    thousandfold and more, those with squeeze-and-excitation without bound.

    Args:
        network: a network in evaluation mode.
        x: an input.
        expected: its outputs for that input.
        smallest: as for :func:`relative_difference`.
    """
    changes = []
    for seed in range(_TRIES):
        with _noise(network, np.random.default_rng(seed)) as add_noise:
            disturbed = outputs(run(network, add_noise(x)))
        changes.append(relative_difference(expected, disturbed, smallest))
    return float(np.max(changes))


@contextlib.contextmanager
def _noise(network: nn.Layer, rng: np.random.Generator) -> Iterator[Callable[[Any], Any]]:
    """Add noise to what every layer without sub-layers returns in the block.

    Yields:
        A function that adds such noise.
    """

    def add_noise(value: Any) -> Any:
        if isinstance(value, (tuple, list)):
            return type(value)(map(add_noise, value))
        if not isinstance(value, Tensor) or not value.is_floating_point():
            return value
        size = value.abs()
        normal = paddle.to_tensor(rng.standard_normal(value.shape), value.dtype)
        return value + NOISE * paddle.finfo(value.dtype).eps * (size + size.mean()) * normal

    layers = [layer for layer in network.sublayers(include_self=True) if not layer.sublayers()]
    hooks = [
        layer.register_forward_post_hook(lambda layer, inputs, result: add_noise(result))
        for layer in layers
    ]
    try:
        yield add_noise
    finally:
        for hook in hooks:
            hook.remove()
