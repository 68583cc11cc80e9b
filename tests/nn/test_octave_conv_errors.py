"""Wrong arguments and inputs: the exception's type, and what its message names."""

from decimal import Decimal

import numpy as np
import paddle
import pytest
from helpers import naming
from paddle import nn

from paddle_oct import (
    Conv_BN,
    Conv_BN_ACT,
    OctaveAdd,
    OctaveAvgPool2D,
    OctaveConv,
    OctaveGlobalAvgPool2D,
    OctaveMaxPool2D,
    OctaveMerge,
    OctaveNorm,
    OctaveSE,
    PerBand,
)
from paddle_oct.nn import split_channels


def conv(**changes):
    return OctaveConv(
        **{"in_channels": 8, "out_channels": 8, "kernel_size": 3, "padding": 1, **changes}
    )


@pytest.mark.parametrize("argument", ["alpha_in", "alpha_out"])
@pytest.mark.parametrize(
    ("alpha", "error"),
    [
        (-0.1, ValueError),
        (1.1, ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        ("x", TypeError),
        (True, TypeError),
        (None, TypeError),
        ([0.5], TypeError),
        (Decimal("0.5"), TypeError),
        (0.5j, TypeError),
    ],
)
def test_alpha(argument, alpha, error):
    with pytest.raises(error, match=naming("OctaveConv", argument, "[0, 1]", repr(alpha))):
        conv(**{argument: alpha})
    with pytest.raises(error, match=naming("alpha", "[0, 1]", repr(alpha))):
        split_channels(8, alpha)


@pytest.mark.parametrize("argument", ["in_channels", "out_channels", "groups", "kernel_size"])
@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), (-8, ValueError), (8.0, TypeError), ("8", TypeError), (True, TypeError)],
)
def test_positive_integers(argument, value, error):
    parts = naming("OctaveConv", argument, "positive integer", repr(value))
    with pytest.raises(error, match=parts):
        conv(**{argument: value})


@pytest.mark.parametrize("argument", ["kernel_size", "stride", "dilation"])
@pytest.mark.parametrize(
    ("value", "error", "part"),
    [
        ((3, 3, 3), ValueError, "pair"),
        ([3], ValueError, "pair"),
        ((3, 0), ValueError, "positive integer"),
        ((3, 1.0), TypeError, "positive integer"),
    ],
)
def test_pairs_of_integers(argument, value, error, part):
    with pytest.raises(error, match=naming("OctaveConv", argument, part)):
        conv(**{argument: value})


@pytest.mark.parametrize("alphas", [(0.5, 0.5), (0, 0.5), (0.5, 0), (1, 0.5), (0, 1), (1, 0)])
@pytest.mark.parametrize("stride", [3, 4, (1, 2), (2, 1), (3, 3)])
def test_stride_with_two_bands(alphas, stride):
    pair = list(stride) if isinstance(stride, tuple) else [stride, stride]
    with pytest.raises(ValueError, match=naming("OctaveConv", f"stride={pair}", "1 or 2")):
        conv(alpha_in=alphas[0], alpha_out=alphas[1], stride=stride)


@pytest.mark.parametrize("downsample", [None, "avg_pool", "strided_conv"])
@pytest.mark.parametrize("alphas", [(0.5, 0.5), (0, 0.5), (0.5, 0), (1, 0)])
@pytest.mark.parametrize(
    ("setting", "advice"),
    [
        ({"kernel_size": 3, "padding": 0}, "padding=[1, 1]"),
        ({"kernel_size": 3, "padding": 2}, "padding=[1, 1]"),
        ({"kernel_size": 3, "padding": [1, 0]}, "padding=[1, 1]"),
        ({"kernel_size": 3, "padding": [0, 2, 1, 1]}, "padding=[1, 1]"),  # keeps the size, shifted
        ({"kernel_size": 3, "padding": "VALID"}, "padding=[1, 1]"),
        ({"kernel_size": 3, "padding": 1, "dilation": 2}, "padding=[2, 2]"),
        ({"kernel_size": (1, 5), "padding": 2}, "padding=[0, 2]"),
        ({"kernel_size": 1, "padding": 1}, "padding=[0, 0]"),
        ({"kernel_size": 2, "padding": 1}, "odd kernel_size"),
        ({"kernel_size": 4, "padding": "SAME"}, "odd kernel_size"),
        ({"kernel_size": (3, 2), "padding": [1, 0]}, "odd kernel_size"),
    ],
    ids=str,
)
def test_bands_that_would_not_line_up(setting, advice, alphas, downsample):
    with pytest.raises(ValueError, match=naming("OctaveConv", "line up", advice, "both alphas 0")):
        conv(alpha_in=alphas[0], alpha_out=alphas[1], downsample=downsample, **setting)


