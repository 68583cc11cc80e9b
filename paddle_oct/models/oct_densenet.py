"""Oct-DenseNet (Huang et al., arXiv:1608.06993, with octave convolutions, as in Table 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Sequence

import paddle
from paddle import Tensor, nn

from paddle_oct.base.private_tracing import called_whole
from paddle_oct.nn import (
    OctaveAvgPool2D,
    OctaveConv,
    OctaveFeature,
    OctaveNorm,
    PerBand,
    split_channels,
)
from paddle_oct.nn.arguments import positive_int

from .network import OctNetwork
from .options import Alpha, ConvOptions, NetworkOptions, TrunkOptions
from .pretrained import Pretrained
from .registry import register_model

if TYPE_CHECKING:
    from typing_extensions import Unpack


class DenseNetOptions(NetworkOptions, total=False):
    """What :func:`oct_densenet121` takes; see :class:`OctDenseNet`."""

    growth: int
    stem_channels: int


class _Bands(NamedTuple):
    """The channels of a dense feature per band: the sums over layers of different alpha."""

    high: int
    low: int

    @property
    def channels(self) -> int:
        return self.high + self.low

    @property
    def alpha(self) -> float:
        return self.low / self.channels

    def plus(self, high: int, low: int) -> _Bands:
        return _Bands(self.high + high, self.low + low)


def concat(a: OctaveFeature, b: OctaveFeature) -> OctaveFeature:
    """Concatenate the channels of two octave features band by band."""

    def join(x: Tensor | None, y: Tensor | None) -> Tensor | None:
        return y if x is None else x if y is None else paddle.concat([x, y], axis=1)

    return join(a[0], b[0]), join(a[1], b[1])


@called_whole
class DenseLayer(nn.Layer):
    """Norm, ReLU, 1x1 convolution, norm, ReLU, 3x3 convolution; appended to the input's channels.

    Args:
        bands: channels of the input's ``(high, low)``.
        growth (int): how many channels are added; between the convolutions there are
            ``4 * growth``.
        alpha (float): the share of low-frequency channels after each convolution.
        options (ConvOptions): what else the convolutions take.
    """

    def __init__(self, bands: _Bands, growth: int, alpha: float, options: ConvOptions) -> None:
        super().__init__()
        width = 4 * growth
        self.norm1 = OctaveNorm(bands.channels, bands.alpha)
        self.conv1 = OctaveConv(bands.channels, width, 1, **options.between(bands.alpha, alpha))
        self.norm2 = OctaveNorm(width, alpha)
        self.conv2 = OctaveConv(width, growth, 3, padding=1, **options.between(alpha, alpha))
        self.act = PerBand(nn.ReLU())

    def forward(self, x: OctaveFeature) -> OctaveFeature:
        y = self.conv1(self.act(self.norm1(x)))
        return concat(x, self.conv2(self.act(self.norm2(y))))


@called_whole
class Transition(nn.Layer):
    """Norm, ReLU, a 1x1 convolution to half of the channels, which changes alpha, and 2x2 average
    pooling per band.

    Args:
        bands: channels of the input's ``(high, low)``.
        alpha (float): the share of low-frequency channels of the output.
        options (ConvOptions): what else the convolution takes.
    """

    def __init__(self, bands: _Bands, alpha: float, options: ConvOptions) -> None:
        super().__init__()
        self.norm = OctaveNorm(bands.channels, bands.alpha)
        self.conv = OctaveConv(
            bands.channels, bands.channels // 2, 1, **options.between(bands.alpha, alpha)
        )
        self.act = PerBand(nn.ReLU())
        self.pool = OctaveAvgPool2D(2)

    def forward(self, x: OctaveFeature) -> OctaveFeature:
        return self.pool(self.conv(self.act(self.norm(x))))


class OctDenseNet(OctNetwork):
    """DenseNet with octave convolutions in the first three dense blocks.

    The first layer of block 1 opens the octave: what each layer adds is an octave feature, and the
    stem's channels stay in the high band. The transition to block 4 closes it. With ``alpha=0``
    this is ``paddle.vision.models.DenseNet``.

    Args:
        layers (list): how many layers each of the four blocks has.
        num_classes (int): outputs of the classifier; 0 for none.
        with_pool (bool): whether to average over space before the classifier.
        alpha (float|list): the share of low-frequency channels, in [0, 1]; one number, or three
            for blocks 1 to 3.
        growth (int): how many channels each layer adds.
        stem_channels (int): how many channels the stem gives.
        **options: ``downsample``, ``h2l``, ``l2h``, ``features_only`` and ``merge_features``, as
            in :class:`~paddle_oct.models.OctNetwork`.

    Shape:
        - input: ``[N, 3, H, W]``, H and W at least 29.
        - output: ``[N, num_classes]``; without classifier ``[N, C, 1, 1]``, without pooling too
          ``[N, C, h, w]``, with ``C = 1024`` for DenseNet-121, ``h = floor(ceil(H / 4) / 8)``. For
          ``features_only`` the outputs of the four dense blocks, at 1/4 to 1/32 of the input's
          size. (Where ``alpha=1`` leaves no high band, odd sizes are rounded up to even ones.)

    Raises:
        TypeError, ValueError: an argument is out of range.

    Examples:
        >>> import paddle
        >>> from paddle_oct import oct_densenet121
        >>> model = oct_densenet121(alpha=0.25, num_classes=10)
        >>> print(list(model(paddle.rand([2, 3, 64, 64])).shape))
        [2, 10]
    """

    def __init__(
        self,
        layers: Sequence[int],
        num_classes: int = 1000,
        with_pool: bool = True,
        alpha: Alpha = 0.5,
        growth: int = 32,
        stem_channels: int = 64,
        **options: Unpack[TrunkOptions],
    ) -> None:
        super().__init__(num_classes, with_pool, alpha, **options)
        if len(layers) != 4:
            raise ValueError(f"OctDenseNet: layers must hold four numbers, got {list(layers)}")
        growth = positive_int(growth, "OctDenseNet: growth")
        stem_channels = positive_int(stem_channels, "OctDenseNet: stem_channels")
        self.conv1 = nn.Conv2D(3, stem_channels, 7, stride=2, padding=3, bias_attr=False)
        self.bn1 = nn.BatchNorm2D(stem_channels)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2D(3, stride=2, padding=1)

        bands, self._order = _Bands(stem_channels, 0), []
        for stage, (depth, alpha_of_block) in enumerate(zip(layers, self.alphas)):
            if stage > 0:
                transition = Transition(bands, alpha_of_block, self.options)
                self._append(f"transition{stage}", transition)
                bands = _Bands(*transition.conv.out_bands)
            block = []
            for _ in range(depth):
                block.append(DenseLayer(bands, growth, alpha_of_block, self.options))
                bands = bands.plus(*split_channels(growth, alpha_of_block))
            self._append(f"block{stage + 1}", nn.Sequential(*block))
            if stage == 3:
                norm = nn.Sequential(OctaveNorm(bands.channels, 0), PerBand(nn.ReLU()))
                self._append("norm", norm)
            self._end_stage(self._order[-1], bands.channels, bands.alpha, stride=4 * 2**stage)
        self._add_head(bands.channels)

    def _append(self, name: str, layer: nn.Layer) -> None:
        setattr(self, name, layer)
        self._order.append(name)

    def forward_stem(self, x: Tensor) -> Tensor:
        return self.maxpool(self.relu(self.bn1(self.conv1(x))))

    def trunk(self) -> list[tuple[str, nn.Layer]]:
        return [(name, getattr(self, name)) for name in self._order]


@register_model(OctDenseNet)
def oct_densenet121(
    pretrained: Pretrained = False, **options: Unpack[DenseNetOptions]
) -> OctDenseNet:
    """Oct-DenseNet-121; arguments as in :class:`OctDenseNet`, after ``layers``."""
    return OctDenseNet((6, 12, 24, 16), **options)
