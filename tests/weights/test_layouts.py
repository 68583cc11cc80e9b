"""Whose weights they are: the authors', those of d-li14's networks, and vanilla ones."""

import sys

import golden
import numpy as np
import paddle
import pytest
from golden.mxnet_writer import mxnet_bytes
from helpers import randomise_norms
from paddle.vision import models as vanilla_models
from torch_writer import Tensor, torch_bytes

from paddle_oct import create_model
from paddle_oct.models import OctResNetV1e, published_weights
from paddle_oct.models.oct_resnet_v1e import SEBottleneckV1e
from paddle_oct.weights import load_state, load_weights
from paddle_oct.weights.torch_state import from_torch_names


def state_of(network):
    return {key: tensor.numpy() for key, tensor in network.state_dict().items()}


def assert_same_state(a, b):
    assert list(a.state_dict()) == list(b.state_dict())
    for key, array in state_of(a).items():
        np.testing.assert_array_equal(array, b.state_dict()[key].numpy(), err_msg=key)


# -- the authors' ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mobilenet_params(tmp_path_factory):
    path = tmp_path_factory.mktemp("authors") / "mobilenet_v1_075.params"
    path.write_bytes(golden.params_file("mobilenet_v1_075"))
    return path


@pytest.mark.parametrize("name", ["mobilenet_v1_075", "mobilenet_v2_100"])
def test_logits_of_the_authors_program(name, tmp_path):
    (tmp_path / "a.params").write_bytes(golden.params_file(name))
    model, options = golden.NETWORKS[name]
    network = create_model(model, pretrained=tmp_path / "a.params", **options)
    golden.assert_the_authors_outputs(network, name)


@pytest.mark.parametrize("weights", published_weights(), ids=lambda weights: weights.file)
def test_all_published_layouts_load(weights, tmp_path):
    """From a file made up of the names and shapes; every number is found in the network again."""
    file = weights.file.rpartition("_alpha")[0].replace("se-resnet", "seresnet")
    shapes = golden.shapes(file)
    rng = np.random.default_rng(0)
    arrays = {name: rng.random(shape, "float32") for name, shape in shapes.items()}
    fixed = [n for n in shapes if ".bn1a." in n or ".bn4a." in n]
    for name in fixed:
        if name.endswith("gamma"):
            arrays[name][:] = 1
        elif name.endswith("beta"):
            arrays[name][:] = 0
    path = tmp_path / weights.file
    path.write_bytes(mxnet_bytes(arrays))
    network = create_model(weights.model, pretrained=path, **weights.options)

    stored = [n for n in shapes if not (n in fixed and n.endswith(("gamma", "beta")))]
    state = state_of(network)
    assert len(state) == len(stored)
    key = np.array([a.sum(dtype="float64") for a in state.values()])
    np.testing.assert_array_equal(
        np.sort(key), np.sort([arrays[n].sum(dtype="float64") for n in stored])
    )


def test_the_shift_that_a_norm_does_not_have_goes_into_its_mean(tmp_path):
    """MXNet adds it, if it is there, and takes the scale as 1 whatever is stored."""
    shapes = golden.shapes("seresnet152_v1e")
    kept = {n: s for n, s in shapes.items() if n[:1] != "L" or n[4:].startswith("0.")}
    rng = np.random.default_rng(0)
    arrays = {name: rng.random(shape, "float32") for name, shape in kept.items()}
    path = tmp_path / "a.params"
    path.write_bytes(mxnet_bytes(arrays))
    network = OctResNetV1e(SEBottleneckV1e, (1, 1, 1, 1), alpha=0.125, num_classes=3)
    load_weights(network, path, classifier=False)
    norm = network.layer2[0].norm4.low
    norm.eval()
    theirs = {k: arrays[f"L2_B0.bn4a.bn_l.{k}"] for k in ("beta", "running_mean", "running_var")}
    x = rng.standard_normal((2, len(theirs["beta"]), 3, 3)).astype("float32")
    mean, var, beta = (theirs[k][:, None, None] for k in ("running_mean", "running_var", "beta"))
    np.testing.assert_allclose(
        norm(paddle.to_tensor(x)).numpy(), (x - mean) / np.sqrt(var + 1e-5) + beta, atol=2e-5
    )


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("oct_mobilenet_v1", {}, r"weight is \[24, 3, 3, 3\] in place of \[32, 3, 3, 3\].* more"),
        ("oct_mobilenet_v1", {"scale": 0.75, "alpha": 0.25}, r"in place of"),
        ("oct_mobilenet_v1", {"scale": 0.75, "alpha": 0}, "left over features.*more"),
        ("oct_mobilenet_v2", {"scale": 0.75}, "missing .*more"),
        ("oct_resnet50", {}, "missing .*more"),
        ("oct_densenet121", {}, "than OctDenseNet: missing .* left over conv1.0.weight"),
        ("mobilenet_v1", {}, "than MobileNetV1: missing .* left over conv1.1.gamma"),
    ],
)
def test_a_checkpoint_of_another_network(name, options, message, mobilenet_params):
    network = create_model(name, **options)
    before = state_of(network)
    with pytest.raises(ValueError, match=rf"(?s)mobilenet_v1_075\.params: .*{message}"):
        load_weights(network, mobilenet_params)
    for key, array in state_of(network).items():
        np.testing.assert_array_equal(array, before[key])


