"""Oct-MobileNetV1 (Howard et al., arXiv:1704.04861, with octave convolutions)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Callable, Union

from paddle import Tensor, nn

from paddle_oct.base.names import look_up
from paddle_oct.lightweight import DualConv, HetConv
from paddle_oct.nn import Conv_BN_ACT
from paddle_oct.weights import GluonLayout, VanillaLayout

from .network import OctNetwork
from .options import Alpha, ConvOptions, NetworkOptions, TrunkOptions, check_scale
from .pretrained import Pretrained, PublishedWeights
from .registry import register_model

if TYPE_CHECKING:
    from typing_extensions import Unpack

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
_CONVS = {"separable": None, "het": partial(HetConv, p=4), "dual": partial(DualConv, groups=4)}
_LAST_OF_STAGE = (1, 3, 5, 11, 13)

# What the authors and what paddle.vision.models call the thirteen blocks.
_AUTHORS_BLOCKS = (
    *("L1_B1", "L2_B0", "L2_B1", "L3_B0", "L3_B1"),
    *("L4_B0", "L4_B1", "L4_B2", "L4_B3", "L4_B4", "L4_B5", "L5_B0", "L5_B1"),
)
_VANILLA_BLOCKS = (
    *("conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv4_1", "conv4_2"),
    *("conv5_1", "conv5_2", "conv5_3", "conv5_4", "conv5_5", "conv5_6", "conv6"),
)


def _authors_names() -> dict[str, str]:
    names = {"features.0": "conv1", "fc": "classifer"}
    for number, block in enumerate(_AUTHORS_BLOCKS, start=1):
        for part, layer in ((0, 1), (1, 2)):
            names[f"features.{number}.{part}.conv"] = f"{block}.conv{layer}"
            names[f"features.{number}.{part}"] = f"{block}.bn{layer}"
    return names


def _vanilla_names() -> dict[str, str]:
    names = {"features.0": "conv1"}
    for number, block in enumerate(_VANILLA_BLOCKS, start=1):
        for part, layer in ((0, "_depthwise_conv"), (1, "_pointwise_conv")):
            names[f"features.{number}.{part}.conv"] = f"{block}.{layer}.0"
            names[f"features.{number}.{part}.bn"] = f"{block}.{layer}.1"
    return names


Conv = Union[str, Callable[..., nn.Layer]]


class MobileNetV1Options(NetworkOptions, total=False):
    """What :func:`oct_mobilenet_v1` takes; see :class:`OctMobileNetV1`."""

    scale: float
    conv: Conv


class OctMobileNetV1(OctNetwork):
    """MobileNetV1 with octave convolutions between the stem and the last stage.

    The pointwise convolution of block 1 opens the octave, that of block 11 closes it; the stem and
    the last two blocks are vanilla. With ``alpha=0`` this is ``paddle.vision.models.MobileNetV1``.

    Args:
        scale (float): width multiplier.
        num_classes (int): outputs of the classifier; 0 for none.
        with_pool (bool): whether to average over space before the classifier.
        alpha (float|list): the share of low-frequency channels, in [0, 1]; one number, or four for
            the stages at 1/2, 1/4, 1/8 and 1/16 of the input's size.
        conv (str|Callable): the convolutions of each of the thirteen blocks: ``"separable"``, the
            depthwise and the pointwise one of MobileNet; ``"het"``, one 3x3 ``HetConv`` with p = 4;
            ``"dual"``, one 3x3 ``DualConv`` with 4 groups; or one 3x3 convolution by another
            ``conv_layer``, as in :class:`~paddle_oct.OctaveConv`.
        **options: ``downsample``, ``h2l``, ``l2h``, ``features_only`` and ``merge_features``, as
            in :class:`~paddle_oct.models.OctNetwork`.

    Shape:
        - input: ``[N, 3, H, W]``.
        - output: ``[N, num_classes]``; without classifier ``[N, C, 1, 1]``, without pooling too
          ``[N, C, ceil(H / 32), ceil(W / 32)]``, with ``C = int(1024 * scale)``. For
          ``features_only`` the outputs of the five stages, at 1/2 to 1/32 of the input's size.

    Raises:
        TypeError, ValueError: an argument is out of range.

    Examples:
        >>> import paddle
        >>> from paddle_oct import OctMobileNetV1
        >>> model = OctMobileNetV1(alpha=0.25, num_classes=10)
        >>> print(list(model(paddle.rand([2, 3, 64, 64])).shape))
        [2, 10]
    """

    octave_stages = 4
    foreign_layouts = (GluonLayout(_authors_names()), VanillaLayout(_vanilla_names()))

    def __init__(
        self,
        scale: float = 1.0,
        num_classes: int = 1000,
        with_pool: bool = True,
        alpha: Alpha = 0.5,
        conv: Conv = "separable",
        **options: Unpack[TrunkOptions],
    ) -> None:
        super().__init__(num_classes, with_pool, alpha, **options)
        check_scale(scale, "OctMobileNetV1")
        conv_layer = conv if callable(conv) else look_up(conv, _CONVS, "conv of OctMobileNetV1")
        channels, alpha_in = int(32 * scale), 0.0
        layers = [_stem(channels)]
        for number, (width, stride, stage) in enumerate(_BLOCKS, start=1):
            alpha_out = 0.0 if number == _CLOSING_BLOCK else self.alphas[stage]
            out_channels = int(width * scale)
            shape = channels, out_channels, stride, alpha_in, alpha_out
            layers.append(_block(*shape, self.options, conv_layer))
            channels, alpha_in = out_channels, alpha_out
            if number in _LAST_OF_STAGE:
                self._end_stage(f"features.{number}", channels, alpha_out, stride=2 * 2**stage)
        self.features = nn.Sequential(*layers)
        self._add_head(channels)

    def forward_stem(self, x: Tensor) -> Tensor:
        return self.features[0](x)

    def trunk(self) -> list[tuple[str, nn.Layer]]:
        return [(f"features.{n}", layer) for n, layer in enumerate(self.features)][1:]


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
    conv_layer: Callable[..., nn.Layer] | None,
) -> nn.Sequential:
    """Return a depthwise 3x3 and a pointwise convolution, which changes alpha; or with
    ``conv_layer`` one 3x3 convolution.
    """
    if conv_layer is not None:
        between = {**options.between(alpha_in, alpha_out), "conv_layer": conv_layer}
        return nn.Sequential(
            Conv_BN_ACT(channels, out_channels, 3, stride=stride, padding=1, **between)
        )
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


@register_model(
    OctMobileNetV1,
    PublishedWeights(
        "oct_mobilenet_v1",
        {"alpha": 0.375, "scale": 0.75},
        "mobilenet_v1_075_alpha-0.375.params",
        *(70.5, 89.5),
    ),
    PublishedWeights(
        "oct_mobilenet_v1",
        {"alpha": 0.5, "scale": 1.0},
        "mobilenet_v1_100_alpha-0.5.params",
        *(72.5, 90.6),
    ),
)
def oct_mobilenet_v1(
    pretrained: Pretrained = False, **options: Unpack[MobileNetV1Options]
) -> OctMobileNetV1:
    """Oct-MobileNetV1; arguments as in :class:`OctMobileNetV1`."""
    return OctMobileNetV1(**options)


oct_mobilenet = oct_mobilenet_v1
