"""Published ImageNet results, and a user's own runs to compare with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_PAPER = "Chen et al., arXiv:1904.05049, Table "
_TABLE_5, _TABLE_7, _TABLE_9 = (f"{_PAPER}{number}" for number in (5, 7, 9))
_LI = "github.com/d-li14/octconv.pytorch"


@dataclass(frozen=True)
class Published:
    """One published result: ImageNet, one centre crop of 224x224.

    Args:
        network: the backbone.
        alpha: its share of low-frequency channels; 0 is the vanilla network.
        gmacs: billions of multiply-accumulates, as printed in the source.
        top1: accuracy in percent.
        source: the table or repository that it is taken from.
    """

    network: str
    alpha: float
    gmacs: float
    top1: float
    source: str

    @property
    def model(self) -> str:
        """What :func:`~paddle_oct.create_model` calls the network, with alpha 0 too."""
        return _MODELS[self.network, self.source][0]

    @property
    def options(self) -> dict[str, Any]:
        """The other options of ``create_model`` than alpha."""
        return dict(_MODELS[self.network, self.source][1])


def _table(source: str, *rows: tuple[str, dict[float, tuple[float, float]]]) -> list[Published]:
    return [
        Published(network, alpha, gmacs, top1, source)
        for network, results in rows
        for alpha, (gmacs, top1) in results.items()
    ]


PUBLISHED: tuple[Published, ...] = (
    *_table(
        _TABLE_9,
        (
            "ResNet-26",
            {
                0: (2.353, 73.2),
                0.125: (2.102, 75.8),
                0.25: (1.871, 75.9),
                0.5: (1.491, 75.5),
                0.75: (1.216, 74.6),
            },
        ),
        ("DenseNet-121", {0: (2.852, 75.4), 0.125: (2.428, 76.0), 0.25: (2.044, 75.9)}),
        (
            "ResNet-50",
            {
                0: (4.105, 77.0),
                0.125: (3.587, 78.2),
                0.25: (3.123, 78.0),
                0.5: (2.383, 77.3),
                0.75: (1.891, 76.6),
            },
        ),
        (
            "SE-ResNet-50",
            {
                0: (4.113, 77.6),
                0.125: (3.594, 78.6),
                0.25: (3.130, 78.4),
                0.5: (2.389, 77.9),
                0.75: (1.896, 77.2),
            },
        ),
        (
            "ResNeXt-50 32x4d",
            {0: (4.250, 78.4), 0.25: (3.196, 78.7), 0.5: (2.406, 78.3), 0.75: (1.891, 77.4)},
        ),
        (
            "ResNet-101",
            {0: (7.822, 78.5), 0.125: (6.656, 79.1), 0.25: (5.625, 79.1), 0.5: (4.012, 78.6)},
        ),
        ("ResNeXt-101 32x4d", {0: (7.993, 79.4), 0.25: (5.719, 79.6), 0.5: (4.050, 78.9)}),
        (
            "ResNet-200",
            {0: (15.044, 79.6), 0.125: (12.623, 80.0), 0.25: (10.497, 79.8), 0.5: (7.183, 79.4)},
        ),
    ),
    *_table(
        _TABLE_5,
        ("0.75 MobileNetV1", {0: (0.325, 70.3), 0.375: (0.213, 70.6)}),
        ("1.0 MobileNetV1", {0.5: (0.321, 72.4)}),
        ("1.0 MobileNetV2", {0: (0.300, 72.0), 0.375: (0.256, 72.0)}),
        ("1.125 MobileNetV2", {0.5: (0.295, 73.0)}),
    ),
    *_table(
        _TABLE_7,
        ("ResNet-152", {0.125: (10.9, 81.4)}),
        ("SE-ResNet-152", {0.125: (10.9, 81.6)}),
    ),
    *_table(
        _LI,
        ("ResNet-50", {0: (4.089, 77.150), 0.5: (2.367, 77.640)}),
        ("ResNet-101", {0: (7.801, 78.898), 0.5: (3.991, 78.794)}),
        ("ResNet-152", {0: (11.514, 79.234), 0.5: (5.615, 79.258)}),
        ("MobileNetV1", {0: (0.5687, 72.238), 0.5: (0.3182, 71.254)}),
    ),
)

_MODELS: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("ResNet-26", _TABLE_9): ("oct_resnet26", {}),
    ("DenseNet-121", _TABLE_9): ("oct_densenet121", {}),
    ("ResNet-50", _TABLE_9): ("oct_resnet50", {}),
    ("SE-ResNet-50", _TABLE_9): ("oct_se_resnet50", {}),
    ("ResNeXt-50 32x4d", _TABLE_9): ("oct_resnext50_32x4d", {}),
    ("ResNet-101", _TABLE_9): ("oct_resnet101", {}),
    ("ResNeXt-101 32x4d", _TABLE_9): ("oct_resnext101_32x4d", {}),
    ("ResNet-200", _TABLE_9): ("oct_resnet200", {}),
    ("0.75 MobileNetV1", _TABLE_5): ("oct_mobilenet_v1", {"scale": 0.75}),
    ("1.0 MobileNetV1", _TABLE_5): ("oct_mobilenet_v1", {"scale": 1.0}),
    ("1.0 MobileNetV2", _TABLE_5): ("oct_mobilenet_v2", {"scale": 1.0}),
    ("1.125 MobileNetV2", _TABLE_5): ("oct_mobilenet_v2", {"scale": 1.125}),
    ("ResNet-152", _TABLE_7): ("oct_resnet152_v1f", {}),
    ("SE-ResNet-152", _TABLE_7): ("oct_se_resnet152_v1e", {}),
    ("ResNet-50", _LI): ("oct_resnet50", {}),
    ("ResNet-101", _LI): ("oct_resnet101", {}),
    ("ResNet-152", _LI): ("oct_resnet152", {}),
    ("MobileNetV1", _LI): ("oct_mobilenet_v1", {}),
}


def of_table(number: int) -> list[Published]:
    """Return the results that Table 5, 7 or 9 of the paper prints."""
    return [result for result in PUBLISHED if result.source == f"{_PAPER}{number}"]


@dataclass(frozen=True)
class OwnRun:
    """The accuracy and the cost of a run of ``paddle-oct train``.

    Args:
        label: the name of its folder.
        network: the name of its network.
        alpha: the alpha of the network; None for a vanilla network.
        data: the name of its data set.
        gmacs: billions of multiply-accumulates for one image of the run's size.
        top1: the best test accuracy, in percent.
    """

    label: str
    network: str
    alpha: float | list[float] | None
    data: str
    gmacs: float
    top1: float
