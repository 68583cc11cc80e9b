"""Running a network once and looking at what its layers return."""

from __future__ import annotations

import contextlib
from typing import Any, Callable

import paddle
from paddle import Tensor, nn

from paddle_oct.base.modes import kept_modes


def evaluation_run(
    network: nn.Layer, x: Tensor, look: Callable[[nn.Layer, Any, Any], None]
) -> None:
    """Run a network once, in evaluation mode and without gradients.

    Args:
        network: any network that takes one Tensor; it is left unchanged, also after a failure.
        x: that Tensor.
        look: called with layer, inputs and output whenever a layer has run.
    """

    def hook(layer: nn.Layer, inputs: Any, output: Any) -> Any:
        look(layer, inputs, output)  # its result would replace the output

    with contextlib.ExitStack() as stack:
        for layer in network.sublayers(include_self=True):
            stack.callback(layer.register_forward_post_hook(hook).remove)
        with kept_modes(network, training=False), paddle.no_grad():
            network(x)
