"""Run a network once and look at what its layers return."""

from __future__ import annotations

from typing import Any, Callable

import paddle
from paddle import Tensor, nn


def evaluation_run(
    network: nn.Layer, x: Tensor, look: Callable[[nn.Layer, Any, Any], None]
) -> None:
    """Run a network once, in evaluation mode and without gradients.

    Args:
        network: any network that takes one Tensor; it is left as it was, also after a failure.
        x: that Tensor.
        look: called with layer, inputs and output whenever a layer has run.
    """

    def hook(layer: nn.Layer, inputs: Any, output: Any) -> None:  # a result would replace output
        look(layer, inputs, output)

    layers = network.sublayers(include_self=True)
    hooks = [layer.register_forward_post_hook(hook) for layer in layers]
    training = {layer: layer.training for layer in layers}
    try:
        network.eval()
        with paddle.no_grad():
            network(x)
    finally:
        for handle in hooks:
            handle.remove()
        for layer, mode in training.items():
            layer.training = mode
