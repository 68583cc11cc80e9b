"""A network as it was before its conversion, without the values of its parameters.

It is kept to record its forward once more, in a case that the first recording does not hold for.
What a forward computes does not hang on the values of parameters: one that reads them is refused.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn


@dataclass(frozen=True, eq=False)
class Blank:
    """What stands for a parameter.

    Attributes:
        shape, dtype: those of the parameter.
        trainable: whether it is trained.
    """

    shape: tuple[int, ...]
    dtype: Any
    trainable: bool


def skeleton_of(network: nn.Layer) -> nn.Layer:
    """Return a copy of a network with blanks for its parameters."""
    blanks = {
        id(parameter): Blank(
            tuple(parameter.shape),
            parameter.dtype,
            not parameter.stop_gradient,
        )
        for parameter in network.parameters()
    }
    return copy.deepcopy(network, blanks)  # which it takes for copies that were made already


def filled(skeleton: nn.Layer) -> nn.Layer:
    """Return a copy of a skeleton that can run: its parameters are noise."""
    blanks: Any = skeleton.parameters()
    return copy.deepcopy(skeleton, {id(blank): _noise(blank) for blank in blanks})


def _noise(blank: Blank) -> Tensor:
    """Return small numbers that are not all alike, of the variance of usual initialisers."""
    some = np.random.default_rng(0).uniform(0.5, 1.5, 997).astype("float32")
    values = np.resize(some, blank.shape)
    if len(blank.shape) > 1:
        values = (values - 1) / math.sqrt(max(1, math.prod(blank.shape[1:])))
    tensor = paddle.to_tensor(values, dtype=blank.dtype)
    tensor.stop_gradient = not blank.trainable
    return tensor
