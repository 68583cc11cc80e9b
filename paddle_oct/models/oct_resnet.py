"""Octave ResNets (He et al., arXiv:1512.03385, with octave convolutions), version 1b."""

from __future__ import annotations

from typing import Any, Callable, Sequence

import paddle
from paddle import Tensor, nn

from paddle_oct.nn import Conv_BN, Conv_BN_ACT, PerBand, add

from .options import Alpha, ConvOptions, check_classes, stage_alphas
from .registry import register_model


class Bottleneck(nn.Layer):
    """1x1, 3x3 and 1x1 convolution around a shortcut; the 3x3 convolution carries the stride.

    Args:
        channels (int): input channels, both bands together.
        width (int): channels of the 3x3 convolution; the block has ``4 * width`` outputs.
        stride (int): 1 or 2.
        alpha_in (float), alpha_out (float): the share of low-frequency channels before and after.
            ``conv1`` and ``downsample`` change from one to the other.
        options (ConvOptions): what else the convolutions take.

    Shape: octave features of ``channels`` channels in, of ``4 * width`` out.
    """

    expansion = 4

    def __init__(
        self,
        channels: int,
        width: int,
        stride: int,
        alpha_in: float,
        alpha_out: float,
        options: ConvOptions,
    ) -> None:
        super().__init__()
        out_channels = width * self.expansion
        enter, stay = options.between(alpha_in, alpha_out), options.between(alpha_out, alpha_out)
        self.conv1 = Conv_BN_ACT(channels, width, 1, **enter)
        self.conv2 = Conv_BN_ACT(width, width, 3, stride=stride, padding=1, **stay)
        self.conv3 = Conv_BN(width, out_channels, 1, **stay)
        self.downsample = None
        if stride != 1 or channels != out_channels:
            self.downsample = nn.Sequential(
                Conv_BN(channels, out_channels, 1, stride=stride, **enter)
            )
        self.act = PerBand(nn.ReLU())

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.act(add(self.conv3(self.conv2(self.conv1(x))), shortcut))


class OctResNet(nn.Layer):
    """ResNet with octave convolutions in the first three stages.

    The first block of stage 1 opens the octave and the first block of stage 4 closes it, both in
    ``conv1`` and ``downsample``. With ``alpha=0`` this is ``paddle.vision.models.ResNet``.

    Args:
        block (Callable): makes a block, such as :class:`Bottleneck`.
        layers (list): how many blocks each of the four stages has.
        num_classes (int): outputs of the classifier; 0 for none.
        with_pool (bool): whether to average over space before the classifier.
        alpha (float|list): the share of low-frequency channels, in [0, 1]; one number, or three
            for stages 1 to 3.
        downsample (str|None): how convolutions halve a map, as in :class:`~paddle_oct.OctaveConv`.
        h2l (bool), l2h (bool): whether the inter-octave paths exist within the octave stages.

    Shape:
        - input: ``[N, 3, H, W]``.
        - output: ``[N, num_classes]``; without classifier ``[N, C, 1, 1]``, without pooling too
          ``[N, C, ceil(H / 32), ceil(W / 32)]``, with ``C = 512 * block.expansion``.

    Raises:
        TypeError, ValueError: an argument is out of range.

    Examples:
        >>> import paddle
        >>> from paddle_oct import oct_resnet50
        >>> model = oct_resnet50(alpha=[0.5, 0.25, 0.125], num_classes=10)
        >>> print(list(model(paddle.rand([2, 3, 64, 64])).shape))
        [2, 10]
    """

    def __init__(
        self,
        block: Callable[..., nn.Layer],
        layers: Sequence[int],
        num_classes: int = 1000,
        with_pool: bool = True,
        alpha: Alpha = 0.5,
        downsample: str | None = None,
        h2l: bool = True,
        l2h: bool = True,
    ) -> None:
        super().__init__()
        if len(layers) != 4:
            raise ValueError(f"OctResNet: layers must hold four numbers, got {list(layers)}")
        self.num_classes = check_classes(num_classes, "OctResNet")
        self.with_pool = with_pool
        alphas = [*stage_alphas(alpha, 3, "OctResNet"), 0.0]
        options = ConvOptions(downsample, h2l, l2h, octave=any(alphas))

        self.conv1 = nn.Conv2D(3, 64, 7, stride=2, padding=3, bias_attr=False)
        self.bn1 = nn.BatchNorm2D(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2D(3, stride=2, padding=1)

        channels, alpha_in = 64, 0.0
        stages = []
        for stage, (depth, alpha_out) in enumerate(zip(layers, alphas)):
            width = 64 * 2**stage
            blocks = []
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(block(channels, width, stride, alpha_in, alpha_out, options))
                channels, alpha_in = width * block.expansion, alpha_out
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.num_features = channels

        if with_pool:
            self.avgpool = nn.AdaptiveAvgPool2D(1)
        if num_classes > 0:
            self.fc = nn.Linear(channels, num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the last feature map, ``[N, C, ceil(H / 32), ceil(W / 32)]``."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        pair = self.layer3(self.layer2(self.layer1((x, None))))
        high, _ = self.layer4(pair)
        return high

    def forward_head(self, x: Tensor) -> Tensor:
        """Pool and classify a feature map."""
        if self.with_pool:
            x = self.avgpool(x)
        if self.num_classes > 0:
            x = self.fc(paddle.flatten(x, 1))
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))


@register_model
def oct_resnet50(**kwargs: Any) -> OctResNet:
    """Oct-ResNet-50; arguments as in :class:`OctResNet`, after ``layers``."""
    return OctResNet(Bottleneck, (3, 4, 6, 3), **kwargs)


@register_model
def oct_resnet101(**kwargs: Any) -> OctResNet:
    """Oct-ResNet-101; arguments as in :class:`OctResNet`, after ``layers``."""
    return OctResNet(Bottleneck, (3, 4, 23, 3), **kwargs)


@register_model
def oct_resnet152(**kwargs: Any) -> OctResNet:
    """Oct-ResNet-152; arguments as in :class:`OctResNet`, after ``layers``."""
    return OctResNet(Bottleneck, (3, 8, 36, 3), **kwargs)


@register_model
def oct_resnet200(**kwargs: Any) -> OctResNet:
    """Oct-ResNet-200; arguments as in :class:`OctResNet`, after ``layers``."""
    return OctResNet(Bottleneck, (3, 24, 36, 3), **kwargs)
