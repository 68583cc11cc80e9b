"""What is exported returns what the network returns, on every engine, also without this package."""

import collections
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import paddle
import pytest
from helpers import need_engine, slow_but
from paddle import nn

from paddle_oct import create_model, list_models
from paddle_oct.deploy import export, load, onnx_graph
from paddle_oct.deploy.engines import paddle_openvino, table
from paddle_oct.deploy.norms import randomise_norms
from paddle_oct.deploy.probing import example
from paddle_oct.nn import OctaveSE

onnx = pytest.importorskip("onnx")
pytest.importorskip("paddle2onnx")

SIZES = ((1, 3, 64, 64), (2, 3, 65, 49))
ENGINES = {"onnx": ("onnxruntime", "openvino"), "paddle": ("paddle", "paddle-openvino")}
DEEP = ("101", "152", "200")
PLAIN = {"Add", "AveragePool", "Concat", "Conv", "GlobalAveragePool", "MatMul", "MaxPool", "Relu"}
PLAIN |= {"Resize", "Reshape", "Shape", "Slice"}


def small(name, **options):
    """Return a network whose values stay in bounds, as a trained one's: a fresh one's vanish."""
    network = create_model(name, num_classes=10, **options)
    for layer in network.sublayers():
        if isinstance(layer, OctaveSE):  # whose gates, steep and one after the other, are chaotic
            for excite in (layer.excite_h, layer.excite_l):
                if excite is not None:
                    excite.weight.set_value(0.05 * excite.weight)
    randomise_norms(network, example((2, 3, 64, 64)))
    return network


def expect_equal(predict, network, size):
    x = np.random.default_rng(1).random(size, np.float32)
    with paddle.no_grad():
        expected = network(paddle.to_tensor(x)).numpy()
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(predict(x), expected, rtol=0, atol=1e-4 * scale)


@pytest.fixture(scope="module")
def mobilenet():
    return small("oct_mobilenet_v1", scale=0.25)


# Deeper networks are made of the same blocks, and take minutes.
@pytest.mark.parametrize(
    "name",
    slow_but(
        [],
        [n for n in list_models() if not any(d in n for d in DEEP)],
    ),
)
def test_every_network(name, tmp_path):
    network = small(name)
    for format in ("onnx",) if "densenet" in name else ("onnx", "paddle"):  # which takes a minute
        path = export(network, tmp_path / name, format, SIZES[0])
        for engine in ENGINES[format]:
            need_engine(engine)
            for size in SIZES:
                expect_equal(load(path, engine), network, size)


def test_a_file_for_one_size(mobilenet, tmp_path):
    path = export(mobilenet, tmp_path / "static.onnx", "onnx", (2, 3, 64, 96), dynamic=False)
    predict = load(path)
    assert predict.input_shape == (2, 3, 64, 96)
    expect_equal(predict, mobilenet, (2, 3, 64, 96))
    with pytest.raises(ValueError, match=r"shape \[2, 3, 64, 96\], got \[1, 3, 64, 96\]"):
        predict(np.zeros([1, 3, 64, 96], np.float32))


@pytest.mark.parametrize("format", ["onnx", "paddle"])
def test_a_file_for_any_batch(mobilenet, format, tmp_path):
    path = export(mobilenet, tmp_path / "net", format, (2, 3, 65, 49), dynamic="batch")
    for engine in ENGINES[format]:
        need_engine(engine)
        predict = load(path, engine, threads=2)
        assert predict.input_shape == (None, 3, 65, 49)
        for batch in (1, 2, 3, 4):
            expect_equal(predict, mobilenet, (batch, 3, 65, 49))
        with pytest.raises(ValueError, match=r"shape \[any, 3, 65, 49\], got \[1, 3, 64, 64\]"):
            predict(np.zeros([1, 3, 64, 64], np.float32))
    with pytest.raises(ValueError, match="dynamic must be True, 'batch' or False, got 'all'"):
        export(mobilenet, tmp_path / "other", format, dynamic="all")


