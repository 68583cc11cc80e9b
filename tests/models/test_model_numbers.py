"""Parameter counts and multiply-accumulates, as published, to the last digit."""

import paddle
import pytest
from paddle.nn import initializer
from paddle.vision import models as vanilla_models

from paddle_oct import create_model
from paddle_oct.cost import count_macs

PARAMETERS = {"mobilenet_v1": 3_239_114, "resnet50": 23_581_642}
ALPHAS = [0, 0.125, 0.25, 0.375, 0.5, 0.75, 1]
IMAGE = (1, 3, 224, 224)


@pytest.fixture(autouse=True)
def _no_random_numbers():
    # Most of the time a large network is built goes into drawing weights that nobody looks at.
    initializer.set_global_initializer(initializer.Constant(0.01))
    yield
    initializer.set_global_initializer(None)


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_parameters(name, alpha):
    net = create_model(f"oct_{name}", alpha=alpha, num_classes=10)
    assert paddle.summary(net, (1, 3, 32, 32))["total_params"] == PARAMETERS[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_of_the_vanilla_networks(name):
    net = getattr(vanilla_models, name)(num_classes=10)
    assert paddle.summary(net, (1, 3, 32, 32))["total_params"] == PARAMETERS[name]


@pytest.mark.parametrize(
    ("name", "macs"),
    [
        ("resnet50", ("2.367 G", "4.089 G")),
        ("resnet101", ("3.991 G", "7.801 G")),
        ("resnet152", ("5.615 G", "11.514 G")),
        ("mobilenet_v1", ("318.2 M", "568.7 M")),
    ],
)
def test_multiply_accumulates(name, macs):
    def in_words(count):
        return f"{count / 1e9:.3f} G" if macs[0].endswith("G") else f"{count / 1e6:.1f} M"

    assert in_words(count_macs(create_model(f"oct_{name}", alpha=0.5), IMAGE)) == macs[0]
    at_zero = count_macs(create_model(f"oct_{name}", alpha=0), IMAGE)
    assert in_words(at_zero) == macs[1]
    if name in PARAMETERS:
        assert count_macs(getattr(vanilla_models, name)(), IMAGE) == at_zero