# -- PyTorch --------------------------------------------------------------------------------------


def to_torch_names(state, prefix=""):
    """A state dict as PyTorch would have it: other names of statistics, ``fc`` transposed."""
    result = {}
    for name, array in state.items():
        layer, _, parameter = name.rpartition(".")
        if parameter == "_mean":
            result[f"{prefix}{layer}.running_mean"] = array
            result[f"{prefix}{layer}.num_batches_tracked"] = np.array(7)
        elif parameter == "_variance":
            result[f"{prefix}{layer}.running_var"] = array
        else:
            result[prefix + name] = array.T if name == "fc.weight" else array
    return {name: np.ascontiguousarray(array) for name, array in result.items()}


def write_torch(path, tensors, wrap=False):
    state = {name: Tensor(array) for name, array in tensors.items()}
    path.write_bytes(
        torch_bytes({"state_dict": state, "epoch": 3, "arch": "oct"} if wrap else state)
    )


def write_safetensors(path, tensors):
    pytest.importorskip("safetensors.numpy").save_file(tensors, path)


@pytest.mark.parametrize(
    ("name", "file", "write", "prefix"),
    [
        ("oct_resnet26", "a.pth", write_torch, ""),
        ("oct_mobilenet_v1", "a.pth", write_torch, ""),
        (
            *("oct_mobilenet_v1", "a.pt"),
            lambda path, tensors: write_torch(path, tensors, wrap=True),
            "module.",
        ),
        ("oct_mobilenet_v1", "a.safetensors", write_safetensors, ""),
        ("oct_resnet18", "a.npz", lambda path, tensors: np.savez(path, **tensors), "module."),
    ],
)
def test_pytorch_state_dicts(tmp_path, name, file, write, prefix):
    options = {"num_classes": 7, "alpha": 0.5}
    source = randomise_norms(create_model(name, **options))
    write(tmp_path / file, to_torch_names(state_of(source), prefix))
    assert_same_state(create_model(name, pretrained=tmp_path / file, **options), source)


def test_a_square_classifier_is_transposed_too(tmp_path):
    options = {"num_classes": 256, "scale": 0.25}
    source = randomise_norms(create_model("oct_mobilenet_v1", **options))
    np.savez(tmp_path / "torch.npz", **to_torch_names(state_of(source)))
    np.savez(tmp_path / "own.npz", **state_of(source))
    for file in ("torch.npz", "own.npz"):
        network = create_model("oct_mobilenet_v1", pretrained=tmp_path / file, **options)
        assert_same_state(network, source)


