"""What tests of several rooms share."""

import re

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_oct import Conv_BN_ACT, OctaveMerge
from paddle_oct.deploy.engines import ENGINES


def classifier():
    """Return a small network for ten classes: octave layers, norms, dropout."""
    return nn.Sequential(
        Conv_BN_ACT(3, 8, 3, 0, 0.5, stride=2, padding=1),
        OctaveMerge(),
        nn.Dropout(0.1),
        nn.AdaptiveAvgPool2D(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )


def slow_but(quick, values):
    """Return the values as parameters for pytest, all but the quick ones marked slow."""
    quick, values = list(quick), list(values)
    assert all(value in values for value in quick), "a quick one is not among the values"
    return [
        value if value in quick else pytest.param(value, marks=pytest.mark.slow) for value in values
    ]


def need_engine(engine):
    """Skip the test where an engine for exported files is not installed."""
    try:
        ENGINES[engine].check_installed()
    except ValueError as error:
        pytest.skip(str(error))


def naming(*parts):
    """Return a pattern that finds all parts, in any order."""
    return "(?s)" + "".join(f"(?=.*{re.escape(part)})" for part in parts)


def halve(x):
    """Average 2x2 cells over what lies inside the map: pad to even, add up, count."""
    height, width = x.shape[2:]

    def sum_of_cells(t):
        t = F.pad(t, [0, width % 2, 0, height % 2])
        rows = t[:, :, 0::2] + t[:, :, 1::2]
        return rows[:, :, :, 0::2] + rows[:, :, :, 1::2]

    return sum_of_cells(x) / sum_of_cells(paddle.ones([1, 1, height, width], x.dtype))


def double(x, height, width):
    """Read cell (i // 2, j // 2) for every cell (i, j) of the larger map."""
    x = paddle.index_select(x, paddle.to_tensor([i // 2 for i in range(height)]), axis=2)
    return paddle.index_select(x, paddle.to_tensor([j // 2 for j in range(width)]), axis=3)


def randomise_norms(network, seed=0):
    """Give norms and biases values that can't be mixed up, and return it for inference."""
    rng = np.random.default_rng(seed)
    for name, tensor in network.state_dict().items():
        if len(tensor.shape) == 1:
            low, high = (-0.3, 0.3) if name.endswith(("_mean", "bias")) else (0.5, 1.5)
            tensor.set_value(rng.uniform(low, high, tensor.shape).astype("float32"))
    network.eval()
    return network
