"""``paddle-oct compare``, ``sweep`` and ``accuracy`` as their user meets them."""

import csv
import io
import json
import shutil

import pytest

from paddle_oct.bench import PUBLISHED

SMALL = ["--image-size", "32", "-o", "scale=0.25"]


@pytest.fixture
def own_run(tmp_path):
    """A run folder as far as its cost and accuracy need it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    config = {
        "model": "oct_mobilenet_v1",
        "model_options": {"scale": 0.25},
        "data": "digits",
        "data_options": {},
        "classes": [str(i) for i in range(10)],
        "preprocessing": {"size": 32, "mean": [0.5] * 3, "std": [0.5] * 3},
        "network": "OctMobileNetV1",
        "recipe": {},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "history.csv").write_text("epoch,eval_acc_top1\n1,0.5\n2,0.875\n3,0.75\n")
    return folder


def test_compare_in_every_format(run, tmp_path):
    models = ["mobilenet_v1", "oct_mobilenet_v1@.5", *SMALL]
    picture = tmp_path / "layers.png"
    status, out, _ = run("compare", *models, "--plot", picture)
    assert (status, "100%" in out) == (0, True)
    assert picture.read_bytes()[:4] == b"\x89PNG"
    rows = list(csv.DictReader(io.StringIO(run("compare", *models, "--format", "csv")[1])))
    assert [row["network"] for row in rows] == ["mobilenet_v1", "oct_mobilenet_v1@.5"]
    file = tmp_path / "costs.json"
    assert run("compare", *models, "--format", "json", "--output", file)[:2] == (0, "")
    assert json.loads(file.read_text())[1]["macs"] == int(rows[1]["macs"])
    assert "| network" in run("compare", *models, "--format", "markdown")[1]
    assert "features.1.0.conv" in run("compare", *models, "--layers")[1]


def test_sweep_draws_and_starts_at_zero(run, tmp_path):
    picture = tmp_path / "sweep.png"
    arguments = ["oct_mobilenet_v1", "--alphas", ".5,1", *SMALL, "--format", "json"]
    status, out, _ = run("sweep", *arguments, "--plot", picture)
    assert status == 0
    assert [row["alpha"] for row in json.loads(out)] == [0, 0.5, 1]
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_accuracy_has_every_result_and_the_own_run(run, own_run, tmp_path):
    picture = tmp_path / "accuracy.png"
    status, out, _ = run("accuracy", own_run, "--format", "json", "--plot", picture)
    rows = json.loads(out)
    assert (status, len(rows)) == (0, len(PUBLISHED) + 1)
    assert (rows[-1]["top1"], rows[-1]["alpha"]) == (87.5, 0.5)
    assert sum("Table 9" in row["source"] for row in rows) == 33
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_accuracy_leaves_out_what_is_no_run(run, own_run, tmp_path):
    out = run("accuracy", own_run, "--format", "json")[1]
    stopped, damaged, photos = (tmp_path / name for name in ("stopped", "damaged", "photos"))
    for folder in (stopped, damaged):
        shutil.copytree(own_run, folder)
    (stopped / "history.csv").unlink()
    config = json.loads((damaged / "config.json").read_text())
    del config["data"]
    (damaged / "config.json").write_text(json.dumps(config))
    photos.mkdir()
    status, again, err = run("accuracy", stopped, damaged, own_run, photos, "--format", "json")
    assert (status, again) == (0, out)
    assert err.splitlines() == [
        f"paddle-oct: warning: left out: {reason}"
        for reason in (
            f"{stopped} has no history (history.csv): no epoch was completed",
            f"{damaged}/config.json is damaged: it lacks data",
            f"{photos} holds no run (there is no config.json in it)",
        )
    ]
    status, _, err = run("accuracy", stopped, photos)
    assert (status, err.count("\n")) == (2, 1)
    assert "none is a run with results" in err


def test_summary_and_structure_of_a_run(run, own_run):
    status, of_run, _ = run("summary", own_run)
    assert status == 0
    named = ["oct_mobilenet_v1", "--image-size", "32", "--classes", "10", "-o", "scale=0.25"]
    _, by_name, _ = run("summary", *named)
    assert of_run.replace(str(own_run), "oct_mobilenet_v1") == by_name
    assert run("structure", own_run)[:2] == run("structure", *named)[:2]
    for option in (["--classes", "9"], ["--alpha", ".5"], ["-o", "scale=1"]):
        status, out, err = run("summary", own_run, *option)
        assert (status, out) == (2, "")
        assert f"{own_run} is the folder of a run, which decides on the options" in err


def test_errors_are_one_line_and_leave_nothing(run, own_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for arguments, message in (
        (["compare", "resnet5"], "unknown model 'resnet5'"),
        (["compare"], "Missing argument"),
        (["compare", "resnet18", "--image-size", "0"], "not in the range"),
        (["compare", "resnet18", "--output", "no/where.csv"], "there is no folder no"),
        (["compare", "resnet18", "--plot", "x.gif"], "must end in .png"),
        (["compare", "resnet18", "--output", "mine"], "is a folder"),
        (
            ["sweep", "oct_resnet50", "--alphas", "0,half"],
            "'0,half' is not a number, or several with commas",
        ),
        (["sweep", "oct_resnet50", "--alphas", "0,1.5"], "must be in [0, 1], got 1.5"),
        (["sweep", "resnet18"], "unknown option of resnet18 'alpha'"),
        (["accuracy", "nowhere"], "nowhere holds no run"),
    ):
        status, _, err = run(*arguments)
        assert (status, err.count("\n")) == (2, 1), err
        assert message in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("option", ["--plot", "--output"])
def test_existing_files_are_kept(run, tmp_path, option):
    path = tmp_path / "there.png"
    path.write_text("mine")
    for command in (["compare", "oct_mobilenet_v1"], ["sweep", "oct_mobilenet_v1"], ["accuracy"]):
        status, out, err = run(*command, option, path)
        assert (status, out) == (2, "")
        assert "there.png already exists" in err
    assert path.read_text() == "mine"
    assert run("accuracy", option, path, "--force")[0] == 0
    assert path.read_bytes() != b"mine"
