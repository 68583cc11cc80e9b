"""What every octave network is: a stem, a trunk that works on pairs, and a head."""

from __future__ import annotations

import numbers
from typing import Any, ClassVar, Iterable, NamedTuple

import paddle
from paddle import Tensor, nn

from paddle_oct.nn import OctaveFeature, merge, split_channels
from paddle_oct.nn.feature import check_images
from paddle_oct.weights import ForeignLayout

from .options import Alpha, ConvOptions, Downsample, stage_alphas


class StageInfo(NamedTuple):
    """One entry of ``feature_info``: the output of a stage.

    Attributes:
        name: the sub-layer whose output it is.
        channels: how many channels, both bands together.
        high, low: how many channels each band holds.
        stride: the image's height and width divided by those of the high band (or the merged map).
    """

    name: str
    channels: int
    high: int
    low: int
    stride: int


class OctNetwork(nn.Layer):
    """The base class of the networks.

    A subclass builds its layers in ``__init__``, calls :meth:`_end_stage` after each stage and
    :meth:`_add_head` at the end, and defines in :meth:`forward_stem` and :meth:`trunk` in which
    order the layers run.

    Args:
        num_classes (int): outputs of the classifier; 0 for none.
        with_pool (bool): whether to average over space before the classifier.
        alpha (float|list): the share of low-frequency channels, in [0, 1]; one number, or one for
            each stage that may hold octave features.
        downsample (str|None): how convolutions halve a map, as in :class:`~paddle_oct.OctaveConv`.
        h2l (bool), l2h (bool): whether the inter-octave paths exist within the octave stages.
        features_only (bool): whether the network is a backbone: it has no head and returns a list
            of the features after every stage, which ``feature_info`` describes.
        merge_features (bool): for ``features_only``, whether these are Tensors ``[N, C, H, W]``
            with the low band up-sampled (True), or pairs ``(high, low)`` (False).

    Attributes:
        feature_info (list[StageInfo]): names, channels and strides of the stages.
        num_features (int): channels of the head's input.

    Raises:
        TypeError, ValueError: an argument is out of range.

    Examples:
        >>> import paddle
        >>> from paddle_oct import create_model
        >>> backbone = create_model("oct_resnet18", features_only=True)
        >>> [(stage.channels, stage.stride) for stage in backbone.feature_info]
        [(64, 4), (128, 8), (256, 16), (512, 32)]
        >>> [list(feature.shape) for feature in backbone(paddle.rand([1, 3, 64, 96]))]
        [[1, 64, 16, 24], [1, 128, 8, 12], [1, 256, 4, 6], [1, 512, 2, 3]]
    """

    #: How many stages may hold octave features.
    octave_stages: ClassVar[int] = 3
    #: The layers that follow the last feature map; a backbone has none of them.
    head_layers: ClassVar[tuple[str, ...]] = ("fc",)
    #: Other people's names for the weights; the first that recognises a file reads it.
    foreign_layouts: ClassVar[tuple[ForeignLayout, ...]] = ()

    def __init__(
        self,
        num_classes: int = 1000,
        with_pool: bool = True,
        alpha: Alpha = 0.5,
        *,
        downsample: Downsample = None,
        h2l: bool = True,
        l2h: bool = True,
        features_only: bool = False,
        merge_features: bool = True,
    ) -> None:
        super().__init__()
        network = type(self).__name__
        if isinstance(num_classes, bool) or not isinstance(num_classes, numbers.Integral):
            raise TypeError(f"{network}: num_classes must be an integer, got {num_classes!r}")
        if num_classes < 0:
            raise ValueError(f"{network}: num_classes must be 0 or more, got {num_classes}")
        self.num_classes = int(num_classes)
        self.with_pool = with_pool
        self.features_only = features_only
        self.merge_features = merge_features
        self.alphas = [*stage_alphas(alpha, self.octave_stages, network), 0.0]
        self.options = ConvOptions(downsample, h2l, l2h, octave=any(self.alphas))
        self.feature_info: list[StageInfo] = []
        self.num_features = 0

    def _end_stage(self, name: str, channels: int, alpha: float, stride: int) -> None:
        """Note in ``feature_info`` that a stage ends with the output of sub-layer ``name``."""
        info = StageInfo(name, channels, *split_channels(channels, alpha), stride)
        self.feature_info.append(info)

    def _add_head(self, channels: int) -> None:
        """Add pooling and classifier for a map of ``channels`` channels."""
        self.num_features = channels
        if self.features_only:
            return
        if self.with_pool:
            self.pool = nn.AdaptiveAvgPool2D(1)
        if self.num_classes > 0:
            self.fc = nn.Linear(channels, self.num_classes)

    def forward_stem(self, x: Tensor) -> Tensor:
        """Run the vanilla layers before the first stage."""
        raise NotImplementedError

    def trunk(self) -> Iterable[tuple[str, nn.Layer]]:
        """Return the layers after the stem with their names; each takes and returns a pair."""
        raise NotImplementedError

    def forward_stages(self, x: Tensor) -> list[OctaveFeature]:
        """Return the pairs ``(high, low)`` after every stage of ``feature_info``."""
        ends = [stage.name for stage in self.feature_info]
        pair = (self.forward_stem(check_images(x, self)), None)
        stages = []
        for name, layer in self.trunk():
            pair = layer(pair)
            if name in ends:
                stages.append(pair)
        return stages

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the last feature map, ``[N, num_features, h, w]`` at 1/32 of the input's size."""
        pair = (self.forward_stem(check_images(x, self)), None)
        for _, layer in self.trunk():
            pair = layer(pair)
        high, _ = pair
        return high

    def forward_head(self, x: Tensor) -> Tensor:
        """Pool and classify a feature map."""
        if self.with_pool:
            x = self.pool(x)
        if self.num_classes > 0:
            x = self.fc(paddle.flatten(x, 1))
        return x

    def forward(self, x: Tensor) -> Any:
        if not self.features_only:
            return self.forward_head(self.forward_features(x))
        stages = self.forward_stages(x)
        return [merge(pair) for pair in stages] if self.merge_features else stages
