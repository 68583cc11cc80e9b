"""What the arguments of an octave convolution decide, against the equation of the paper."""

import dataclasses
import pickle

import pytest

from paddle_oct import OctaveConv
from paddle_oct.nn import OctavePlan, plan_octave_conv


def paths(plan):
    return {p.name: (p.in_channels, p.out_channels, p.stride, p.groups) for p in plan.paths}


def test_stride_1():
    plan = plan_octave_conv(8, 16, 3, 0.25, 0.5, padding=1)
    assert (plan.in_bands, plan.out_bands) == ((6, 2), (8, 8))
    assert paths(plan) == {
        "h2h": (6, 8, (1, 1), 1),
        "h2l": (6, 8, (1, 1), 1),
        "l2h": (2, 8, (1, 1), 1),
        "l2l": (2, 8, (1, 1), 1),
    }
    assert (plan.pool_input, plan.pool_h2l, plan.pool_l2l) == (False, True, False)
    assert plan.up_l2h
    assert not plan.is_vanilla


def test_stride_2_is_pooling():
    plan = plan_octave_conv(8, 8, 3, stride=2, padding=1)
    assert {p.stride for p in plan.paths} == {(1, 1)}
    assert (plan.pool_input, plan.pool_h2l, plan.pool_l2l) == (True, True, True)
    assert not plan.up_l2h


def test_strided_convolution_pools_nothing():
    plan = plan_octave_conv(8, 8, 3, stride=2, padding=1, downsample="strided_conv")
    assert {p.name: p.stride for p in plan.paths} == {
        "h2h": (2, 2),
        "h2l": (4, 4),
        "l2h": (1, 1),
        "l2l": (2, 2),
    }
    assert (plan.pool_input, plan.pool_h2l, plan.pool_l2l) == (False, False, False)


def test_a_depthwise_convolution_has_two_paths():
    plan = plan_octave_conv(8, 16, 3, 0.25, 0.25, padding=1, groups=8)
    assert paths(plan) == {"h2h": (6, 12, (1, 1), 6), "l2l": (2, 4, (1, 1), 2)}


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_without_a_low_band_it_is_paddles_own(stride):
    plan = plan_octave_conv(8, 16, 4, 0, 0, stride=stride, padding="VALID")
    assert plan.is_vanilla
    assert paths(plan) == {"h2h": (8, 16, (stride, stride), 1)}
    assert not plan_octave_conv(8, 16, 3, 0, 0, 2, 1, downsample="avg_pool").is_vanilla


def test_a_switched_off_path_is_not_there():
    assert [p.name for p in plan_octave_conv(8, 8, 1, h2l=False).paths] == ["h2h", "l2h", "l2l"]
    with pytest.raises(ValueError, match="low output band has no input"):
        plan_octave_conv(8, 8, 1, 0, 0.5, h2l=False)


def test_it_is_a_value():
    plan = OctaveConv(8, 16, (3, 5), 0.25, 0.5, padding=[1, 2]).plan
    assert isinstance(plan, OctavePlan)
    assert plan == plan_octave_conv(8, 16, (3, 5), 0.25, 0.5, padding=[1, 2])
    assert pickle.loads(pickle.dumps(plan)) == plan
    assert plan.arguments.kernel_size == (3, 5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.pool_input = True