def test_a_network_that_takes_one_size_alone(tmp_path):
    network = nn.Sequential(nn.Conv2D(3, 4, 3), nn.Flatten(), nn.Linear(4 * 6 * 6, 2))
    network.eval()
    for format, engines in ENGINES.items():
        with pytest.warns(UserWarning, match=r"takes no other height and width than \[8, 8\]"):
            path = export(network, tmp_path / "net", format, (1, 3, 8, 8))
        for engine in engines:
            need_engine(engine)
            predict = load(path, engine)
            expect_equal(predict, network, (2, 3, 8, 8))
            with pytest.raises(ValueError, match=r"shape \[any, 3, 8, 8\], got \[1, 3, 10, 10\]"):
                predict(np.zeros([1, 3, 10, 10], np.float32))  # OpenVINO would return something


def test_exporting_in_several_threads(tmp_path):
    network = nn.Sequential(nn.Conv2D(3, 4, 3), nn.Sigmoid(), nn.Conv2D(4, 2, 3))
    network.eval()
    x = example((1, 3, 8, 8))
    expected = network(x).numpy()
    with ThreadPoolExecutor(4) as pool:
        formats = list(ENGINES) * 2
        paths = [
            pool.submit(export, network, tmp_path / f"net{i}", format, x.shape)
            for i, format in enumerate(formats)
        ]
        while not all(path.done() for path in paths):  # whose modes are not those of this thread
            np.testing.assert_allclose(network(x).numpy(), expected, rtol=0, atol=1e-6)
        for path in paths:
            expect_equal(load(path.result()), network, (2, 3, 9, 8))


class LessTheMean(nn.Layer):
    """What it returns for an image depends on the others of the batch."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2D(3, 4, 3)

    def forward(self, x):
        y = self.conv(x).mean([2, 3])
        return y - y.mean(0, keepdim=True)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("size", [None, (8, 3, 64, 64)], ids=["any size", "one size"])
def test_threads_share_out_a_batch(mobilenet, engine, size, tmp_path, monkeypatch):
    pytest.importorskip(engine)
    batches = []
    entry = table.ENGINES[engine]

    def watched(*arguments):
        opened = entry.open_file(*arguments)

        def new_runner():
            run = opened.new_runner()

            def watched_run(x):
                batches.append(len(x))
                return run(x)

            return watched_run

        return opened._replace(new_runner=new_runner)

    path = export(mobilenet, tmp_path / "net", "onnx", SIZES[0])
    monkeypatch.setitem(table.ENGINES, engine, entry._replace(open_file=watched))
    predict = load(path, engine, threads=2, input_size=size)
    parts_of = {8: [2] * 4, 6: [3, 3], 4: [2, 2], 3: [3], 2: [1, 1], 1: [1]}
    for batch, parts in parts_of.items():
        if size is None or batch == size[0]:
            expect_equal(predict, mobilenet, (batch, 3, 64, 64))
            assert batches == parts
            batches.clear()
    for batch, parts in ((4, [2, 2]), (3, [3])):
        expect_equal(load(path, engine, threads=1), mobilenet, (batch, 3, 64, 64))
        assert batches == parts
        batches.clear()

    network = LessTheMean()
    network.eval()
    path = export(network, tmp_path / "mean", "onnx", SIZES[0])
    batches.clear()
    expect_equal(load(path, engine, threads=2, input_size=size), network, (8, 3, 64, 64))
    assert batches == [8]


@pytest.mark.parametrize(
    "name", slow_but(["oct_mobilenet_v1"], ["oct_mobilenet_v1", "oct_resnet26"])
)
def test_the_graph_is_plain(name, tmp_path):
    network = small(name)
    path = export(network, tmp_path / "net.onnx", "onnx", (1, 3, 64, 64), dynamic=False)
    nodes = onnx.load(str(path)).graph.node
    count = collections.Counter(node.op_type for node in nodes)
    assert set(count) <= PLAIN
    assert count["Shape"] <= 1  # of the flattening before the classifier
    for node in nodes:
        if node.op_type == "Resize":
            assert len(node.input) == 3  # by scales
    pools = [tuple(node.input) for node in nodes if node.op_type == "AveragePool"]
    assert len(pools) == len(set(pools))  # no map is pooled twice

    path = export(network, tmp_path / "batch.onnx", "onnx", (1, 3, 64, 64), dynamic="batch")
    assert collections.Counter(node.op_type for node in onnx.load(str(path)).graph.node) == count
    path = export(network, tmp_path / "any.onnx", "onnx", (1, 3, 64, 64))
    assert {node.op_type for node in onnx.load(str(path)).graph.node} <= PLAIN


@pytest.mark.parametrize(
    ("format", "engine"), [(format, engine) for format, own in ENGINES.items() for engine in own]
)
def test_loading_for_one_size(mobilenet, format, engine, tmp_path, monkeypatch):
    need_engine(engine)
    path = export(mobilenet, tmp_path / "net", format, SIZES[0])
    with pytest.raises(ValueError, match="does not fit an input of shape"):
        load(path, engine, threads=1, input_size=(1, 4, 64, 64))
    with pytest.raises(ValueError, match="every length of input_size must be 1 or more"):
        load(path, engine, threads=2, input_size=(0, 3, 64, 64))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    predict = load(path, engine, threads=1, input_size=SIZES[1])
    assert not list(here.iterdir())  # OpenVINO in Paddle keeps what it compiled, if it is let
    expect_equal(predict, mobilenet, SIZES[1])
    with pytest.raises(ValueError, match="expected an input of shape"):
        predict(np.zeros(SIZES[0], np.float32))


def test_without_this_package(mobilenet, tmp_path):
    onnx_file = export(mobilenet, tmp_path / "net", "onnx", SIZES[0])
    program = export(mobilenet, tmp_path / "net", "paddle", SIZES[0])
    x = np.random.default_rng(2).random(SIZES[0], np.float32)
    np.save(tmp_path / "x.npy", x)
    script = f"""
