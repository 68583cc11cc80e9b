"""Measuring how long networks take."""

from __future__ import annotations

from functools import partial
from typing import Any, Sequence

import paddle
from paddle import nn

from paddle_oct.base.modes import kept_modes
from paddle_oct.base.timing import interleave

from .memory import tensors_in
from .results import Latency


def measure_latency(
    contenders: Sequence[tuple[nn.Layer, Sequence[Any]]], repeats: int
) -> list[Latency]:
    """Measure the forward pass of networks in evaluation mode, eager and without gradients.

    They take turns, so that other load on the machine affects all of them alike.

    Args:
        contenders: networks and their inputs.
        repeats: how often each runs, 1 or more, after three runs that do not count.

    Raises:
        ValueError: ``repeats`` is less than 1.
    """
    with kept_modes(*(model for model, _ in contenders), training=False), paddle.no_grad():
        timings = interleave([partial(_run, *contender) for contender in contenders], repeats)
    return [
        Latency(
            milliseconds=1000 * timing.median,
            spread=1000 * timing.spread,
            images_per_second=tensors_in(inputs)[0].shape[0] / timing.median,
            repeats=repeats,
        )
        for timing, (_, inputs) in zip(timings, contenders)
    ]


def _run(model: nn.Layer, inputs: Sequence[Any]) -> None:
    model(*inputs)
    if paddle.device.is_compiled_with_cuda():
        paddle.device.synchronize()
