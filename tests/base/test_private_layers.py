"""The private settings of Paddle's layers that conversion reads and changes."""

import copy

import paddle
import pytest
from paddle import nn

from paddle_oct.base.private import (
    adaptive_pool_settings,
    data_format,
    set_channels_of_norm,
    set_full_name_of_copy,
)


@pytest.mark.parametrize(
    "make",
    [
        lambda **format: nn.Conv2D(3, 8, 1, **format),
        lambda **format: nn.BatchNorm2D(8, **format),
        lambda **format: nn.MaxPool2D(2, **format),
        lambda **format: nn.AdaptiveAvgPool2D(1, **format),
        lambda **format: nn.PReLU(8, **format),
    ],
)
def test_data_format(make):
    assert data_format(make()) == "NCHW"
    assert data_format(make(data_format="NHWC")) == "NHWC"


def test_data_format_of_the_old_batch_norm_and_of_a_layer_without():
    assert data_format(nn.BatchNorm(8, data_layout="NHWC")) == "NHWC"
    assert data_format(nn.ReLU()) == "NCHW"


def test_adaptive_pool_settings():
    assert adaptive_pool_settings(nn.AdaptiveAvgPool2D((2, 3))) == ((2, 3), False)
    assert adaptive_pool_settings(nn.AdaptiveMaxPool2D(1, return_mask=True)) == (1, True)


@pytest.mark.parametrize(
    ("norm", "shown"),
    [
        (nn.BatchNorm2D(8), "num_features=5"),
        (nn.InstanceNorm2D(8), "num_features=5"),
        (nn.PReLU(8), "num_parameters=5"),
    ],
)
def test_set_channels_of_norm(norm, shown):
    set_channels_of_norm(norm, 5)
    assert shown in norm.extra_repr()


def test_set_full_name_of_copy_lets_summary_count_it():
    layer = nn.Conv2D(3, 3, 1, bias_attr=False)
    other = copy.deepcopy(layer)
    assert other.full_name() == layer.full_name()  # else there is no need for the function
    set_full_name_of_copy(other)
    assert other.full_name() != layer.full_name()
    assert paddle.summary(nn.Sequential(layer, other), (1, 3, 4, 4))["total_params"] == 18