import sys, importlib.abc
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "paddle_oct":
            raise ImportError("paddle_oct is not installed here")
sys.meta_path.insert(0, Refuse())
import numpy as np, onnxruntime
from paddle import inference
x = np.load({str(tmp_path / "x.npy")!r})
session = onnxruntime.InferenceSession({str(onnx_file)!r}, providers=["CPUExecutionProvider"])
(a,) = session.run(None, {{"x": x}})
program = {str(program)!r}
config = inference.Config(program, program[: -len(".pdmodel")] + ".pdiparams")
config.disable_gpu()
config.enable_mkldnn()
predictor = inference.create_predictor(config)
predictor.get_input_handle("x").copy_from_cpu(x)
predictor.run()
b = predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()
np.save({str(tmp_path / "y.npy")!r}, np.stack([a, b]))
assert "paddle_oct" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, capture_output=True)
    expected = mobilenet(paddle.to_tensor(x)).numpy()
    for result in np.load(tmp_path / "y.npy"):
        scale = float(np.abs(expected).max())
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5 * scale)


def test_existing_and_unwritable_files(mobilenet, tmp_path):
    (tmp_path / "there.onnx").write_text("something")
    with pytest.raises(ValueError, match=r"there.onnx already exists; .*--force"):
        export(mobilenet, tmp_path / "there.onnx", "onnx")
    assert (tmp_path / "there.onnx").read_text() == "something"
    (tmp_path / "half.pdiparams").write_text("something")
    with pytest.raises(ValueError, match=r"half.pdiparams already exists"):
        export(mobilenet, tmp_path / "half", "paddle")
    with pytest.raises(ValueError, match="there is no folder"):
        export(mobilenet, tmp_path / "nowhere" / "net", "paddle")
    with pytest.raises(ValueError, match="unknown format 'onx'; did you mean onnx"):
        export(mobilenet, tmp_path / "net", "onx")
    path = export(mobilenet, tmp_path / "there.onnx", "onnx", SIZES[0], force=True)
    expect_equal(load(path), mobilenet, SIZES[0])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["half.pdiparams", "there.onnx"]


