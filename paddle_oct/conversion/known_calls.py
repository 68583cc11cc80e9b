"""Paddle's layers and functions that work on either band of a pair alike."""

from __future__ import annotations

from paddle import nn

# They do the same for every pixel and channel.
BAND_LAYERS = (
    nn.CELU,
    nn.ELU,
    nn.GELU,
    nn.Hardshrink,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Hardtanh,
    nn.LeakyReLU,
    nn.LogSigmoid,
    nn.Mish,
    nn.ReLU,
    nn.ReLU6,
    nn.RReLU,
    nn.SELU,
    nn.Sigmoid,
    nn.Silu,
    nn.Softplus,
    nn.Softshrink,
    nn.Softsign,
    nn.Swish,
    nn.Tanh,
    nn.Tanhshrink,
    nn.ThresholdedReLU,
    nn.Dropout,
    nn.Dropout2D,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
    nn.Identity,
)
# They have one value per channel in each parameter.
NORM_LAYERS = (
    nn.BatchNorm,
    nn.BatchNorm2D,
    nn.SyncBatchNorm,
    nn.InstanceNorm2D,
    nn.PReLU,
)

# Functions and methods, without the underscores of ``__add__`` or ``relu_``.
_BINARY = """
    add div divide floordiv fmax fmin maximum minimum mul multiply pow sub subtract truediv
"""
_UNARY = """
    abs alpha_dropout assign astype cast ceil celu clip clone contiguous cos detach dropout
    dropout2d elu exp expm1 feature_alpha_dropout floor gelu hardshrink hardsigmoid hardswish
    hardtanh leaky_relu log log1p log_sigmoid mish neg pos reciprocal relu relu6 round rrelu rsqrt
    scale selu sigmoid sign silu sin softplus softshrink softsign sqrt square swish tanh tanhshrink
    thresholded_relu
"""
BINARY_FUNCTIONS = frozenset(_BINARY.split())
ELEMENTWISE_FUNCTIONS = BINARY_FUNCTIONS | frozenset(_UNARY.split())
