"""Batch norms that see the images of all processes."""

from __future__ import annotations

import paddle
from paddle import nn

from paddle_oct.base.private import norm_settings, sub_layers

_NORMS = (nn.BatchNorm1D, nn.BatchNorm2D, nn.BatchNorm3D)


def synchronise_norms(network: nn.Layer) -> None:
    """Replace the batch norms of a network by ``paddle.nn.SyncBatchNorm``, in place.

    They have the same parameters and running statistics, and the state dict has the same keys. A
    norm that is frozen (``use_global_stats=True``) remains as it is.

    Raises:
        ValueError: Paddle can't do it: on the CPU, for a ``paddle.nn.BatchNorm``, or for a norm
            with ``use_global_stats=False``.
    """
    if paddle.device.get_device() == "cpu":
        raise ValueError("sync_batch_norm: Paddle has no SyncBatchNorm for the CPU; train without")
    layers = network.sublayers(include_self=True)
    for layer in layers:
        if isinstance(layer, nn.BatchNorm):
            raise ValueError(
                "sync_batch_norm: the network has a paddle.nn.BatchNorm; use BatchNorm2D in place"
            )
        if isinstance(layer, _NORMS) and norm_settings(layer).of_batch:
            raise ValueError("sync_batch_norm: a norm of the network has use_global_stats=False")
    replaced: dict[int, nn.Layer] = {}  # a norm may stand in several places
    for layer in layers:
        own = sub_layers(layer)
        for name, norm in own.items():
            if isinstance(norm, _NORMS) and not norm_settings(norm).frozen:
                own[name] = replaced.setdefault(id(norm), _synchronised(norm))


def _synchronised(norm: nn.Layer) -> nn.Layer:
    synchronised = nn.SyncBatchNorm.convert_sync_batchnorm(norm)
    for name, value in (("weight", 1.0), ("bias", 0.0)):
        parameter = getattr(norm, name)
        if parameter is not None:
            setattr(synchronised, name, parameter)
        else:  # Paddle made one, which would be a new key in the state dict
            delattr(synchronised, name)
            constant = paddle.full([norm_settings(norm).mean.shape[0]], value)
            synchronised.register_buffer(name, constant, persistable=False)
    synchronised.training = norm.training
    return synchronised