@pytest.mark.parametrize("alpha", [0, 0.5])
@pytest.mark.parametrize("padding", ["FULL", 1.5, [1, 2, 3], [1, 1.5], {"p": 1}, [[1, 1], [1, 1]]])
def test_padding_of_an_unknown_form(padding, alpha):
    with pytest.raises((ValueError, TypeError), match=naming("OctaveConv", "padding must be")):
        conv(padding=padding, alpha_in=alpha, alpha_out=alpha)


@pytest.mark.parametrize(
    ("changes", "which"),
    [
        ({"groups": 4, "alpha_in": 0.25, "alpha_out": 0.5}, ("input", "6 high", "2 low")),
        ({"groups": 4, "alpha_in": 0.5, "alpha_out": 0.25}, ("output", "6 high", "2 low")),
        ({"groups": 3, "alpha_in": 0, "alpha_out": 0}, ("input", "8 high", "0 low")),
        ({"groups": 2, "alpha_in": 0.13, "alpha_out": 0.5}, ("input", "7 high", "1 low")),
    ],
    ids=str,
)
def test_groups_must_divide_each_band(changes, which):
    message = naming("OctaveConv", f"groups={changes['groups']}", "divide", *which)
    with pytest.raises(ValueError, match=message):
        conv(**changes)


@pytest.mark.parametrize("alphas", [(0.25, 0.5), (0, 0.5), (0.5, 0), (1, 0.5)])
def test_depthwise_keeps_alpha(alphas):
    with pytest.raises(ValueError, match=naming("depthwise", "alpha_in", "alpha_out")):
        conv(groups=8, alpha_in=alphas[0], alpha_out=alphas[1])


def test_depthwise_multiplies_each_band():
    # Bands (2, 1) cannot become (4, 3) by filtering each channel on its own.
    with pytest.raises(ValueError, match=naming("depthwise", "(2, 1)", "(5, 2)")):
        conv(in_channels=3, out_channels=7, groups=3, alpha_in=0.34, alpha_out=0.34)


@pytest.mark.parametrize("alpha", [0, 0.5, 1])
@pytest.mark.parametrize("downsample", ["max_pool", "AVG_POOL", 2, True])
def test_unknown_downsample(downsample, alpha):
    message = naming(
        "OctaveConv", f"downsample={downsample!r}", "'avg_pool'", "'strided_conv'", "None"
    )
    with pytest.raises(ValueError, match=message):
        conv(downsample=downsample, alpha_in=alpha, alpha_out=alpha)


@pytest.mark.parametrize("stride", [3, (1, 2)])
def test_pooling_cannot_replace_every_stride(stride):
    with pytest.raises(ValueError, match=naming("avg_pool", "stride of 2", "'strided_conv'")):
        conv(alpha_in=0, alpha_out=0, downsample="avg_pool", stride=stride)


@pytest.mark.parametrize(
    ("changes", "band", "switch"),
    [
        ({"alpha_in": 0, "alpha_out": 0.5, "h2l": False}, "low", "h2l"),
        ({"alpha_in": 0, "alpha_out": 1, "h2l": False}, "low", "h2l"),
        ({"alpha_in": 1, "alpha_out": 0.5, "l2h": False}, "high", "l2h"),
        ({"alpha_in": 1, "alpha_out": 0, "l2h": False}, "high", "l2h"),
        ({"alpha_in": 0.1, "alpha_out": 0.5, "h2l": False}, "low", "h2l"),  # no low channel of 8
    ],
    ids=str,
)
def test_a_band_without_input(changes, band, switch):
    message = naming("OctaveConv", f"the {band} output band has no input", switch)
    with pytest.raises(ValueError, match=message):
        conv(**changes)


def test_unknown_padding_mode():
    with pytest.raises(ValueError, match=naming("padding_mode", "mirror", "reflect")):
        conv(padding_mode="mirror")


@pytest.mark.parametrize("alpha", [0, 0.5])
@pytest.mark.parametrize("padding", [-1, [1, -2], [0, 0, -1, 0]])
def test_negative_padding(padding, alpha):
    with pytest.raises(ValueError, match=naming("OctaveConv", "padding must not be negative")):
        conv(padding=padding, alpha_in=alpha, alpha_out=alpha)


@pytest.mark.parametrize("argument", ["h2l", "l2h"])
@pytest.mark.parametrize("value", ["no", 0, None])
def test_switches(argument, value):
    parts = naming("OctaveConv", f"{argument} must be True or False", repr(value))
    with pytest.raises(TypeError, match=parts):
        conv(**{argument: value})


def test_no_kernel():
    with pytest.raises(ValueError, match=naming("OctaveConv", "weight_attr can't be False")):
        conv(weight_attr=False)


