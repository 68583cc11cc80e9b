"""Multiply-accumulates."""

from __future__ import annotations

from math import prod

import paddle
from paddle import nn

_CONVOLUTIONS = (nn.Conv1D, nn.Conv2D, nn.Conv3D)


def count_macs(model: nn.Layer, input_size: tuple[int, ...] | list[int]) -> int:
    """Count the multiply-accumulates of a network's convolutions and linear layers.

    Biases, norms, activations, pooling and additions are not counted. A layer that runs twice
    counts twice.

    Args:
        model: any network that takes one Tensor. It is run once, in evaluation mode and without
            gradients, and left in the mode it was in.
        input_size: the shape of that Tensor, such as ``(1, 3, 224, 224)``.

    Returns:
        The total for this input.
    """
    total = 0

    def count_convolution(layer, _, output):
        nonlocal total
        total += prod(output.shape) * prod(layer.weight.shape[1:])

    def count_linear(layer, _, output):
        nonlocal total
        total += prod(output.shape) * layer.weight.shape[0]

    hooks = []
    for layer in model.sublayers(include_self=True):
        if isinstance(layer, _CONVOLUTIONS):
            hooks.append(layer.register_forward_post_hook(count_convolution))
        elif isinstance(layer, nn.Linear):
            hooks.append(layer.register_forward_post_hook(count_linear))
    training = {layer: layer.training for layer in model.sublayers(include_self=True)}
    try:
        model.eval()
        with paddle.no_grad():
            model(paddle.zeros(input_size))
    finally:
        for hook in hooks:
            hook.remove()
        for layer, mode in training.items():
            layer.training = mode
    return total
