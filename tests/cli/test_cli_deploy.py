"""export and bench, from the command line."""

import csv
import json

import numpy as np
import pytest

from paddle_oct.deploy import load

pytest.importorskip("onnx")
pytest.importorskip("paddle2onnx")

SMALL = ("-o", "scale=0.25", "-o", "num_classes=10", "--image-size", "64")
PNG = b"\x89PNG"


def test_export(run, tmp_path):
    path = tmp_path / "net.onnx"
    command = ("export", "oct_mobilenet_v1", "--alpha", ".5", *SMALL, "--output", path)
    status, out, err = run(*command)
    assert status == 0
    assert "takes any batch, height and width, checked" in out
    assert "its weights are random" in err
    assert load(path)(np.zeros([2, 3, 33, 64], np.float32)).shape == (2, 10)

    status, _, err = run(*command)
    assert (status, err.count("\n")) == (2, 1)
    assert "net.onnx already exists" in err
    for dynamic, takes, shape in (
        ("batch", "any batch of 3x64x64", (None, 3, 64, 64)),
        ("none", "2x3x64x64", (2, 3, 64, 64)),
    ):
        status, out, _ = run(*command, "--force", "--dynamic", dynamic, "--batch-size", "2")
        assert status == 0
        assert f"takes {takes}, checked" in out
        assert load(path).input_shape == shape


@pytest.mark.slow
def test_export_in_the_format_of_the_suffix(run, tmp_path):
    path = tmp_path / "net.pdmodel"
    assert run("export", "oct_mobilenet_v1", *SMALL, "--output", path)[0] == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.pdiparams", "net.pdmodel"]
    assert load(path)(np.zeros([1, 3, 64, 64], np.float32)).shape == (1, 10)


def test_export_refuses_a_suffix_of_no_format(run, tmp_path):
    status, out, err = run("export", "oct_mobilenet_v1", *SMALL, "--output", tmp_path / "net.onxx")
    assert (status, out) == (2, "")
    assert "net.onxx: must end in .onnx or .pdmodel, or give --format" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_bench(run, tmp_path):
    table, records, plot = (tmp_path / name for name in ("race.csv", "race.json", "race.png"))
    status, out, err = run(
        "bench", "oct_mobilenet_v1", "--against", "mobilenet_v1",
        "--engines", "onnxruntime,eager", "--batch-sizes", "1", "--alphas", ".25,.5",
        "--threads", "1", "--image-size", "32", "--repeats", "3",
        "--csv", table, "--json", records, "--plot", plot,
    )  # fmt: skip
    assert status == 0, err
    rows = json.loads(records.read_text())
    assert [(row["engine"], row["alpha"]) for row in rows] == [
        ("onnxruntime", 0.25), ("onnxruntime", 0.5), ("eager", 0.25), ("eager", 0.5),
    ]  # fmt: skip
    for row in rows:
        assert row["ratio"] == pytest.approx(row["ms"] / row["against_ms"])
        assert row["law"] == pytest.approx(1 - 0.75 * row["alpha"] * (2 - row["alpha"]))
        assert 0 < row["mac_ratio"] < 1
        assert row["peak"] > 0
        assert row["against_peak"] > 0
        assert f"{row['ratio']:.3f}" in out
    with table.open(newline="") as file:
        assert [row["input_size"] for row in csv.DictReader(file)] == ["1x3x32x32"] * 4
    assert plot.read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--engines", "tensorrt"), "unknown engine 'tensorrt'"),
        (("--batch-sizes", "one"), "'one' is not a number, or several with commas"),
        (("--repeats", "1"), "1 is not in the range"),
        (("--plot", "nowhere/race.png"), "there is no folder"),
        (("--plot", "race.gif"), "must end in .png or .svg or .pdf"),
    ],
)
def test_bench_refuses_before_it_starts(run, options, message):
    status, out, err = run("bench", "oct_mobilenet_v1", "--against", "mobilenet_v1", *options)
    assert status == 2
    assert message in err
    assert not out
