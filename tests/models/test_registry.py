"""Networks by name, and what is said about wrong names and options."""

import paddle
import pytest
from helpers import naming

from paddle_oct import (
    Bottleneck,
    OctDenseNet,
    OctMobileNetV1,
    OctMobileNetV2,
    OctResNet,
    create_model,
    list_models,
)
from paddle_oct import oct_mobilenet as alias
from paddle_oct.models import model_options, register_model, registry


def small(name, **options):
    if name == "oct_mobilenet_v1":
        return OctMobileNetV1(scale=0.25, **options)
    if name == "oct_mobilenet_v2":
        return OctMobileNetV2(scale=0.25, **options)
    if name == "oct_densenet121":
        return OctDenseNet((1, 1, 1, 1), **options)
    return OctResNet(Bottleneck, (1, 1, 1, 1), **options)


# The class that errors name, and how many stages may hold octave features.
NETWORKS = {
    "oct_mobilenet_v1": ("OctMobileNetV1", 4),
    "oct_mobilenet_v2": ("OctMobileNetV2", 4),
    "oct_densenet121": ("OctDenseNet", 3),
    "oct_resnet50": ("OctResNet", 3),
}


def test_list():
    assert list_models("oct_resnet1*") == [f"oct_resnet{n}" for n in (101, 152, "152_v1f", 18)]
    assert list_models("*mobile*") == ["oct_mobilenet_v1", "oct_mobilenet_v2"]
    assert list_models("resnet*") == []
    vanilla = list_models("*", vanilla=True)
    assert {"mobilenet_v1", "resnet50"} <= set(vanilla)
    assert not set(vanilla) & set(list_models())
    assert vanilla == sorted(vanilla)


def test_create():
    net = create_model("oct_mobilenet_v1", scale=0.25, alpha=0.25, num_classes=3)
    assert type(net) is OctMobileNetV1
    assert net.features[1][1].conv.alpha_out == 0.25
    assert net.fc.weight.shape == [256, 3]
    assert type(create_model("oct_mobilenet", scale=0.25)) is OctMobileNetV1
    assert type(alias(scale=0.25)) is OctMobileNetV1
    assert type(create_model("mobilenet_v1", scale=0.25)) is paddle.vision.models.MobileNetV1


def test_options():
    common = {"num_classes": 1000, "with_pool": True, "alpha": 0.5, "downsample": None,
              "h2l": True, "l2h": True, "features_only": False, "merge_features": True}  # fmt: skip
    for name in list_models("*res*"):
        assert model_options(name) == common
    assert model_options("oct_densenet121") == {**common, "growth": 32, "stem_channels": 64}
    assert model_options("oct_mobilenet_v2") == {"scale": 1.0, **common}
    assert model_options("oct_mobilenet_v1") == {"scale": 1.0, "conv": "separable", **common}
    assert model_options("oct_mobilenet") == model_options("oct_mobilenet_v1")
    assert model_options("mobilenet_v1") == {"scale": 1.0, "num_classes": 1000, "with_pool": True}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("oct_resnet5", "oct_resnet50"),
        ("octresnet101", "oct_resnet101"),
        ("oct_mobilenetv1", "oct_mobilenet_v1"),
        ("OCT_RESNET50", "oct_resnet50"),
        ("resnet5", "resnet50"),
        ("mobilenet_v4", "mobilenet_v1"),
        ("oct_resnext50", "oct_resnext50_32x4d"),
        ("zzz", "oct_resnet152"),  # nothing is near: all are named
    ],
)
@pytest.mark.parametrize("function", [create_model, model_options])
def test_unknown_name(function, wrong, right):
    with pytest.raises(ValueError, match=naming("unknown model", repr(wrong), right)):
        function(wrong)


@pytest.mark.parametrize("name", [None, 50], ids=str)
def test_a_name_that_is_no_string(name):
    with pytest.raises((TypeError, ValueError), match=naming("model", str(name))):
        create_model(name)


