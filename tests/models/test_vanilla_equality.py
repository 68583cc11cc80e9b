"""At alpha 0 the octave networks are those of paddle.vision.models."""

import re

import numpy as np
import paddle
import pytest
from paddle.vision import models as vanilla_models

from paddle_oct import oct_mobilenet_v1, oct_resnet50

SIZES = [(64, 64), (97, 65)]


def resnet_name(name):
    name = re.sub(r"(layer\d\.\d+)\.conv(\d)\.", r"\1.conv\2.conv.conv_h2h.", name)
    name = re.sub(r"(layer\d\.\d+)\.bn(\d)\.", r"\1.conv\2.bn_h.", name)
    name = name.replace("downsample.0.", "downsample.0.conv.conv_h2h.")
    return name.replace("downsample.1.", "downsample.0.bn_h.")


def mobilenet_names(names):
    """Blocks are called conv2_1, conv2_2, ..., conv6 there, and counted here."""
    blocks = list(dict.fromkeys(n.split(".")[0] for n in names))
    parts = {"_depthwise_conv": "0", "_pointwise_conv": "1"}
    kinds = {"0": "conv.conv_h2h", "1": "bn_h"}
    mapping = {}
    for name in names:
        block, rest = name.split(".", 1)
        if block == "fc":
            mapping[name] = name
        elif block == "conv1":
            mapping[name] = f"features.0.{rest}"
        else:
            part, kind, parameter = rest.split(".")
            number = blocks.index(block)
            mapping[name] = f"features.{number}.{parts[part]}.{kinds[kind]}.{parameter}"
    return mapping


def mobilenets(scale):
    vanilla = vanilla_models.mobilenet_v1(scale=scale, num_classes=10)
    octave = oct_mobilenet_v1(scale=scale, num_classes=10, alpha=0)
    return vanilla, octave, mobilenet_names(list(vanilla.state_dict()))


def resnets():
    vanilla = vanilla_models.resnet50(num_classes=10)
    octave = oct_resnet50(num_classes=10, alpha=0)
    return vanilla, octave, {name: resnet_name(name) for name in vanilla.state_dict()}


@pytest.fixture(
    scope="module",
    params=[lambda: mobilenets(1.0), lambda: mobilenets(0.5), resnets],
    ids=["mobilenet", "mobilenet half", "resnet50"],
)
def networks(request):
    """(vanilla network, octave network, {name there: name here})."""
    paddle.seed(6)
    return request.param()


def carry_over(networks):
    vanilla, octave, mapping = networks
    rng = np.random.default_rng(1)
    for name, tensor in vanilla.state_dict().items():
        if len(tensor.shape) == 1:  # norms start with equal values, which could be mixed up
            low, high = (-0.1, 0.1) if name.endswith("_mean") else (0.5, 1.5)
            tensor.set_value(rng.uniform(low, high, tensor.shape).astype("float32"))
    weights = {mapping[name]: tensor for name, tensor in vanilla.state_dict().items()}
    assert set(weights) == set(octave.state_dict())
    missing, unexpected = octave.set_state_dict(weights)
    assert (missing, unexpected) == ([], [])


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_same_output_gradients_and_statistics(networks, size, training):
    carry_over(networks)
    vanilla, octave, mapping = networks
    x = paddle.randn([2, 3, *size])
    outputs = []
    for net in (vanilla, octave):
        net.train() if training else net.eval()
        net.clear_gradients()
        outputs.append(net(x))
        if training:
            (outputs[-1] ** 2).sum().backward()
    assert float(outputs[0].abs().max()) > 1e-3
    np.testing.assert_array_equal(outputs[1].numpy(), outputs[0].numpy())

    ours, theirs = octave.state_dict(), vanilla.state_dict()
    for name, here in mapping.items():
        np.testing.assert_array_equal(ours[here].numpy(), theirs[name].numpy(), err_msg=here)
        if training and not theirs[name].stop_gradient:
            gradient = theirs[name].grad.numpy()
            scale = np.abs(gradient).max()
            np.testing.assert_allclose(
                ours[here].grad.numpy(), gradient, rtol=1e-4, atol=1e-5 * scale, err_msg=here
            )
