"""Training and evaluation mode of a network, restored afterwards."""

from __future__ import annotations

import contextlib
from typing import Iterator

from paddle import nn


@contextlib.contextmanager
def kept_modes(*networks: nn.Layer, training: bool | None = None) -> Iterator[None]:
    """Restore the mode of every layer of the networks after the block.

    Args:
        *networks: the networks.
        training: the mode to set within the block; ``None`` to leave that to the block.
    """
    layers = [layer for network in networks for layer in network.sublayers(include_self=True)]
    modes = [layer.training for layer in layers]
    try:
        if training is not None:
            for network in networks:
                network.train() if training else network.eval()
        yield
    finally:
        for layer, mode in zip(layers, modes):
            layer.training = mode
