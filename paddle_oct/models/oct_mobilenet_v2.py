"""Oct-MobileNetV2 (Sandler et al., arXiv:1801.04381), as in Table 5 of the octave paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddle import Tensor, nn

from paddle_oct.base.private_tracing import called_whole
from paddle_oct.nn import Conv_BN, Conv_BN_ACT, OctaveFeature, add
from paddle_oct.weights import GluonLayout

from .network import OctNetwork
from .options import Alpha, ConvOptions, NetworkOptions, TrunkOptions, check_scale
from .pretrained import Pretrained, PublishedWeights
from .registry import register_model

if TYPE_CHECKING:
    from typing_extensions import Unpack

# (expansion factor, output channels, stride, stage) of the seventeen blocks. The first four stages,
# at 1/2, 1/4, 1/8 and 1/16 of the input's size, may hold octave features.
_BLOCKS = (
    (1, 16, 1, 0),
    (6, 24, 2, 1),
    (6, 24, 1, 1),
    (6, 32, 2, 2),
    (6, 32, 1, 2),
    (6, 32, 1, 2),
    (6, 64, 2, 3),
    (6, 64, 1, 3),
    (6, 64, 1, 3),
    (6, 64, 1, 3),
    (6, 96, 1, 3),
    (6, 96, 1, 3),
    (6, 96, 1, 3),
    (6, 160, 2, 4),
    (6, 160, 1, 4),
    (6, 160, 1, 4),
    (6, 320, 1, 4),
)
_LAST_OF_STAGE = (1, 3, 6, 13, 17)

# What the authors call the seventeen blocks.
_AUTHORS_BLOCKS = (
    *("L1_B1", "L2_B0", "L2_B1", "L3_B0", "L3_B1", "L3_B2"),
    *("L4_B0", "L4_B1", "L4_B2", "L4_B3", "L4_B4", "L4_B5", "L4_B6"),
    *("L5_B0", "L5_B1", "L5_B2", "L5_B3"),
)


def _authors_names() -> dict[str, str]:
    names = {"features.0": "conv1", "last": "tail", "fc": "classifer"}
    for number, block in enumerate(_AUTHORS_BLOCKS, start=1):
        for layer, part in enumerate(("expand", "depthwise", "project"), start=1):
            names[f"features.{number}.{part}.conv"] = f"{block}.conv{layer}"
            names[f"features.{number}.{part}"] = f"{block}.bn{layer}"
    return names


class MobileNetV2Options(NetworkOptions, total=False):
    """What :func:`oct_mobilenet_v2` takes; see :class:`OctMobileNetV2`."""

    scale: float


@called_whole
class InvertedResidual(nn.Layer):
    """Expansion, depthwise 3x3 convolution and projection around a single-band shortcut.

    The expansion opens the octave and the projection closes it.

    Args:
        channels (int), out_channels (int): before and after, in a single high band.
        factor (int): the expansion factor; there are ``factor * channels`` channels in between.
        stride (int): 1 or 2; of the depthwise convolution.
        alpha (float): the share of low-frequency channels in between.
        options (ConvOptions): what else the convolutions take.
    """

    def __init__(
        self,
        channels: int,
        out_channels: int,
        factor: int,
        stride: int,
        alpha: float,
        options: ConvOptions,
    ) -> None:
        super().__init__()
        width = factor * channels
        opened, within, closed = (
            options.between(*alphas) for alphas in ((0.0, alpha), (alpha, alpha), (alpha, 0.0))
        )
        self.expand = Conv_BN_ACT(channels, width, 1, activation_layer=nn.ReLU6, **opened)
        self.depthwise = Conv_BN_ACT(
            width,
            width,
            3,
            stride=stride,
            padding=1,
            groups=width,
            activation_layer=nn.ReLU6,
            **within,
        )
        self.project = Conv_BN(width, out_channels, 1, **closed)
        self.stride = stride
        self.has_shortcut = stride == 1 and channels == out_channels
        self.all_low = not self.expand.conv.out_bands[0]

    def forward(self, x: OctaveFeature) -> OctaveFeature:
        y: OctaveFeature = self.project(self.depthwise(self.expand(x)))
        high, y_high = x[0], y[0]
        if self.all_low and high is not None and y_high is not None:
            # With the low band alone in between, odd sizes have become even ones.
            height, width = (-(-size // self.stride) for size in high.shape[2:])
            y = (y_high[:, :, :height, :width], None)
        return add(y, x) if self.has_shortcut else y


class OctMobileNetV2(OctNetwork):
    """MobileNetV2 with octave convolutions in its first thirteen blocks.

    Features are octave within these blocks only: the expansion opens the octave, the projection
    closes it, and what passes from block to block is one band of full resolution. The last four
    blocks are vanilla.

    Three things are as in the authors' network, and not as in ``paddle.vision.models.MobileNetV2``:
    the first block has an expansion, by the factor 1 (1,088 parameters at scale 1); channels are
    ``int(scale * c)`` without rounding to multiples of 8; no dropout precedes the classifier.

    Args:
        scale (float): width multiplier; the authors' are 1.0 and 1.125.
        num_classes (int): outputs of the classifier; 0 for none.
        with_pool (bool): whether to average over space before the classifier.
        alpha (float|list): the share of low-frequency channels, in [0, 1]; one number, or four for
            the blocks whose output is at 1/2, 1/4, 1/8 and 1/16 of the input's size.
        **options: ``downsample``, ``h2l``, ``l2h``, ``features_only`` and ``merge_features``, as
            in :class:`~paddle_oct.models.OctNetwork`. ``h2l`` and ``l2h`` switch nothing off: the
            depthwise convolutions have no such paths, and the others open or close the octave.

    Shape:
        - input: ``[N, 3, H, W]``.
        - output: ``[N, num_classes]``; without classifier ``[N, C, 1, 1]``, without pooling too
          ``[N, C, ceil(H / 32), ceil(W / 32)]``, with ``C = int(1280 * max(1, scale))``. For
          ``features_only`` the outputs of the five stages, at 1/2 to 1/32 of the input's size,
          without the last convolution.

    Raises:
        TypeError, ValueError: an argument is out of range.

    Examples:
        >>> import paddle
        >>> from paddle_oct import OctMobileNetV2
        >>> model = OctMobileNetV2(scale=1.125, alpha=0.5, num_classes=10)
        >>> print(list(model(paddle.rand([2, 3, 64, 64])).shape))
        [2, 10]
    """

    octave_stages = 4
    head_layers = ("last", "fc")
    foreign_layouts = (GluonLayout(_authors_names()),)

    def __init__(
        self,
        scale: float = 1.0,
        num_classes: int = 1000,
        with_pool: bool = True,
        alpha: Alpha = 0.5,
        **options: Unpack[TrunkOptions],
    ) -> None:
        super().__init__(num_classes, with_pool, alpha, **options)
        check_scale(scale, "OctMobileNetV2", least=1 / 16)
        channels = int(32 * scale)
        layers: list[nn.Layer] = [_conv(3, channels, 3, stride=2)]
        for number, (factor, width, stride, stage) in enumerate(_BLOCKS, start=1):
            out_channels, alpha_within = int(width * scale), self.alphas[stage]
            layers.append(
                InvertedResidual(channels, out_channels, factor, stride, alpha_within, self.options)
            )
            channels = out_channels
            if number in _LAST_OF_STAGE:
                self._end_stage(f"features.{number}", channels, alpha=0.0, stride=2 * 2**stage)
        self.features = nn.Sequential(*layers)
        if not self.features_only:
            widest = int(1280 * max(1.0, scale))
            self.last = _conv(channels, widest, 1)
            channels = widest
        self._add_head(channels)

    def forward_stem(self, x: Tensor) -> Tensor:
        return self.features[0](x)

    def trunk(self) -> list[tuple[str, nn.Layer]]:
        return [(f"features.{n}", layer) for n, layer in enumerate(self.features)][1:]

    def forward_features(self, x: Tensor) -> Tensor:
        x = super().forward_features(x)
        return x if self.features_only else self.last(x)


def _conv(channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> nn.Sequential:
    """Return a vanilla convolution with norm and activation."""
    padding = kernel_size // 2
    return nn.Sequential(
        nn.Conv2D(channels, out_channels, kernel_size, stride, padding, bias_attr=False),
        nn.BatchNorm2D(out_channels),
        nn.ReLU6(),
    )


@register_model(
    OctMobileNetV2,
    PublishedWeights(
        "oct_mobilenet_v2",
        {"alpha": 0.375, "scale": 1.0},
        "mobilenet_v2_100_alpha-0.375.params",
        *(72.0, 90.7),
    ),
    PublishedWeights(
        "oct_mobilenet_v2",
        {"alpha": 0.5, "scale": 1.125},
        "mobilenet_v2_1125_alpha-0.5.params",
        *(73.0, 91.2),
    ),
)
def oct_mobilenet_v2(
    pretrained: Pretrained = False, **options: Unpack[MobileNetV2Options]
) -> OctMobileNetV2:
    """Oct-MobileNetV2; arguments as in :class:`OctMobileNetV2`."""
    return OctMobileNetV2(**options)