def octave_mobilenet_in_torch(state, x):
    """Run d-li14's Oct-MobileNetV1 by the names of its state dict, as the paper's equation says."""
    import torch
    import torch.nn.functional as F

    def norm(x, name):
        p = [state[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")]
        return torch.relu(F.batch_norm(x, *p))

    def conv(pair, name, stride, depthwise):
        high, low = pair
        if stride == 2:
            high = F.avg_pool2d(high, 2)

        def path(x, which):
            weight = state.get(f"{name}.conv.conv_{which}.weight")
            if x is None or weight is None:
                return None
            pad, groups = weight.shape[-1] // 2, x.shape[1] if depthwise else 1
            return F.conv2d(x, weight, padding=pad, groups=groups)

        from_low = path(low, "l2h")
        if from_low is not None:
            from_low = F.interpolate(from_low, scale_factor=2, mode="nearest")
        if low is not None and stride == 2:
            low = F.avg_pool2d(low, 2)
        y_high = [path(high, "h2h"), from_low]
        y_low = [path(low, "l2l"), path(F.avg_pool2d(high, 2), "h2l")]
        y_high, y_low = ([y for y in ys if y is not None] for ys in (y_high, y_low))
        return (
            norm(sum(y_high), f"{name}.bn_h"),
            norm(sum(y_low), f"{name}.bn_l") if y_low else None,
        )

    x = F.conv2d(x, state["features.0.0.weight"], stride=2, padding=1)
    pair = (norm(x, "features.0.1"), None)
    for block in range(1, 14):
        pair = conv(pair, f"features.{block}.0", 2 if block in (2, 4, 6, 12) else 1, True)
        pair = conv(pair, f"features.{block}.1", 1, False)
    return F.linear(pair[0].mean((2, 3)), state["fc.weight"], state["fc.bias"])


def test_the_same_output_as_in_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
    options = {"num_classes": 5, "alpha": 0.5, "scale": 0.5}
    tensors = to_torch_names(state_of(randomise_norms(create_model("oct_mobilenet_v1", **options))))
    write_torch(tmp_path / "a.pth", tensors)
    network = create_model("oct_mobilenet_v1", pretrained=tmp_path / "a.pth", **options)
    network.eval()
    x = np.random.default_rng(1).standard_normal((2, 3, 64, 64)).astype("float32")
    state = torch.load(tmp_path / "a.pth", weights_only=True)
    expected = octave_mobilenet_in_torch(state, torch.from_numpy(x)).numpy()
    y = network(paddle.to_tensor(x)).numpy()
    np.testing.assert_allclose(y, expected, atol=1e-4 * np.abs(expected).max())


def test_files_that_are_not_what_they_say(tmp_path):
    network = create_model("oct_mobilenet_v1", scale=0.25)
    good = tmp_path / "good.npz"
    np.savez(good, a=np.ones(3))
    cut = good.read_bytes()[:-30]
    (tmp_path / "whole.pth").write_bytes(torch_bytes(paddle.nn.Sequential()))
    (tmp_path / "list.pth").write_bytes(torch_bytes([1, 2]))
    (tmp_path / "other.pth").write_bytes(torch_bytes({"epoch": 3}))
    np.savez(tmp_path / "object.npz", a=np.array([{}], dtype=object))
    for file, content, message in (
        ("a.npz", b"text", "not a .npz file"),
        ("cut.npz", cut, "not a .npz file, or truncated"),
        ("object.npz", None, "can't be read as .npz"),
        ("a.safetensors", b"\xff" * 40, "can't be read as safetensors"),
        ("a.pth", b"text", "can't be read as a PyTorch state dict, weights only"),
        ("whole.pth", None, "can't be read as a PyTorch state dict, weights only"),
        ("list.pth", None, "holds no state dict but list"),
        ("other.pth", None, "holds more than a state dict: 'epoch' is int"),
        ("nowhere.pth", None, "no such file"),
    ):
        if content is not None:
            (tmp_path / file).write_bytes(content)
        with pytest.raises(ValueError, match=file) as error:
            load_weights(network, tmp_path / file)
        assert message in str(error.value)
        assert "\n" not in str(error.value)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    network = create_model("oct_mobilenet_v1", scale=0.25)
    (tmp_path / "a.safetensors").touch()
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ValueError, match=r"pip install 'paddle_oct\[safetensors\]'"):
        load_weights(network, tmp_path / "a.safetensors")


# -- vanilla --------------------------------------------------------------------------------------


def saved(network, path):
    paddle.save(network.state_dict(), str(path))
    return path


VANILLA = [
    ("mobilenet_v1", {"scale": 0.5}),
    ("resnet18", {}),
    ("resnet50", {}),
    ("resnext50_32x4d", {}),
]


@pytest.mark.parametrize(("name", "options"), VANILLA)
def test_at_alpha_0_the_output_is_that_of_the_vanilla_network(tmp_path, name, options):
    options = {"num_classes": 10, **options}
    vanilla = randomise_norms(create_model(name, **options))
    path = saved(vanilla, tmp_path / "a.pdparams")
    octave = create_model(f"oct_{name}", alpha=0, pretrained=path, **options)
    octave.eval()
    x = paddle.randn([1, 3, 65, 64])
    np.testing.assert_array_equal(octave(x).numpy(), vanilla(x).numpy())


def test_the_four_kernels_are_the_blocks_of_the_vanilla_one(tmp_path):
    vanilla = randomise_norms(vanilla_models.mobilenet_v1(scale=0.5))
    path = saved(vanilla, tmp_path / "a.pdparams")
    octave = create_model("oct_mobilenet_v1", scale=0.5, alpha=0.25, pretrained=path)
    theirs = vanilla.conv4_1._pointwise_conv
    ours = octave.features[5][1]
    paths = ("h2h", "l2h", "h2l", "l2l")
    hh, lh, hl, ll = (getattr(ours.conv, f"conv_{p}").weight.numpy() for p in paths)
    whole = np.concatenate([np.concatenate([hh, lh], 1), np.concatenate([hl, ll], 1)])
    assert ll.shape == (32, 32, 1, 1)
    np.testing.assert_array_equal(whole, theirs[0].weight.numpy())
    for parameter in ("weight", "bias", "_mean", "_variance"):
        bands = [getattr(norm, parameter).numpy() for norm in (ours.bn_h, ours.bn_l)]
        np.testing.assert_array_equal(np.concatenate(bands), getattr(theirs[1], parameter).numpy())
    np.testing.assert_array_equal(octave.fc.weight.numpy(), vanilla.fc.weight.numpy())
    depthwise = octave.features[5][0].conv
    whole = np.concatenate([depthwise.conv_h2h.weight.numpy(), depthwise.conv_l2l.weight.numpy()])
    np.testing.assert_array_equal(whole, vanilla.conv4_1._depthwise_conv[0].weight.numpy())


def test_a_vanilla_checkpoint_of_another_network(tmp_path):
    path = saved(vanilla_models.mobilenet_v1(scale=0.25), tmp_path / "a.pdparams")
    for name, options, message in (
        ("oct_mobilenet_v1", {"scale": 0.5}, r"conv2_1\._depthwise_conv\.0\.weight is \[8, 1"),
        ("oct_mobilenet_v1", {"scale": 0.25, "num_classes": 5}, r"fc\.weight is \[256, 1000\]"),
        ("oct_resnet26", {}, r"missing layer1\.0\.conv1\.weight"),
        ("oct_mobilenet_v2", {}, "than OctMobileNetV2: missing features.0.0.weight.* left over"),
    ):
        with pytest.raises(ValueError, match=message):
            create_model(name, pretrained=path, **options)


def test_the_same_in_torchvisions_names(tmp_path):
    vanilla = randomise_norms(vanilla_models.resnet18(num_classes=3))
    np.savez(tmp_path / "torchvision.npz", **to_torch_names(state_of(vanilla)))
    octave = create_model(
        "oct_resnet18", alpha=0, num_classes=3, pretrained=tmp_path / "torchvision.npz"
    )
    octave.eval()
    x = paddle.randn([1, 3, 64, 64])
    np.testing.assert_array_equal(octave(x).numpy(), vanilla(x).numpy())


def test_no_tensor_hides_behind_another():
    """Two of one name, and a counter that belongs to no norm, are left over."""
    network = create_model("oct_resnet18", num_classes=4)
    state = {key: tensor.numpy() for key, tensor in network.state_dict().items()}
    state["fc.weight"] = state["fc.weight"].T
    norm = next(key for key in state if key.endswith("._mean"))[: -len("._mean")]
    extra = {f"{norm}.running_mean": state[f"{norm}._mean"], "fc.num_batches_tracked": np.array(1)}
    for name, array in extra.items():
        with pytest.raises(ValueError, match=f"left over {name}"):
            load_state(network, from_torch_names({**state, name: array}), "file")


def test_every_kind_of_problem_is_listed():
    network = paddle.nn.Sequential(*(paddle.nn.Linear(2, 2) for _ in range(4)))
    state = {f"other.{i}": np.zeros(2, np.float32) for i in range(5)}
    state["3.weight"] = np.zeros([3, 2], np.float32)
    with pytest.raises(
        ValueError,
        match=r"missing 0.weight; .* and 4 more; left over other.0; .* and 2 more; "
        r"3.weight is \[3, 2\] in place of \[2, 2\]",
    ):
        load_state(network, state, "file")
