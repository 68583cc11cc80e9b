"""At alpha 0 the octave networks are those of paddle.vision.models."""

import re

import numpy as np
import paddle
import pytest
from helpers import randomise_norms, slow_but
from paddle.nn import initializer
from paddle.vision import models as vanilla_models

from paddle_oct import create_model

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


def densenet_name(name):
    name = re.sub(r"^conv1_func\._conv", "conv1", name)
    name = re.sub(r"^conv1_func\._batch_norm", "bn1", name)
    name = re.sub(
        r"^db_conv_(\d)\.conv\d_(\d+)\.bn_ac_func(\d)\.",
        lambda m: f"block{int(m[1]) - 1}.{int(m[2]) - 1}.{m[3]}",
        name,
    )
    name = re.sub(
        r"^tr_conv(\d)_blk\.conv_ac_func\.", lambda m: f"transition{int(m[1]) - 1}.", name
    )
    name = re.sub(r"(\d?)_conv\.", r"conv\1.conv_h2h.", name)
    name = re.sub(r"(\d?)_batch_norm\.", r"norm\1.high.", name)
    return re.sub(r"^out\.", "fc.", re.sub(r"^batch_norm\.", "norm.0.high.", name))


def mobilenet_v2_name(name):
    name = name.replace("features.18.", "last.").replace("classifier.1.", "fc.")
    # The first block has no expansion there.
    layers = ["depthwise"] if name.startswith("features.1.") else ["expand", "depthwise"]
    for index, layer in enumerate(layers):
        name = name.replace(f"conv.{index}.0.", f"{layer}.conv.conv_h2h.")
        name = name.replace(f"conv.{index}.1.", f"{layer}.bn_h.")
    name = name.replace(f"conv.{len(layers)}.", "project.conv.conv_h2h.")
    return name.replace(f"conv.{len(layers) + 1}.", "project.bn_h.")


def networks_of(name, **options):
    """(vanilla network, octave network, {name there: name here})."""
    vanilla = getattr(vanilla_models, name)(num_classes=10, **options)
    initializer.set_global_initializer(initializer.Constant(0.01))  # to be replaced
    try:
        octave = create_model(f"oct_{name}", num_classes=10, alpha=0, **options)
    finally:
        initializer.set_global_initializer(None)
    names = list(vanilla.state_dict())
    if name == "mobilenet_v1":
        return vanilla, octave, mobilenet_names(names)
    rename = densenet_name if name == "densenet121" else resnet_name
    return vanilla, octave, {n: rename(n) for n in names}


NETWORKS = {
    "mobilenet_v1": {},
    "mobilenet_v1 half": {"scale": 0.5},
    "resnet18": {},
    "resnet34": {},
    "resnet50": {},
    "resnet101": {},
    "resnet152": {},
    "resnext50_32x4d": {},
    "resnext101_32x4d": {},
    "densenet121": {},
}
QUICK = ("mobilenet_v1 half", "resnet18", "resnet50", "densenet121")


@pytest.fixture(scope="module", params=slow_but(QUICK, NETWORKS))
def networks(request):
    paddle.seed(6)
    networks = networks_of(request.param.split()[0], **NETWORKS[request.param])
    carry_over(networks)
    return networks


def carry_over(networks):
    vanilla, octave, mapping = networks
    randomise_norms(vanilla)
    weights = {mapping[name]: tensor for name, tensor in vanilla.state_dict().items()}
    assert set(weights) == set(octave.state_dict())
    missing, unexpected = octave.set_state_dict(weights)
    assert (missing, unexpected) == ([], [])


@pytest.mark.parametrize("training", [False, True])
def test_same_output_gradients_and_statistics(networks, training):
    vanilla, octave, mapping = networks
    deep = len(mapping) > 400
    for size in SIZES[1:] if deep else SIZES:
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


def test_mobilenet_v2_is_the_vanilla_one_around_an_expansion_that_changes_nothing():
    """Paddle's first block has no expansion; the authors' has one, by the factor 1."""
    paddle.seed(6)
    vanilla = vanilla_models.mobilenet_v2(num_classes=10)
    octave = create_model("oct_mobilenet_v2", num_classes=10, alpha=0)
    for net in (vanilla, octave):
        net.eval()
    randomise_norms(vanilla)
    weights = {mobilenet_v2_name(name): t for name, t in vanilla.state_dict().items()}
    expansion = {
        "conv.conv_h2h.weight": np.eye(32, dtype="float32")[:, :, None, None],
        "bn_h.weight": np.full(32, np.sqrt(1 + 1e-5), "float32"),
        "bn_h.bias": np.zeros(32, "float32"),
        "bn_h._mean": np.zeros(32, "float32"),
        "bn_h._variance": np.ones(32, "float32"),
    }
    weights.update({f"features.1.expand.{n}": paddle.to_tensor(v) for n, v in expansion.items()})
    assert set(weights) == set(octave.state_dict())
    assert octave.set_state_dict(weights) == ([], [])
    for size in SIZES:
        x = paddle.randn([2, 3, *size])
        with paddle.no_grad():
            expected = vanilla(x).numpy()
            assert np.abs(octave(x).numpy() - expected).max() <= 1e-5 * np.abs(expected).max()
