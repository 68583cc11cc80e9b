"""What the authors' own program says: parameter names, and outputs for made-up parameters.

README.md tells where it comes from. The parameters are made up from their names alone, so that no
weights have to be kept.
"""

import gzip
import json
import zlib
from pathlib import Path

import numpy as np
import paddle
import pytest

from .mxnet_writer import mxnet_bytes

HERE = Path(__file__).parent
SHARED = HERE.parents[1].parent / "shared" / "golden"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/golden")

#: The networks with published weights: our name and options.
NETWORKS = {
    "mobilenet_v1_075": ("oct_mobilenet_v1", {"scale": 0.75, "alpha": 0.375}),
    "mobilenet_v1_100": ("oct_mobilenet_v1", {"alpha": 0.5}),
    "mobilenet_v2_100": ("oct_mobilenet_v2", {"alpha": 0.375}),
    "mobilenet_v2_1125": ("oct_mobilenet_v2", {"scale": 1.125, "alpha": 0.5}),
    "resnet152_v1f": ("oct_resnet152_v1f", {"alpha": 0.125}),
    "seresnet152_v1e": ("oct_se_resnet152_v1e", {"alpha": 0.125}),
}


def shapes(name):
    """The shape of every parameter of one of the authors' networks by its name there."""
    return json.loads(gzip.decompress((HERE / f"{name}.names.json.gz").read_bytes()))


def parameters(name):
    """The made-up parameters for which the outputs were computed, by their names there."""
    return {parameter: value(parameter, shape) for parameter, shape in shapes(name).items()}


def value(name, shape):
    """The made-up value of a parameter."""
    prefix, _, bare = name.rpartition(":")  # those of the Symbol API begin with "arg:" or "aux:"
    rng = np.random.RandomState(zlib.crc32(bare.encode()) & 0x7FFFFFFF)
    if bare.endswith("gamma"):
        array = (0.6 if prefix else 1.0) * rng.uniform(0.5, 1.5, shape)
    elif bare.endswith(("beta", "bias", "_mean")):
        array = rng.uniform(-0.2, 0.2, shape)
    elif bare.endswith("_var"):
        array = rng.uniform(0.5, 1.5, shape)
    else:
        array = rng.randn(*shape) * np.sqrt(2.0 / np.prod(shape[1:]))
    return array.astype("float32")


def params_file(name):
    """The content of the parameter file, in the very format of the published weights."""
    return mxnet_bytes(parameters(name))


def assert_the_authors_outputs(network, name, keys=("y", "y192x256")):
    """Compare the logits of a network that has the made-up parameters."""
    images = {"y": (0, (2, 3, 224, 224)), "y192x256": (1, (1, 3, 192, 256))}
    network.eval()
    with np.load(HERE / f"{name}.npz") as expected:
        for key in keys:
            seed, size = images[key]
            x = np.random.RandomState(seed).randn(*size).astype("float32")
            with paddle.no_grad():
                y = network(paddle.to_tensor(x)).numpy()
            assert np.abs(y - expected[key]).max() < 1e-4 * np.abs(expected[key]).max(), key
