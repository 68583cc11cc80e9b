"""The authors' Oct-ResNet-152 of Table 7: v1f, and v1e with squeeze-and-excitation.

Both have a stem of three 3x3 convolutions and carry the stride of a block in its third
convolution.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from paddle import Tensor, nn

from paddle_oct.nn import OctaveFeature, OctaveNorm
from paddle_oct.weights import GluonLayout

from .oct_resnet import AUTHORS_STAGES, Bottleneck, OctResNet
from .options import ConvOptions, NetworkOptions
from .pretrained import Pretrained, PublishedWeights
from .registry import register_model

if TYPE_CHECKING:
    from typing_extensions import Unpack

_AUTHORS_NAMES = {
    # In the authors' networks the block in place of the max-pool has ordinary convolutions.
    "conv2.downsample.0.conv.conv_h2h": "conv2.conv4",
    "conv2.downsample.0.bn_h": "conv2.bn4",
    "conv2.conv{k}.conv.conv_h2h": "conv2.conv{k}",
    "conv2.conv{k}.bn_h": "conv2.bn{k}",
    # In the authors' files these norms have a scale and a shift, which are always 1 and 0.
    "layer{stage}.{block}.norm{k}.high": "L{stage}_B{block}.bn{k}a.bn_h",
    "layer{stage}.{block}.norm{k}.low": "L{stage}_B{block}.bn{k}a.bn_l",
    **AUTHORS_STAGES,
}


class BottleneckV1e(Bottleneck):
    """A bottleneck whose last convolution carries the stride."""

    strided = 3


class SEBottleneckV1e(BottleneckV1e):
    """The same with squeeze-and-excitation, and with a norm in front of ``conv1`` and of
    ``downsample`` each, without scale and shift.
    """

    reduction = 16

    def __init__(
        self,
        channels: int,
        width: int,
        stride: int,
        alpha_in: float,
        alpha_out: float,
        options: ConvOptions,
    ) -> None:
        super().__init__(channels, width, stride, alpha_in, alpha_out, options)
        norm = partial(nn.BatchNorm2D, weight_attr=False, bias_attr=False)
        self.norm1 = OctaveNorm(channels, alpha_in, norm)
        self.norm4 = None if self.downsample is None else OctaveNorm(channels, alpha_in, norm)

    def residual(self, x: OctaveFeature) -> OctaveFeature:
        return super().residual(self.norm1(x))

    def shortcut(self, x: OctaveFeature) -> OctaveFeature:
        return x if self.norm4 is None else super().shortcut(self.norm4(x))


class StemBlock(Bottleneck):
    """A vanilla bottleneck from 64 to 64 channels in place of the max-pool."""

    expansion = 2


class OctResNetV1e(OctResNet):
    """ResNet with a deep stem; arguments as in :class:`OctResNet`."""

    foreign_layouts = (GluonLayout(_AUTHORS_NAMES),)
    stem_widths = (32, 32, 64)
    stem_strides = (2, 1, 1)

    def _add_stem(self) -> int:
        layers, channels = [], 3
        for width, stride in zip(self.stem_widths, self.stem_strides):
            conv = nn.Conv2D(channels, width, 3, stride=stride, padding=1, bias_attr=False)
            layers += [conv, nn.BatchNorm2D(width), nn.ReLU()]
            channels = width
        self.conv1 = nn.Sequential(*layers)
        self._add_stem_pool(channels)
        return channels

    def _add_stem_pool(self, channels: int) -> None:
        self.maxpool = nn.MaxPool2D(3, stride=2, padding=1)

    def forward_stem(self, x: Tensor) -> Tensor:
        return self.maxpool(self.conv1(x))


class OctResNetV1f(OctResNetV1e):
    """The same with :class:`StemBlock` in place of the max-pool."""

    stem_widths = (8, 32, 64)
    stem_strides = (1, 2, 1)

    def _add_stem_pool(self, channels: int) -> None:
        strided = ConvOptions(downsample=None, h2l=True, l2h=True, octave=False)
        self.conv2 = StemBlock(channels, channels // 2, 2, 0.0, 0.0, strided)

    def forward_stem(self, x: Tensor) -> Tensor:
        high, _ = self.conv2((self.conv1(x), None))
        return high


@register_model(
    OctResNetV1f,
    PublishedWeights(
        "oct_resnet152_v1f",
        {"alpha": 0.125},
        "resnet152_v1f_alpha-0.125.params",
        *(81.4, 95.4),
    ),
)
def oct_resnet152_v1f(
    pretrained: Pretrained = False, **options: Unpack[NetworkOptions]
) -> OctResNetV1f:
    """Oct-ResNet-152 v1f; arguments as in :class:`OctResNet`, after ``layers``."""
    return OctResNetV1f(BottleneckV1e, (3, 8, 36, 3), **options)


@register_model(
    OctResNetV1e,
    PublishedWeights(
        "oct_se_resnet152_v1e",
        {"alpha": 0.125},
        "se-resnet152_v1e_alpha-0.125.params",
        *(81.6, 95.7),
    ),
)
def oct_se_resnet152_v1e(
    pretrained: Pretrained = False, **options: Unpack[NetworkOptions]
) -> OctResNetV1e:
    """Oct-SE-ResNet-152 v1e; arguments as in :class:`OctResNet`, after ``layers``."""
    return OctResNetV1e(SEBottleneckV1e, (3, 8, 36, 3), **options)
