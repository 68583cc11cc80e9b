"""An exported file that was changed is refused before an engine sees it."""

import os
import shutil

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_oct.deploy import export, load
from paddle_oct.deploy.engines import ENGINES, digests
from paddle_oct.deploy.engines.formats import FORMATS

onnx = pytest.importorskip("onnx")
pytest.importorskip("paddle2onnx")

SIZE = (1, 3, 8, 8)
X = np.random.default_rng(0).standard_normal(SIZE).astype(np.float32)


class Small(nn.Layer):
    def __init__(self, seed):
        super().__init__()
        paddle.seed(seed)
        self.conv = nn.Conv2D(3, 4, 3)

    def forward(self, x):
        return self.conv(x).mean([2, 3])


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return the folder of the exports ``a`` and ``b``, each in both formats."""
    folder = tmp_path_factory.mktemp("exported")
    for seed, name in enumerate("ab"):
        network = Small(seed)
        network.eval()
        for format in FORMATS:
            export(network, folder / name, format, SIZE)
    return folder


@pytest.fixture
def folder(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "copy")


@pytest.fixture
def no_engine(monkeypatch):
    """Let the test fail where an engine is given a file."""

    def open_file(*arguments):
        pytest.fail("an engine was given the file")

    for name, engine in ENGINES.items():
        monkeypatch.setitem(ENGINES, name, engine._replace(open_file=open_file))


def change(path, function):
    path.write_bytes(function(path.read_bytes()))


def flip(position):
    def function(content):
        changed = bytearray(content)
        changed[position] ^= 1
        return bytes(changed)

    return function


@pytest.mark.parametrize("format", FORMATS)
def test_any_byte(folder, no_engine, format):
    path = folder / f"a{FORMATS[format][0]}"
    content = path.read_bytes()
    step = max(1, len(content) // 300)
    ends = {*range(0, 200, 2), *range(len(content) - 60, len(content))}
    for position in sorted(ends.union(range(0, len(content), step))):
        path.write_bytes(flip(position)(content))
        with pytest.raises(ValueError, match=r"a\.\w+: (damaged, or changed|not the file)"):
            load(path)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("length", [1, 30, 100, 300, -1, -20, -40])
def test_a_part(folder, no_engine, format, length):
    path = folder / f"a{FORMATS[format][0]}"
    for part in (slice(length), slice(length, None)):
        content = path.read_bytes()
        path.write_bytes(content[part])
        if digests._KEY in content[part]:
            with pytest.raises(ValueError, match="damaged, or changed"):
                load(path)
        path.write_bytes(content)


def test_the_weights(folder, no_engine):
    weights = folder / "a.pdiparams"
    content = weights.read_bytes()
    for changed in (flip(0)(content), flip(-1)(content), content[:-1], content + b"x", b""):
        weights.write_bytes(changed)
        with pytest.raises(ValueError, match=r"a\.pdiparams: not the file that was exp.* a\.pdmod"):
            load(folder / "a.pdmodel")


def test_a_pair_of_two_exports(folder, no_engine):
    shutil.copy(folder / "b.pdiparams", folder / "a.pdiparams")
    with pytest.raises(ValueError, match=r"not the file that was exported together with a\.pdm"):
        load(folder / "a.pdmodel")


def test_what_is_not_changed(folder):
    for format, suffixes in FORMATS.items():
        expected = load(folder / f"a{suffixes[0]}")(X)
        for suffix in suffixes:  # a new name for all files
            (folder / f"a{suffix}").rename(folder / f"other name{suffix}")
        path = folder / f"other name{suffixes[0]}"
        for engine, entry in ENGINES.items():
            if entry.format == format:
                try:
                    entry.check_installed()
                except ValueError:
                    continue
                np.testing.assert_allclose(load(path, engine)(X), expected, atol=1e-6)


def test_the_entries_are_of_the_format(folder):
    model = onnx.load(str(folder / "a.onnx"))
    onnx.checker.check_model(model)
    assert {entry.key for entry in model.metadata_props} >= {digests._KEY.decode()}
    with_entries = model.SerializeToString()
    for entry in [e for e in model.metadata_props if e.key.startswith(digests._KEY.decode())]:
        model.metadata_props.remove(entry)
    (folder / "a.onnx").write_bytes(with_entries)  # written anew, in another order
    with pytest.raises(ValueError, match=r"remove its entries paddle_oct\.sha256, if it was"):
        load(folder / "a.onnx")
    expected = load(folder / "a.pdmodel")(X)
    (folder / "a.onnx").write_bytes(model.SerializeToString())
    np.testing.assert_allclose(load(folder / "a.onnx")(X), expected, atol=1e-6)


def test_files_of_others_have_no_digest(folder):
    expected = load(folder / "a.pdmodel")(X)
    program = folder / "a.pdmodel"
    opening = digests._entry(program, digests._KEY, " ".join(2 * [64 * "0"]))
    end = digests._entry(program, digests._END, "yes")
    change(program, lambda content: content[len(opening) : -len(end)])
    np.testing.assert_array_equal(load(program)(X), expected)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_is_no_regular_file(folder):
    network = Small(0)
    network.eval()
    os.mkfifo(folder / "pipe.onnx")
    with pytest.raises(ValueError, match=r"pipe\.onnx: not a regular file"):
        load(folder / "pipe.onnx")
    with pytest.raises(ValueError, match=r"pipe\.onnx is not a regular file"):
        export(network, folder / "pipe.onnx", "onnx", SIZE, force=True)
    (folder / "a.pdiparams").unlink()
    os.mkfifo(folder / "a.pdiparams")
    with pytest.raises(ValueError, match=r"there is no a\.pdiparams beside it"):
        load(folder / "a.pdmodel")