@pytest.mark.parametrize("argument", ["norm_layer", "activation_layer", "conv_layer"])
@pytest.mark.parametrize(("value", "got"), [(None, "None"), (nn.ReLU(), "ReLU"), ("relu", "relu")])
def test_what_makes_no_layer(argument, value, got):
    message = naming(f"{argument} must be what makes a layer, such as paddle.nn.", got)
    with pytest.raises(TypeError, match=message):
        Conv_BN_ACT(8, 8, 3, padding=1, **{argument: value})


@pytest.mark.parametrize("argument", ["weight_attr", "bias_attr"])
def test_attribute_of_a_wrong_type(argument):
    with pytest.raises(TypeError, match=naming("OctaveConv", "ParamAttr", "3")):
        conv(**{argument: 3})


@pytest.mark.parametrize("shape", [[4, 4, 3, 3], [8, 8, 1, 1], [8, 8, 5, 5], [16, 16, 3, 3]])
def test_assigned_kernel_of_another_shape(shape):
    # As Assign works, the parameter would silently take the array's shape, and blocks be cut short.
    kernel = nn.initializer.Assign(np.zeros(shape, "float32"))
    with pytest.raises(ValueError, match=naming("OctaveConv", str(shape), "[8, 8, 3, 3]")):
        conv(weight_attr=kernel)


# -- what is given to forward -------------------------------------------------------------------


def tensor(*shape):
    return paddle.zeros(shape)


HIGH, LOW = (2, 6, 9, 7), (2, 2, 5, 4)
LAYERS = {
    "OctaveConv": lambda alpha: OctaveConv(8, 4, 3, alpha, 0.5, padding=1),
    "OctaveConv depthwise": lambda alpha: OctaveConv(8, 8, 3, alpha, alpha, padding=1, groups=8),
    "OctaveConv to high": lambda alpha: OctaveConv(8, 4, 1, alpha, 0),
    "OctaveNorm": lambda alpha: OctaveNorm(8, alpha),
    "OctaveSE": lambda alpha: OctaveSE(8, alpha, 2),
    "Conv_BN": lambda alpha: Conv_BN(8, 4, 1, alpha, 0.5),
}


def name_of(layer):
    return "OctaveConv" if layer == "Conv_BN" else layer.split()[0]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    ("x", "error", "parts"),
    [
        (lambda: tensor(2, 8, 9, 7), ValueError, ("one Tensor", "[2, 8, 9, 7]", "pair")),
        (lambda: tensor(*HIGH), ValueError, ("one Tensor", "[2, 6, 9, 7]", "pair")),
        (lambda: (tensor(*HIGH), None), ValueError, ("no low band",)),
        (lambda: (None, tensor(*LOW)), ValueError, ("no high band",)),
        (lambda: (None, None), ValueError, ("no high band",)),
        (lambda: (tensor(*HIGH), tensor(*LOW), None), ValueError, ("3 elements", "pair")),
        (lambda: (tensor(*HIGH),), ValueError, ("1 elements", "pair")),
        (lambda: (tensor(2, 5, 9, 7), tensor(*LOW)), ValueError, ("5 high", "[2, 5, 9, 7]")),
        (lambda: (tensor(*HIGH), tensor(2, 3, 5, 4)), ValueError, ("3 low", "[2, 3, 5, 4]")),
    ],
    ids=[
        "tensor", "tensor of the high band", "no low", "no high", "nothing", "three", "one",
        "high channels", "low channels",
    ],
)  # fmt: skip
def test_wrong_input_for_two_bands(layer, x, error, parts):
    message = naming(name_of(layer), "6 high and 2 low channels", *parts)
    with pytest.raises(error, match=message):
        LAYERS[layer](0.25)(x())


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    ("alpha", "x", "parts"),
    [
        (0, lambda: (tensor(2, 8, 9, 7), tensor(*LOW)), ("8 high and 0 low", "2 low")),
        (0, lambda: (None, tensor(2, 8, 5, 4)), ("8 high and 0 low", "no high band")),
        (0, lambda: tensor(2, 6, 9, 7), ("8 high and 0 low", "6 high")),
        (1, lambda: (tensor(*HIGH), tensor(2, 8, 5, 4)), ("0 high and 8 low", "6 high")),
        (1, lambda: (tensor(2, 8, 9, 7), None), ("0 high and 8 low", "8 high")),
        (1, lambda: tensor(2, 6, 9, 7), ("0 high and 8 low", "6 low")),
    ],
    ids=[
        "low at 0", "no high at 0", "channels at 0", "high at 1", "no low at 1", "channels at 1"
    ],
)  # fmt: skip
def test_wrong_input_for_one_band(layer, alpha, x, parts):
    with pytest.raises(ValueError, match=naming(name_of(layer), *parts)):
        LAYERS[layer](alpha)(x())


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    "low", [(2, 2, 4, 3), (2, 2, 5, 3), (2, 2, 4, 4), (2, 2, 9, 7), (2, 2, 6, 4)], ids=str
)
def test_bands_whose_sizes_do_not_belong_together(layer, low):
    message = naming(name_of(layer), "belong together", str(list(HIGH)), str(list(low)), "ceil")
    with pytest.raises(ValueError, match=message):
        LAYERS[layer](0.25)((tensor(*HIGH), tensor(*low)))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("batch", [1, 3])
