"""The networks whose weights the authors published hold tensors of the same shapes as theirs.

That these mean the same is shown where the weights are imported.
"""

from collections import Counter

import golden
import pytest
from paddle.nn import initializer

from paddle_oct import create_model

KINDS = {
    "gamma": "weight",
    "beta": "bias",
    "running_mean": "_mean",
    "running_var": "_variance",
}


def kind(name):
    """The convolution's path or the norm's band, and what it is of that."""
    *_, layer, last = name.split(".")
    path = layer if layer.startswith("conv_") else ""
    return path, KINDS.get(last, last)


@pytest.mark.parametrize("file", golden.NETWORKS)
def test_shapes(file):
    theirs = Counter()
    for name, shape in golden.shapes(file).items():
        if name.split(".")[1] in ("bn1a", "bn4a") and name.endswith(("gamma", "beta")):
            continue  # fixed at 1 and 0
        if name == "classifer.weight":  # a 1x1 convolution
            shape = [shape[1], shape[0]]
        theirs[kind(name), tuple(shape)] += 1

    initializer.set_global_initializer(initializer.Constant(0.01))
    try:
        name, options = golden.NETWORKS[file]
        net = create_model(name, **options)
    finally:
        initializer.set_global_initializer(None)
    ours = Counter()
    for name, tensor in net.state_dict().items():
        path, what = kind(name)
        if name.startswith("conv2."):  # a vanilla block of the stem, which has no paths there
            path = ""
        ours[(path, what), tuple(tensor.shape)] += 1
    assert ours == theirs
