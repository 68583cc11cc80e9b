import json
import signal
import subprocess
import sys
import time

import numpy as np
import paddle
import pytest
from PIL import Image

from paddle_oct import cli, training
from paddle_oct.deploy import load
from paddle_oct.training import RunFolder, Trained

QUICK = ["--limit", "40", "--batch-size", "16", "--epochs", "1", "-o", "scale=0.25", "--quiet"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "run"
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "--run", str(folder), "--alpha", ".5,.5,.25,.25", *QUICK])
    assert stop.value.code == 0
    return folder


def test_train_leaves_a_run_with_what_was_asked_for(trained):
    config = json.loads((trained / "config.json").read_text())
    assert config["model"] == "oct_mobilenet_v1"
    options = config["model_options"]  # the defaults, too
    assert (options["scale"], options["alpha"]) == (0.25, [0.5, 0.5, 0.25, 0.25])
    assert (options["downsample"], options["h2l"], options["num_classes"]) == (None, True, 10)
    assert config["data_options"] == {"limit": 40}
    assert (config["recipe"]["epochs"], config["recipe"]["batch_size"]) == (1, 16)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--workers", 1025], "workers must be in [0, 1024]"),
        (["--workers", 10**20], "Invalid value for '--workers'"),
        (["--threads", 10**20], "Invalid value for '--threads'"),
        (["--image-size", 10**20], "Invalid value for '--image-size'"),
    ],
)
def test_numbers_out_of_range(run, tmp_path, option, message):
    status, _, err = run("train", "--run", tmp_path / "run", *option)
    assert (status, err.count("\n")) == (2, 1)
    assert message in err
    assert not (tmp_path / "run").exists()


def test_threads(run, trained, monkeypatch):
    asked = []
    monkeypatch.setattr("paddle_oct.base.private.set_threads", asked.append)
    assert run("eval", trained, "--threads", 3)[0] == 0
    assert run("train", "--resume", trained, "--threads", 2)[0] == 2  # it is complete
    assert asked == [3, 2]


