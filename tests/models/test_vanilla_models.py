"""What the package says about paddle.vision.models, against the Paddle that is installed."""

import importlib
import inspect
import pkgutil

import paddle
import pytest

from paddle_oct.models import create_model, list_models, model_options
from paddle_oct.models.vanilla_models import VANILLA_WEIGHTS, vanilla_weights

MODELS = paddle.vision.models
# Arguments of a class that are no option of the functions: those that they decide themselves, and
# what a caller of these functions can't pass.
DECIDED = {
    "densenet": {"layers"},
    "resnet": {"depth"},
    "resnext": {"depth", "width", "groups"},
    "shufflenet": {"scale", "act"},
    "wide_resnet": {"depth", "width"},
}


def builders():
    """The functions that build a network, found without the package."""
    return [name for name in MODELS.__all__ if inspect.isfunction(getattr(MODELS, name))]


def test_every_network_of_paddle_is_known():
    assert list_models("*", vanilla=True) == sorted(builders())


@pytest.mark.parametrize("name", builders())
def test_options_are_those_of_the_class(name):
    build = getattr(MODELS, name)
    network = build.__globals__[build.__annotations__["return"]]
    parameters = inspect.signature(network).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    decided = next((names for start, names in DECIDED.items() if name.startswith(start)), set())
    assert model_options(name) == {k: v for k, v in defaults.items() if k not in decided}


def test_addresses_are_those_of_paddle():
    theirs = {}
    for module in pkgutil.iter_modules(MODELS.__path__):
        module = importlib.import_module(f"{MODELS.__name__}.{module.name}")
        theirs.update(getattr(module, "model_urls", {}))
    assert len(theirs) > 30
    # They list some networks with their scale: mobilenetv1_1.0, mobilenet_v3_small_x1.0.
    ours = {
        {
            "mobilenet_v1": "mobilenetv1_1.0",
            "mobilenet_v2": "mobilenetv2_1.0",
            "mobilenet_v3_large": "mobilenet_v3_large_x1.0",
            "mobilenet_v3_small": "mobilenet_v3_small_x1.0",
        }.get(name, name): weights
        for name, weights in VANILLA_WEIGHTS.items()
    }
    assert ours == theirs
    assert set(VANILLA_WEIGHTS) <= set(list_models("*", vanilla=True))


def test_weights_of_an_octave_network_are_those_of_its_vanilla_self():
    assert vanilla_weights("oct_resnet50", {}) == VANILLA_WEIGHTS["resnet50"]
    assert vanilla_weights("mobilenet_v3_small", {"scale": 1.0})[0].endswith("small_x1.0.pdparams")
    with pytest.raises(ValueError, match=r"no ImageNet weights for mobilenet_v2 with scale=0\.5"):
        vanilla_weights("mobilenet_v2", {"scale": 0.5})
    with pytest.raises(ValueError, match=r"no ImageNet weights for vgg11$"):
        create_model("vgg11", pretrained=True)
