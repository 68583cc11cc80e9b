"""Running an exported file needs no other room, and an engine is imported when it is used."""

import subprocess
import sys

import pytest

from paddle_oct.deploy.engines import ENGINES
from paddle_oct.deploy.engines.formats import FORMATS
from paddle_oct.deploy.engines.opened import fitted
from paddle_oct.deploy.engines.table import readers

ENGINE_PACKAGES = ("paddle", "onnx", "onnxruntime", "openvino", "paddle2onnx")


def imported_by(code):
    """Return the modules that a new Python has imported after some code."""
    code = f"import sys\n{code}\nprint(*sorted(sys.modules))"
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True, text=True
    )
    return child.stdout.splitlines()[-1].split()


def rooms(modules):
    return {name.split(".")[1] for name in modules if name.startswith("paddle_oct.")}


def test_loading_is_imported_alone():
    modules = imported_by("from paddle_oct.deploy import load")
    assert rooms(modules) == {"base", "deploy", "version"}
    assert {name for name in modules if name.startswith("paddle_oct.deploy.")} == {
        name for name in modules if name.startswith("paddle_oct.deploy.engines")
    }
    assert not {name.split(".")[0] for name in modules}.intersection(ENGINE_PACKAGES)


def test_an_onnx_file_is_run_without_paddle(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "twice",
        [helper.make_tensor_value_info("x", kind, [1, 2])],
        [helper.make_tensor_value_info("y", kind, [1, 2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path / "twice.onnx"
    onnx.save(model, str(path))
    modules = imported_by(
        f"import numpy as np\n"
        f"from paddle_oct.deploy import load\n"
        f"y = load({str(path)!r})(np.array([[1, 2.5]], np.float32))\n"
        f"assert y.tolist() == [[2, 5]], y"
    )
    assert rooms(modules) == {"base", "deploy", "version"}
    assert "paddle" not in modules


def test_every_engine_reads_a_format_and_every_format_has_an_engine():
    assert {engine.format for engine in ENGINES.values()} == set(FORMATS)
    assert readers("onnx") == ["onnxruntime", "openvino"]
    assert readers("paddle") == ["paddle", "paddle-openvino"]


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_an_engine_that_is_not_installed_says_what_to_install(engine, monkeypatch):
    monkeypatch.setitem(sys.modules, engine, None)
    with pytest.raises(ValueError, match=rf"the engine {engine} needs {engine}, .*pip install"):
        ENGINES[engine].check_installed()


def test_a_size_that_fits(tmp_path):
    shape = (None, 3, None, 64)
    assert fitted(tmp_path, shape, None) == shape
    assert fitted(tmp_path, shape, (2, 3, 5, 64)) == (2, 3, 5, 64)
    for wrong in ((2, 3, 5), (2, 4, 5, 64), (2, 3, 5, 65)):
        with pytest.raises(ValueError, match="does not fit an input of shape"):
            fitted(tmp_path, shape, wrong)
