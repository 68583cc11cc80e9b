"""Batch-norms as they are at inference: one scale and one shift per channel."""

from __future__ import annotations

from typing import Any

import numpy as np
from paddle import Tensor, nn

from paddle_oct.base.private import norm_settings

from .folded import Affine
from .probing import run

NORMS = (nn.BatchNorm2D, nn.BatchNorm, nn.SyncBatchNorm)
_ACTIVATIONS = {None: nn.Identity, "relu": nn.ReLU}  # of paddle.nn.BatchNorm(act=...)


def is_affine(layer: nn.Layer) -> bool:
    """Whether a layer is a norm that is one scale and one shift per channel at inference.

    It must use running statistics, have its channels on axis 1, and no activation but ReLU.
    """
    if not isinstance(layer, NORMS):
        return False
    settings = norm_settings(layer)
    return (
        not settings.of_batch
        and settings.data_format in ("NCHW", "NCL", "NC")
        and settings.act in _ACTIVATIONS
    )


def affine_of(norm: nn.Layer | None) -> Affine | None:
    """Return scale and shift of a norm that :func:`is_affine`; None for None."""
    if norm is None:
        return None
    settings = norm_settings(norm)
    mean, variance = (t.numpy().astype(np.float64) for t in (settings.mean, settings.variance))
    own: Any = norm
    gamma = np.ones_like(mean) if own.weight is None else own.weight.numpy().astype(np.float64)
    beta = np.zeros_like(mean) if own.bias is None else own.bias.numpy().astype(np.float64)
    epsilon = float(np.float32(settings.epsilon))  # as Paddle's kernels take it, whatever the dtype
    scale = gamma / np.sqrt(variance + epsilon)
    return Affine(scale, beta - mean * scale)


def activation_of(norm: nn.Layer) -> nn.Layer:
    """Return what replaces a folded norm: its activation, or ``nn.Identity``."""
    return _ACTIVATIONS[norm_settings(norm).act]()


def randomise_norms(network: nn.Layer, x: Tensor) -> None:
    """Give every norm random scale, shift and statistics, as if the network had been trained.

    The statistics fit the inputs of the norms: in a deep network whose norms do not normalise, the
    values grow until rounding decides the output. Half of the mean is left, as maps of one pixel
    are nothing but their mean: without it little more would remain than the shift, and each norm
    would make rounding several times as large.

    Args:
        network: the network to change; it is left in evaluation mode.
        x: an input for the network.
    """
    rng = np.random.default_rng(0)

    def set_norm(norm: Any, inputs: Any) -> Any:
        values = inputs[0].numpy()
        axes = tuple(i for i in range(values.ndim) if i != 1)
        noise = rng.uniform(0.7, 1.3, [3, values.shape[1]]).astype(values.dtype)
        settings = norm_settings(norm)
        mean = values.mean(axes) * noise[0] / 2
        squares = (values - mean.reshape([-1] + [1] * (values.ndim - 2))) ** 2
        settings.mean.set_value(mean)
        settings.variance.set_value((squares.mean(axes) + squares.mean()) / 2 * noise[1] + 1e-3)
        if norm.weight is not None:
            norm.weight.set_value(noise[2])
        if norm.bias is not None:
            norm.bias.set_value(noise[2] - 1)

    network.eval()
    norms = [layer for layer in network.sublayers() if isinstance(layer, NORMS)]
    hooks = [norm.register_forward_pre_hook(set_norm) for norm in norms]
    try:
        run(network, x)
    finally:
        for hook in hooks:
            hook.remove()