@pytest.mark.parametrize("name", [*NETWORKS, "resnet50"])
@pytest.mark.parametrize(
    ("wrong", "right"), [("num_class", "num_classes"), ("with_pol", "with_pool")]
)
def test_unknown_option(name, wrong, right):
    with pytest.raises(ValueError, match=naming("unknown option", name, repr(wrong), right)):
        create_model(name, **{wrong: 1})


def test_unknown_option_of_octave_networks():
    with pytest.raises(ValueError, match=naming("'alphas'", "alpha", "oct_resnet50")):
        create_model("oct_resnet50", alphas=0.5)
    with pytest.raises(ValueError, match=naming("'layers'", "oct_resnet50")):
        create_model("oct_resnet50", layers=[1, 1, 1, 1])
    with pytest.raises(ValueError, match=naming("'alpha'", "resnet50")):
        create_model("resnet50", alpha=0.5)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("alpha", "error"),
    [
        (-0.1, ValueError),
        (1.5, ValueError),
        (float("nan"), ValueError),
        ("x", TypeError),
        (True, TypeError),
        (None, TypeError),
    ],
)
def test_wrong_alpha(name, alpha, error):
    network, stages = NETWORKS[name]
    with pytest.raises(error, match=naming(network, "alpha", repr(alpha))):
        create_model(name, alpha=alpha)
    # The message says which of the stages.
    with pytest.raises(error, match=naming(network, "alpha[1]", "[0, 1]", repr(alpha))):
        create_model(name, alpha=[0.5, alpha] + [0.5] * (stages - 2))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_wrong_number_of_alphas(name, count):
    network, stages = NETWORKS[name]
    with pytest.raises(ValueError, match=naming(network, f"{stages} of them", f"got {count}")):
        create_model(name, alpha=[0.5] * count)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("alpha", [0, 0.5])
def test_unknown_downsample(name, alpha):
    with pytest.raises(ValueError, match=naming("downsample", "'max'", "'avg_pool'")):
        small(name, downsample="max", alpha=alpha)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("classes", [2.5, "10", None, -1, True], ids=str)
def test_wrong_number_of_classes(name, classes):
    match = naming(NETWORKS[name][0], "num_classes", repr(classes))
    with pytest.raises((TypeError, ValueError), match=match):
        small(name, num_classes=classes)


@pytest.mark.parametrize("scale", [0, -1, 0.01, float("nan"), float("inf"), "x", None], ids=str)
@pytest.mark.parametrize("network", [OctMobileNetV1, OctMobileNetV2])
def test_wrong_scale(network, scale):
    with pytest.raises(
        (TypeError, ValueError), match=naming(network.__name__, "scale", str(scale))
    ):
        network(scale=scale)


@pytest.mark.parametrize("layers", [(3, 4, 6), (3, 4, 6, 3, 1), ()], ids=str)
def test_wrong_number_of_stages(layers):
    with pytest.raises(ValueError, match=naming("OctResNet", "four", str(list(layers)))):
        OctResNet(Bottleneck, layers)
    with pytest.raises(ValueError, match=naming("OctDenseNet", "four", str(list(layers)))):
        OctDenseNet(layers)


def test_groups_that_do_not_divide_a_band():
    with pytest.raises(ValueError, match=naming("groups=32", "112 high and 16 low", "alpha")):
        create_model("oct_resnext50_32x4d", alpha=0.125)


def test_registering_a_network(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))

    @register_model(OctMobileNetV1)
    def oct_tiny(pretrained=False, **options):
        """A tiny network."""
        return OctMobileNetV1(**{"scale": 0.125, **options})

    assert oct_tiny.__doc__ == "A tiny network."
    assert "oct_tiny" in list_models()
    assert create_model("oct_tiny", num_classes=2).num_features == 128
    assert oct_tiny(num_classes=2).num_features == 128
    assert model_options("oct_tiny") == model_options("oct_mobilenet_v1")
