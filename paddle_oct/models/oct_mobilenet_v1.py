"""Oct-MobileNetV1 (Howard et al., arXiv:1704.04861, with octave convolutions)."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import Tensor, nn

from paddle_oct.nn import Conv_BN_ACT

from .options import Alpha, ConvOptions, check_classes, check_scale, stage_alphas
from .registry import register_model

# (output channels, stride, stage) of the thirteen blocks. The first four stages, at 1/2, 1/4, 1/8
# and 1/16 of the input's size, may hold octave features.
_BLOCKS = (
    (64, 1, 0),
    (128, 2, 1),
    (128, 1, 1),
    (256, 2, 2),
    (256, 1, 2),
    (512, 2, 3),
    (512, 1, 3),
    (512, 1, 3),
    (512, 1, 3),
    (512, 1, 3),
    (512, 1, 3),
    (1024, 2, 4),
    (1024, 1, 4),
)
_CLOSING_BLOCK = 11


class OctMobileNetV1(nn.Layer):
    """MobileNetV1 with octave convolutions between the stem and the last stage.

    The pointwise convolution of block 1 opens the octave, that of block 11 closes it; the stem and
    the last two blocks are vanilla. With ``alpha=0`` this is ``paddle.vision.models.MobileNetV1``.

    Args:
        scale (float): width multiplier.
        num_classes (int): outputs of the classifier; 0 for none.
        with_pool (bool): whether to average over space before the classifier.
        alpha (float|list): the share of low-frequency channels, in [0, 1]; one number, or four for
            the stages at 1/2, 1/4, 1/8 and 1/16 of the input's size.
        downsample (str|None): how convolutions halve a map, as in :class:`~paddle_oct.OctaveConv`.
        h2l (bool), l2h (bool): whether the inter-octave paths exist within the octave stages.

    Shape:
        - input: ``[N, 3, H, W]``.
        - output: ``[N, num_classes]``; without classifier ``[N, C, 1, 1]``, without pooling too
          ``[N, C, ceil(H / 32), ceil(W / 32)]``, with ``C = int(1024 * scale)``.

    Raises:
        TypeError, ValueError: an argument is out of range.

    Examples:
        >>> import paddle
        >>> from paddle_oct import OctMobileNetV1
        >>> model = OctMobileNetV1(alpha=0.25, num_classes=10)
        >>> print(list(model(paddle.rand([2, 3, 64, 64])).shape))
        [2, 10]
    """

    def __init__(
        self,
        scale: float = 1.0,
        num_classes: int = 1000,
        with_pool: bool = True,
        alpha: Alpha = 0.5,
        downsample: str | None = None,
        h2l: bool = True,
        l2h: bool = True,
    ) -> None:
        super().__init__()
        scale = check_scale(scale, 32, "OctMobileNetV1")
        self.num_classes = check_classes(num_classes, "OctMobileNetV1")
        self.with_pool = with_pool
        alphas = [*stage_alphas(alpha, 4, "OctMobileNetV1"), 0.0]
        options = ConvOptions(downsample, h2l, l2h, octave=any(alphas))

        channels, alpha_in = int(32 * scale), 0.0
        layers = [_stem(channels)]
        for number, (width, stride, stage) in enumerate(_BLOCKS, start=1):
            alpha_out = 0.0 if number == _CLOSING_BLOCK else alphas[stage]
            out_channels = int(width * scale)
            layers.append(_block(channels, out_channels, stride, alpha_in, alpha_out, options))
            channels, alpha_in = out_channels, alpha_out
        self.features = nn.Sequential(*layers)
        self.num_features = channels

        if with_pool:
            self.pool = nn.AdaptiveAvgPool2D(1)
        if num_classes > 0:
            self.fc = nn.Linear(channels, num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the last feature map, ``[N, C, ceil(H / 32), ceil(W / 32)]``."""
        high, _ = self.features(x)
        return high

    def forward_head(self, x: Tensor) -> Tensor:
        """Pool and classify a feature map."""
        if self.with_pool:
            x = self.pool(x)
        if self.num_classes > 0:
            x = self.fc(paddle.flatten(x, 1))
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))


def _stem(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2D(3, channels, 3, stride=2, padding=1, bias_attr=False),
        nn.BatchNorm2D(channels),
        nn.ReLU(),
    )


def _block(
    channels: int,
    out_channels: int,
    stride: int,
    alpha_in: float,
    alpha_out: float,
    options: ConvOptions,
) -> nn.Sequential:
    """A depthwise 3x3 and a pointwise convolution; the latter changes alpha."""
    return nn.Sequential(
        Conv_BN_ACT(
            channels,
            channels,
            3,
            stride=stride,
            padding=1,
            groups=channels,
            **options.between(alpha_in, alpha_in),
        ),
        Conv_BN_ACT(channels, out_channels, 1, **options.between(alpha_in, alpha_out)),
    )


@register_model
def oct_mobilenet_v1(**kwargs: Any) -> OctMobileNetV1:
    """Oct-MobileNetV1; arguments as in :class:`OctMobileNetV1`."""
    return OctMobileNetV1(**kwargs)


oct_mobilenet = oct_mobilenet_v1