def test_a_network_in_training_mode(tmp_path):
    network = nn.Sequential(nn.Conv2D(3, 4, 3), nn.BatchNorm2D(4), nn.Dropout(0.9))
    network.train()
    with pytest.warns(UserWarning, match="in training mode; it is exported as in evaluation mode"):
        path = export(network, tmp_path / "net", "paddle", (1, 3, 8, 8))
    assert network.training
    network.eval()
    expect_equal(load(path), network, (1, 3, 8, 8))


def test_inputs_that_do_not_fit(mobilenet, tmp_path):
    predict = load(export(mobilenet, tmp_path / "net", "paddle", SIZES[0]))
    with pytest.raises(TypeError, match="expected float32, got float64"):
        predict(np.zeros([1, 3, 64, 64]))
    with pytest.raises(TypeError, match="expected a NumPy array, got list"):
        predict([1.0])
    for size in ((3, 64, 64), (1, 4, 64, 64)):
        with pytest.raises(ValueError, match=r"expected an input of shape \[any, 3, any, any\]"):
            predict(np.zeros(size, np.float32))
    with pytest.raises(ValueError, match="is empty"):
        predict(np.zeros([0, 3, 64, 64], np.float32))


def test_files_that_can_not_be_loaded(mobilenet, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="no such file"):
        load(tmp_path / "net.onnx")
    (tmp_path / "net.txt").write_text("")
    with pytest.raises(ValueError, match=r"expected a .pdmodel or an .onnx file"):
        load(tmp_path / "net.txt")
    (tmp_path / "net.onnx").write_text("not a network")
    with pytest.raises(ValueError, match="onnxruntime can't load it"):
        load(tmp_path / "net.onnx")
    with pytest.raises(ValueError, match="unknown engine 'onxruntime'; did you mean onnxruntime"):
        load(tmp_path / "net.onnx", "onxruntime")
    with pytest.raises(ValueError, match="paddle does not read this format"):
        load(tmp_path / "net.onnx", "paddle")
    (tmp_path / "net.pdiparams").write_bytes(b"")
    for damaged in (b"junk", b"", b"x" * 50):
        (tmp_path / "net.pdmodel").write_bytes(damaged)
        for engine in ENGINES["paddle"]:
            with pytest.raises(ValueError, match=r"net\.pdmodel: not a Paddle program, or damaged"):
                load(tmp_path / "net.pdmodel", engine)
    with pytest.raises(ValueError, match="this paddlepaddle is built without OpenVINO"):
        paddle_openvino.enable_openvino(object())
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ValueError, match=r'pip install "paddle_oct\[openvino\]"'):
        load(tmp_path / "net.onnx", "openvino")
    monkeypatch.setitem(sys.modules, "paddle2onnx", None)
    with pytest.raises(ValueError, match=r'pip install "paddle_oct\[onnx\]"'):
        export(mobilenet, tmp_path / "other.onnx", "onnx")


def test_a_file_that_returns_other_values_is_not_written(mobilenet, tmp_path, monkeypatch):
    drop_unused = onnx_graph.drop_unused

    def spoil(graph):
        drop_unused(graph)
        name = max(graph.constants, key=lambda name: graph.constants[name].size)
        graph.constants[name] = graph.constants[name] * np.float32(1.01)

    monkeypatch.setattr(onnx_graph, "drop_unused", spoil)
    with pytest.raises(RuntimeError, match=r"other values for an input of shape .* was written"):
        export(mobilenet, tmp_path / "net", "onnx", SIZES[0])
    assert not list(tmp_path.iterdir())


def test_what_rounding_explains_is_said(tmp_path):
    class Chaotic(nn.Layer):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2D(3, 8, 3)

        def forward(self, x):
            x = self.conv(x)
            for _ in range(6):
                x = 4 * x * (1 - x) * (x * x < 1).astype("float32") + 0.3
            return 1e3 * x

    network = Chaotic()
    network.eval()
    size = (1, 3, 32, 32)
    with pytest.warns(UserWarning, match="equals the network only to .* Are its weights trained"):
        path = export(network, tmp_path / "net", "onnx", size)
    assert path.is_file()
