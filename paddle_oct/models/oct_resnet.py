"""Octave ResNets (He et al., arXiv:1512.03385), version 1b, whose stride is in the 3x3 convolution.

And the networks with similar blocks: ResNeXt (Xie et al., arXiv:1611.05431) and SE-ResNet (Hu et
al., arXiv:1709.01507).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Sequence

from paddle import Tensor, nn

from paddle_oct.nn import (
    Conv_BN,
    Conv_BN_ACT,
    OctaveFeature,
    OctaveResidual,
    OctaveSE,
    merge,
    split,
)
from paddle_oct.weights import GluonLayout, VanillaLayout

from .network import OctNetwork
from .options import Alpha, ConvOptions, NetworkOptions, TrunkOptions
from .pretrained import Pretrained
from .registry import register_model

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: What the authors call the layers from stage 1 on. The rest of a name, such as
#: ``.conv_h2l.weight`` or ``.bn_h``, is the same.
AUTHORS_STAGES = {
    "layer{stage}.{block}.downsample.0.conv": "L{stage}_B{block}.conv4",
    "layer{stage}.{block}.downsample.0": "L{stage}_B{block}.bn4",
    "layer{stage}.{block}.conv{k}.conv": "L{stage}_B{block}.conv{k}",
    "layer{stage}.{block}.conv{k}": "L{stage}_B{block}.bn{k}",
    "layer{stage}.{block}.se.squeeze": "L{stage}_B{block}.se_block.conv1",
    "layer{stage}.{block}.se.excite_{band}": "L{stage}_B{block}.se_block.conv2_{band}",
    "fc": "classifer",
}
_AUTHORS_NAMES = {"conv1": "conv1.0", "bn1": "conv1.1", **AUTHORS_STAGES}
_VANILLA_NAMES = {
    "layer{stage}.{block}.downsample.0.conv": "layer{stage}.{block}.downsample.0",
    "layer{stage}.{block}.downsample.0.bn": "layer{stage}.{block}.downsample.1",
    "layer{stage}.{block}.conv{k}.conv": "layer{stage}.{block}.conv{k}",
    "layer{stage}.{block}.conv{k}.bn": "layer{stage}.{block}.bn{k}",
}


class ResidualBlock(OctaveResidual):
    """The base of the blocks: some convolutions, and a shortcut past them.

    Args:
        channels (int): input channels, both bands together.
        width (int): the block has ``expansion * width`` outputs.
        stride (int): 1 or 2.
        alpha_in (float), alpha_out (float): the share of low-frequency channels before and after.
            The first convolution and ``downsample`` change from one to the other. If alpha
            changes in a block without ``downsample`` (ResNet-18 and 34, first block of stage 1),
            the shortcut merges the bands and splits them again.
        options (ConvOptions): what else the convolutions take.

    Shape: octave features of ``channels`` channels in, of ``expansion * width`` out.
    """

    expansion: ClassVar[int] = 1

    def __init__(
        self,
        channels: int,
        width: int,
        stride: int,
        alpha_in: float,
        alpha_out: float,
        options: ConvOptions,
    ) -> None:
        super().__init__(nn.ReLU())
        out_channels = width * self.expansion
        enter, stay = options.between(alpha_in, alpha_out), options.between(alpha_out, alpha_out)
        self._add_convolutions(channels, width, stride, enter, stay)
        self.downsample = None
        if stride != 1 or channels != out_channels:
            self.downsample = nn.Sequential(
                Conv_BN(channels, out_channels, 1, stride=stride, **enter)
            )
        self.alpha_in, self.alpha_out = alpha_in, alpha_out

    def _add_convolutions(
        self, channels: int, width: int, stride: int, enter: dict[str, Any], stay: dict[str, Any]
    ) -> None:
        """Add the layers that :meth:`residual` runs.

        Args:
            channels, width, stride: those of the block.
            enter: the options of the first convolution, which changes alpha.
            stay: those of the others.
        """
        raise NotImplementedError

    def shortcut(self, x: OctaveFeature) -> OctaveFeature:
        if self.downsample is not None:
            return self.downsample(x)
        if self.alpha_in != self.alpha_out:  # without parameters
            return split(merge(x), self.alpha_out)
        return x


class BasicBlock(ResidualBlock):
    """Two 3x3 convolutions; the first carries the stride. See :class:`ResidualBlock`."""

    def _add_convolutions(
        self, channels: int, width: int, stride: int, enter: dict[str, Any], stay: dict[str, Any]
    ) -> None:
        self.conv1 = Conv_BN_ACT(channels, width, 3, stride=stride, padding=1, **enter)
        self.conv2 = Conv_BN(width, width, 3, padding=1, **stay)

    def residual(self, x: OctaveFeature) -> OctaveFeature:
        return self.conv2(self.conv1(x))


class Bottleneck(ResidualBlock):
    """1x1, 3x3 and 1x1 convolution; the 3x3 carries the stride. See :class:`ResidualBlock`.

    Attributes:
        groups (int), width_per_group (int): of the 3x3 convolution, which has
            ``groups * width_per_group * width / 64`` channels.
        strided (int): which of the three convolutions carries the stride.
        reduction (int|None): that of the squeeze-and-excitation after the last convolution; None if
            there is none.
    """

    expansion = 4
    groups, width_per_group = 1, 64
    strided: ClassVar[int] = 2
    reduction: ClassVar[int | None] = None

    def _add_convolutions(
        self, channels: int, width: int, stride: int, enter: dict[str, Any], stay: dict[str, Any]
    ) -> None:
        out_channels = width * self.expansion
        width = self.groups * (self.width_per_group * width // 64)
        strides = {self.strided: stride}
        self.conv1 = Conv_BN_ACT(channels, width, 1, stride=strides.get(1, 1), **enter)
        self.conv2 = Conv_BN_ACT(
            width, width, 3, stride=strides.get(2, 1), padding=1, groups=self.groups, **stay
        )
        self.conv3 = Conv_BN(width, out_channels, 1, stride=strides.get(3, 1), **stay)
        self.se = None
        if self.reduction is not None:
            self.se = OctaveSE(out_channels, stay["alpha_out"], self.reduction)

    def residual(self, x: OctaveFeature) -> OctaveFeature:
        y = self.conv3(self.conv2(self.conv1(x)))
        return y if self.se is None else self.se(y)


class Bottleneck32x4d(Bottleneck):
    """The block of ResNeXt 32x4d: 32 groups, in stage 1 of 4 channels, doubled with every stage."""

    groups, width_per_group = 32, 4


class SEBottleneck(Bottleneck):
    """The block of SE-ResNet."""

    reduction = 16


def _check_layers(block: Any, layers: Any) -> None:
    if not callable(block) or not hasattr(block, "expansion"):
        raise TypeError(f"OctResNet: block must be a class such as Bottleneck, got {block!r}")
    if isinstance(layers, str) or not isinstance(layers, Sequence):
        raise TypeError(f"OctResNet: layers must be four integers, got {layers!r}")
    if len(layers) != 4 or not all(isinstance(n, int) and n >= 1 for n in layers):
        raise ValueError(f"OctResNet: layers must be four positive integers, got {list(layers)}")


class OctResNet(OctNetwork):
    """ResNet with octave convolutions in the first three stages.

    The first block of stage 1 opens the octave and the first block of stage 4 closes it, both in
    its first convolution and in ``downsample``. With ``alpha=0`` this is
    ``paddle.vision.models.ResNet``.

    The residual networks of Table 9 in the paper apply norm and activation before the convolution
    instead of after it; where the octave opens and closes, and so what they cost, is the same.

    Args:
        block (type): the class of the blocks, such as :class:`BasicBlock` or :class:`Bottleneck`.
        layers (list): how many blocks each of the four stages has.
        num_classes (int): outputs of the classifier; 0 for none.
        with_pool (bool): whether to average over space before the classifier.
        alpha (float|list): the share of low-frequency channels, in [0, 1]; one number, or three
            for stages 1 to 3.
        **options: ``downsample``, ``h2l``, ``l2h``, ``features_only`` and ``merge_features``, as
            in :class:`~paddle_oct.models.OctNetwork`.

    Shape:
        - input: ``[N, 3, H, W]``.
        - output: ``[N, num_classes]``; without classifier ``[N, C, 1, 1]``, without pooling too
          ``[N, C, ceil(H / 32), ceil(W / 32)]``, with ``C = 512 * block.expansion``. For
          ``features_only`` the outputs of the four stages, at 1/4 to 1/32 of the input's size.

    Raises:
        TypeError, ValueError: an argument is out of range.

    Examples:
        >>> import paddle
        >>> from paddle_oct import oct_resnet50
        >>> model = oct_resnet50(alpha=[0.5, 0.25, 0.125], num_classes=10)
        >>> print(list(model(paddle.rand([2, 3, 64, 64])).shape))
        [2, 10]
    """

    foreign_layouts = (GluonLayout(_AUTHORS_NAMES), VanillaLayout(_VANILLA_NAMES))

    def __init__(
        self,
        block: type[ResidualBlock],
        layers: Sequence[int],
        num_classes: int = 1000,
        with_pool: bool = True,
        alpha: Alpha = 0.5,
        **options: Unpack[TrunkOptions],
    ) -> None:
        super().__init__(num_classes, with_pool, alpha, **options)
        _check_layers(block, layers)
        channels, alpha_in = self._add_stem(), 0.0
        stages = []
        for stage, (depth, alpha_out) in enumerate(zip(layers, self.alphas)):
            width = 64 * 2**stage
            blocks = []
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(block(channels, width, stride, alpha_in, alpha_out, self.options))
                channels, alpha_in = width * block.expansion, alpha_out
            stages.append(nn.Sequential(*blocks))
            self._end_stage(f"layer{stage + 1}", channels, alpha_out, stride=4 * 2**stage)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self._add_head(channels)

    def _add_stem(self) -> int:
        """Add the layers before stage 1 and return how many channels they give."""
        self.conv1 = nn.Conv2D(3, 64, 7, stride=2, padding=3, bias_attr=False)
        self.bn1 = nn.BatchNorm2D(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2D(3, stride=2, padding=1)
        return 64

    def forward_stem(self, x: Tensor) -> Tensor:
        return self.maxpool(self.relu(self.bn1(self.conv1(x))))

    def trunk(self) -> list[tuple[str, nn.Layer]]:
        return [(stage.name, getattr(self, stage.name)) for stage in self.feature_info]


@register_model(OctResNet)
def oct_resnet18(pretrained: Pretrained = False, **options: Unpack[NetworkOptions]) -> OctResNet:
    """Oct-ResNet-18; arguments as in :class:`OctResNet`, after ``layers``."""
    return OctResNet(BasicBlock, (2, 2, 2, 2), **options)


@register_model(OctResNet)
def oct_resnet34(pretrained: Pretrained = False, **options: Unpack[NetworkOptions]) -> OctResNet:
    """Oct-ResNet-34; arguments as in :class:`OctResNet`, after ``layers``."""
    return OctResNet(BasicBlock, (3, 4, 6, 3), **options)


@register_model(OctResNet)
def oct_resnet26(pretrained: Pretrained = False, **options: Unpack[NetworkOptions]) -> OctResNet:
    """Oct-ResNet-26; arguments as in :class:`OctResNet`, after ``layers``."""
    return OctResNet(Bottleneck, (2, 2, 2, 2), **options)


@register_model(OctResNet)
def oct_resnet50(pretrained: Pretrained = False, **options: Unpack[NetworkOptions]) -> OctResNet:
    """Oct-ResNet-50; arguments as in :class:`OctResNet`, after ``layers``."""
    return OctResNet(Bottleneck, (3, 4, 6, 3), **options)


@register_model(OctResNet)
def oct_resnet101(pretrained: Pretrained = False, **options: Unpack[NetworkOptions]) -> OctResNet:
    """Oct-ResNet-101; arguments as in :class:`OctResNet`, after ``layers``."""
    return OctResNet(Bottleneck, (3, 4, 23, 3), **options)


@register_model(OctResNet)
def oct_resnet152(pretrained: Pretrained = False, **options: Unpack[NetworkOptions]) -> OctResNet:
    """Oct-ResNet-152; arguments as in :class:`OctResNet`, after ``layers``."""
    return OctResNet(Bottleneck, (3, 8, 36, 3), **options)


@register_model(OctResNet)
def oct_resnet200(pretrained: Pretrained = False, **options: Unpack[NetworkOptions]) -> OctResNet:
    """Oct-ResNet-200; arguments as in :class:`OctResNet`, after ``layers``."""
    return OctResNet(Bottleneck, (3, 24, 36, 3), **options)


@register_model(OctResNet)
def oct_resnext50_32x4d(
    pretrained: Pretrained = False, **options: Unpack[NetworkOptions]
) -> OctResNet:
    """Oct-ResNeXt-50 32x4d; arguments as in :class:`OctResNet`, after ``layers``.

    The 32 groups must divide each band of the 3x3 convolutions, which have 128 channels in stage 1:
    one alpha for all stages must be 0, 0.25, 0.5, 0.75 or 1.
    """
    return OctResNet(Bottleneck32x4d, (3, 4, 6, 3), **options)


@register_model(OctResNet)
def oct_resnext101_32x4d(
    pretrained: Pretrained = False, **options: Unpack[NetworkOptions]
) -> OctResNet:
    """Oct-ResNeXt-101 32x4d; arguments as in :func:`oct_resnext50_32x4d`."""
    return OctResNet(Bottleneck32x4d, (3, 4, 23, 3), **options)


@register_model(OctResNet)
def oct_se_resnet50(pretrained: Pretrained = False, **options: Unpack[NetworkOptions]) -> OctResNet:
    """Oct-SE-ResNet-50; arguments as in :class:`OctResNet`, after ``layers``."""
    return OctResNet(SEBottleneck, (3, 4, 6, 3), **options)


@register_model(OctResNet)
def oct_se_resnet101(
    pretrained: Pretrained = False, **options: Unpack[NetworkOptions]
) -> OctResNet:
    """Oct-SE-ResNet-101; arguments as in :class:`OctResNet`, after ``layers``."""
    return OctResNet(SEBottleneck, (3, 4, 23, 3), **options)


@register_model(OctResNet)
def oct_se_resnet152(
    pretrained: Pretrained = False, **options: Unpack[NetworkOptions]
) -> OctResNet:
    """Oct-SE-ResNet-152; arguments as in :class:`OctResNet`, after ``layers``."""
    return OctResNet(SEBottleneck, (3, 8, 36, 3), **options)