def test_bands_of_different_batches(layer, batch):
    # A batch of one would broadcast without a word.
    message = naming(name_of(layer), "belong together", str(list(HIGH)), str([batch, 2, 5, 4]))
    with pytest.raises(ValueError, match=message):
        LAYERS[layer](0.25)((tensor(*HIGH), tensor(batch, 2, 5, 4)))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    ("x", "parts"),
    [
        (lambda: (tensor(6, 9, 7), tensor(*LOW)), ("high", "[N, C, H, W]", "[6, 9, 7]")),
        (
            lambda: (tensor(*HIGH), tensor(2, 2, 5, 4, 1)),
            ("low", "[N, C, H, W]", "[2, 2, 5, 4, 1]"),
        ),
    ],
    ids=["3-d", "5-d"],
)
def test_wrong_rank(layer, x, parts):
    with pytest.raises(ValueError, match=naming(name_of(layer), *parts)):
        LAYERS[layer](0.25)(x())


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool"])
def test_numbers_that_are_not_real(layer, dtype):
    message = naming(name_of(layer), "the low band must hold real numbers", dtype)
    with pytest.raises(TypeError, match=message):
        LAYERS[layer](0.25)((tensor(*HIGH), tensor(*LOW).astype(dtype)))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    ("x", "part"),
    [
        (lambda: (np.zeros(HIGH, "float32"), tensor(*LOW)), "ndarray"),
        (lambda: (tensor(*HIGH), 0.0), "float"),
        (lambda: np.zeros(HIGH, "float32"), "ndarray"),
        (lambda: None, "NoneType"),
        (lambda: {"high": tensor(*HIGH)}, "dict"),
    ],
    ids=["array in pair", "float in pair", "array", "None", "dict"],
)
def test_something_other_than_tensors(layer, x, part):
    with pytest.raises(TypeError, match=naming(name_of(layer), part, "Tensor")):
        LAYERS[layer](0.25)(x())


@pytest.mark.parametrize(
    "layer",
    [
        PerBand(nn.ReLU()),
        OctaveMaxPool2D(2),
        OctaveAvgPool2D(2),
        OctaveMerge(),
        OctaveGlobalAvgPool2D(),
        lambda x: OctaveAdd()(x, x),
        lambda x: OctaveAdd()((x, None), x),
    ],
    ids=["PerBand", "MaxPool", "AvgPool", "Merge", "GlobalAvgPool", "Add", "Add pair and tensor"],
)
@pytest.mark.parametrize("batch", [1, 2])
def test_a_tensor_where_only_a_pair_makes_sense(layer, batch):
    # Unpacking a Tensor would take the two samples of a batch for the two bands.
    with pytest.raises((TypeError, ValueError), match=naming("pair", "Tensor")):
        layer(tensor(batch, 4, 6, 6))


@pytest.mark.parametrize("layer", [OctaveMerge(), OctaveGlobalAvgPool2D()], ids=["merge", "mean"])
def test_nothing_to_merge(layer):
    with pytest.raises(ValueError, match="both bands are None"):
        layer((None, None))


@pytest.mark.parametrize("layer", [OctaveNorm, OctaveSE])
def test_other_layers_check_channels_and_alpha(layer):
    name = layer.__name__
    with pytest.raises(ValueError, match=naming(name, "positive integer", "0")):
        layer(0, 0.5)
    with pytest.raises(TypeError, match=naming(name, "positive integer", "8.0")):
        layer(8.0, 0.5)
    with pytest.raises(ValueError, match=naming(name, "[0, 1]", "1.5")):
        layer(8, 1.5)


def test_squeeze_to_nothing():
    with pytest.raises(ValueError, match=naming("OctaveSE", "reduction=16", "8 channels")):
        OctaveSE(8, 0.5, 16)


@pytest.mark.parametrize("layer", [OctaveConv, Conv_BN, Conv_BN_ACT])
def test_another_frameworks_name_is_told(layer):
    with pytest.raises(TypeError, match=rf"{layer.__name__}: bias is called bias_attr"):
        layer(8, 8, 3, bias=False)