@pytest.mark.slow
def test_train_says_what_came_out_and_where_it_is(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("runs/oct_mobilenet_v1-digits", "runs/oct_mobilenet_v1-digits-2"):
        status, out, _ = run("train", *QUICK)
        assert status == 0
        accuracy = float(
            (tmp_path / folder / "history.csv").read_text().split("\n")[1].split(",")[6]
        )
        assert out.startswith("oct_mobilenet_v1: ")
        assert "\nepoch 1/1: train loss " in out
        assert "\b" not in out
        assert f"oct_mobilenet_v1 on digits: test accuracy {accuracy:.2%} after 1 epoch (" in out
        assert f"{folder}/curves.png" in out
        assert f"visualdl --logdir {folder}/visualdl" in out
        assert f"{folder}/checkpoints/epoch-0001/model.pdparams" in out


def test_eval_prints_the_accuracy_of_the_run(run, trained):
    header, row = (trained / "history.csv").read_text().splitlines()
    history = dict(zip(header.split(","), map(float, row.split(","))))
    status, out, _ = run("eval", trained)
    assert status == 0
    printed = dict(line.split() for line in out.splitlines() if line.startswith(("acc", "loss")))
    for split in ("acc_top1", "acc_top5"):
        assert printed[split] == f"{history[f'eval_{split}']:.2%}"
    assert float(printed["loss"]) == pytest.approx(history["eval_loss"], rel=1e-3)


def test_predict_names_a_class_for_every_image(run, trained, tmp_path):
    paths = [tmp_path / f"{name}.png" for name in ("grey", "colour")]
    Image.fromarray(np.zeros((9, 8), "uint8")).save(paths[0])
    Image.fromarray(np.zeros((50, 70, 4), "uint8")).save(paths[1])
    status, out, _ = run("predict", "--run", trained, "--top", 10, *paths)
    assert status == 0
    for path in paths:
        (line,) = [line for line in out.splitlines() if line.startswith(str(path))]
        shares = [float(word.rstrip("%,")) for word in line.split() if "%" in word]
        assert sum(shares) == pytest.approx(100, abs=0.6)
        assert shares == sorted(shares, reverse=True)


def test_export_of_a_run_has_its_weights_and_its_size(run, trained, tmp_path):
    path = tmp_path / "net.pdmodel"
    assert run("export", trained, "--output", path, "--dynamic", "none")[0] == 0
    network = Trained.of_run(RunFolder.open(trained)).network
    network.eval()
    x = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    expected = network(paddle.to_tensor(x)).numpy()
    np.testing.assert_allclose(load(path)(x), expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    started = tmp_path / "started"
    started.mkdir()
    (started / "config.json").write_text((trained / "config.json").read_text())
    status, _, err = run("export", started, "--output", tmp_path / "other.pdmodel")
    assert status == 2
    assert "no epoch was completed, there are no weights yet" in err
    assert run("summary", started)[0] == 0


def test_frequencies_draws_the_bands_of_a_trained_layer(run, trained, tmp_path):
    image, picture = tmp_path / "image.png", tmp_path / "bands.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), "uint8")).save(image)
    command = ["frequencies", "--run", trained, "--output", picture, image, "--layer"]
    status, out, _ = run(*command, "features.1")
    assert (status, out.strip()) == (0, str(picture))
    before = picture.read_bytes()
    assert Image.open(picture).format == "PNG"
    for layer, message in (
        ("features.1", "already exists"),
        ("features.99", "unknown layer of OctMobileNetV1 'features.99'; did you mean features.9"),
    ):
        force = ["--force"] if layer == "features.99" else []
        status, _, err = run(*command, layer, *force)
        assert (status, err.count("\n")) == (2, 1)
        assert message in err
    assert picture.read_bytes() == before


def test_errors_about_a_trained_run(run, trained, tmp_path):
    before = sorted((p, p.stat().st_mtime_ns) for p in trained.rglob("*"))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n")
    other = tmp_path / "other"
    assert run("train", "--run", other, *QUICK[:-3], "-o", "scale=0.5", "--quiet")[0] == 0
    foreign = next(other.rglob("*.pdparams"))
    for arguments, message in (
        (["train", "--run", trained, *QUICK], "already holds a run"),
        (["train", "--resume", trained], "is complete (1 of 1 epochs)"),
        (["predict", "--run", trained, broken], "broken.png: can't be read as an image"),
        (["predict", "--run", trained, tmp_path / "no.png"], "no.png: no such file"),
        (["predict", "--run", trained], "Missing argument 'IMAGES...'"),
        (["eval", trained, "--weights", foreign], "belongs to another network"),
        (["eval", trained, "--weights", broken], "broken.png: can't be read as Paddle parameters"),
    ):
        status, _, err = run(*arguments)
        assert (status, err.count("\n")) == (2, 1)
        assert message in err
    assert sorted((p, p.stat().st_mtime_ns) for p in trained.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_stopped_run_can_be_resumed(run, tmp_path, number, expected, workers):
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "paddle_oct", "train", "--run", str(folder), *QUICK]
    command[command.index("--epochs") + 1] = "1000"
    command += ["--workers", workers]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (folder / "history.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == expected, err
    said = [line for line in err.splitlines() if line]
    assert f"interrupted; paddle-oct train --resume {folder} goes on" in said
    assert len(said) == 1 or workers == "1"  # Paddle's loader may have been caught half-made
    # Cut the run short, so that resuming it takes a moment only.
    config = json.loads((folder / "config.json").read_text())
    done = len((folder / "history.csv").read_text().splitlines()) - 1
    config["recipe"]["epochs"] = done + 1
    (folder / "config.json").write_text(json.dumps(config))
    status, out, _ = run("train", "--resume", folder, "--quiet")
    assert status == 0
    assert f"after {done + 1} epochs" in out


def test_an_interrupt_inside_an_exec(tmp_path):
    (tmp_path / "interrupted.py").write_text(
        "from paddle_oct import cli, training\n"
        "training.train = lambda *_, **__: exec('raise KeyboardInterrupt')\n"
        f"cli.main(['train', '--run', {str(tmp_path / 'run')!r}])\n"
    )
    command = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 130, done.stderr


def test_an_interrupt_that_paddle_turned_into_an_error(run, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        (tmp_path / "config.json").touch()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        raise OSError("(External) KeyboardInterrupt: <EMPTY MESSAGE>")

    monkeypatch.setattr(training, "train", interrupted)
    status, _, err = run("train", "--run", tmp_path, *QUICK)
    assert (status, err.strip()) == (
        130,
        f"interrupted; paddle-oct train --resume {tmp_path} goes on",
    )
