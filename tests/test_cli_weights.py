"""import-weights, and predict and eval of networks that others trained."""

import json
import pickle
from pathlib import Path

import golden
import numpy as np
import paddle
import pytest
from PIL import Image

from paddle_oct import create_model
from paddle_oct.models import register_model, registry
from paddle_oct.weights import save_weights

SMALL = ["--alpha", ".375", "-o", "scale=.75"]
TINY = ["-o", "num_classes=3"]


@pytest.fixture(scope="module")
def authors(tmp_path_factory):
    """A file of weights as the authors published them."""
    path = tmp_path_factory.mktemp("authors") / "mobilenet_v1_075.params"
    path.write_bytes(golden.params_file("mobilenet_v1_075"))
    return path


def test_import_weights(run, tmp_path, authors):
    output = tmp_path / "ours.pdparams"
    command = ["import-weights", authors, "--model", "oct_mobilenet_v1", "--output", output]
    status, out, _ = run(*command, *SMALL)
    assert status == 0
    numbers = [np.prod(s) for s in golden.shapes("mobilenet_v1_075").values()]
    assert f"{len(numbers)} tensors, {sum(numbers):,} numbers, from {authors}" in out
    network = create_model("oct_mobilenet_v1", alpha=0.375, scale=0.75)
    network.set_state_dict(paddle.load(str(output)))
    same = create_model("oct_mobilenet_v1", alpha=0.375, scale=0.75, pretrained=authors)
    for key, tensor in same.state_dict().items():
        np.testing.assert_array_equal(network.state_dict()[key].numpy(), tensor.numpy())

    before = output.read_bytes()
    status, _, err = run(*command, *SMALL)
    assert (status, err.count("\n")) == (2, 1)
    assert "ours.pdparams already exists; choose another name, or overwrite with --force" in err
    assert run(*command, *SMALL, "--force")[0] == 0
    assert output.read_bytes() == before
    assert list(tmp_path.iterdir()) == [output]


def test_the_number_of_classes_is_that_of_the_file(run, tmp_path):
    save_weights(create_model("resnet18", num_classes=7), tmp_path / "a.pdparams")
    command = ["import-weights", tmp_path / "a.pdparams", "--model", "oct_resnet18"]
    assert run(*command, "--output", tmp_path / "b.pdparams", "--alpha", ".25")[0] == 0
    create_model("oct_resnet18", alpha=0.25, num_classes=7, pretrained=tmp_path / "b.pdparams")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["AUTHORS", "--model", "oct_mobilenet_v1"], "belongs to another network"),
        (["AUTHORS", "--model", "oct_mobilnet_v1"], "did you mean oct_mobilenet_v1"),
        (["AUTHORS", "--model", "oct_mobilenet_v1", "--alpha", "2"], "alpha must be in [0, 1]"),
        (["nowhere.params", "--model", "oct_mobilenet_v1"], "nowhere.params: no such file"),
        ([__file__, "--model", "oct_mobilenet_v1"], "can't be read as Paddle parameters"),
        (["AUTHORS", "--model", "oct_mobilenet_v1", "--output", "no/a.pdparams"], "no folder no"),
        (["AUTHORS", "--model", "oct_mobilenet_v1", "--output", "."], "is a folder"),
        (["AUTHORS"], "Missing option '--model'"),
    ],
)
def test_import_errors_leave_nothing(run, tmp_path, monkeypatch, authors, arguments, message):
    arguments = [authors if a == "AUTHORS" else a for a in arguments]
    monkeypatch.chdir(tmp_path)
    output = [] if "--output" in arguments else ["--output", "a.pdparams"]
    status, _, err = run("import-weights", *arguments, *output)
    assert (status, err.count("\n")) == (2, 1)
    assert message in err
    assert not list(tmp_path.iterdir())


def prepared(path):
    """An image, prepared step by step as the authors do."""
    image = Image.open(path)
    assert image.size == (300, 40)
    image = image.resize((1920, 256), Image.BILINEAR).crop((848, 16, 1072, 240))
    x = (np.asarray(image) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    return paddle.to_tensor(x.transpose(2, 0, 1)[None].astype("float32"))


class ColourNet(paddle.nn.Layer):
    """Classifies by the mean of each channel of its input, which tells how that was prepared."""

    def __init__(self, num_classes=3):
        super().__init__()
        self.fc = paddle.nn.Linear(3, num_classes)

    def forward(self, x):
        return self.fc(x.mean([2, 3]))


def colour_net(pretrained=False, **options):
    return ColourNet(**options)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A folder: images of three colours, whose sides are cropped, and weights that tell them."""
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    register_model(ColourNet)(colour_net)
    rng = np.random.default_rng(0)
    for split, count in (("train", 1), ("val", 3)):
        for channel, colour in enumerate(("blue", "green", "red")):
            (tmp_path / "images" / split / colour).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (40, 300, 3), "uint8")
                pixels[:, 133:167] //= 2
                pixels[:, 133:167, 2 - channel] += 30
                image = tmp_path / "images" / split / colour / f"{number}.png"
                Image.fromarray(pixels).save(image)
    network = ColourNet()
    network.fc.weight.set_value(np.eye(3, dtype="float32")[::-1].copy())
    save_weights(network, tmp_path / "weights.pdparams")
    (tmp_path / "names.txt").write_text("blue\ngreen\nred\n")
    return tmp_path


def expected_scores(path):
    logits = prepared(path).mean([2, 3])[0].numpy()[::-1]
    return np.exp(logits) / np.exp(logits).sum()


def test_predict_with_the_preprocessing_of_the_network(run, tiny):
    paths = sorted((tiny / "images" / "val").rglob("*.png"))[::3]
    command = ["predict", "--model", "colour_net", "--weights", tiny / "weights.pdparams"]
    status, out, _ = run(*command, *TINY, *paths)
    assert status == 0
    _, named, _ = run(*command, *TINY, "--class-names", tiny / "names.txt", *paths)
    for path in paths:
        scores = expected_scores(path)
        for text, names in ((out, "012"), (named, ("blue", "green", "red"))):
            (line,) = (line for line in text.splitlines() if line.startswith(str(path)))
            shown = dict(part.split() for part in line[len(str(path)) :].split(","))
            for name, score in zip(names, scores):
                assert float(shown[name].rstrip("%")) == pytest.approx(100 * score, abs=0.1)


def test_eval_on_a_folder_of_images(run, tiny):
    """All of them, or those of its val folder."""
    paths = sorted((tiny / "images" / "val").rglob("*.png"))
    right = [
        int(np.argmax(expected_scores(path))) == label
        for path, label in zip(paths, np.repeat([0, 1, 2], 3))
    ]
    assert np.mean(right) > 0.9
    command = ["eval", "--model", "colour_net", "--weights", tiny / "weights.pdparams"]
    for folder in (tiny / "images", tiny / "images" / "val"):
        status, out, _ = run(*command, *TINY, "--data-file", folder)
        assert status == 0
        assert "folder, 9 images" in out
        printed = dict(line.split() for line in out.splitlines() if line.startswith("acc"))
        assert printed["acc_top1"] == f"{np.mean(right):.2%}"


def test_eval_on_some_of_the_classes(run, tiny, tmp_path):
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "red").symlink_to(tiny / "images" / "val" / "red")
    (tmp_path / "part" / "blue").symlink_to(tiny / "images" / "val" / "blue")
    command = ["eval", "--model", "colour_net", "--weights", tiny / "weights.pdparams"]
    command += [*TINY, "--data-file", tmp_path / "part"]
    status, _, err = run(*command)
    assert status == 2
    assert "holds 2 classes, the network has 3 outputs; name them all with --class-names" in err
    status, out, _ = run(*command, "--class-names", tiny / "names.txt")
    assert status == 0
    assert "folder, 6 images" in out
    paths = [p for c in ("blue", "red") for p in sorted((tmp_path / "part" / c).iterdir())]
    right = [
        int(np.argmax(expected_scores(path))) == label
        for path, label in zip(paths, [0, 0, 0, 2, 2, 2])
    ]
    printed = dict(line.split() for line in out.splitlines() if line.startswith("acc"))
    assert printed["acc_top1"] == f"{np.mean(right):.2%}"
    for names, message in (
        ("blue\ngreen\nred\nred\n", "4 names for the 3 classes"),
        ("blue\nred\nred\n", "2 outputs are called 'red'"),
        ("blue\ngreen\nred1\n", "unknown class 'red'; did you mean red1"),
    ):
        (tmp_path / "names").write_text(names)
        status, _, err = run(*command, "--class-names", tmp_path / "names")
        assert status == 2
        assert message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "a.png"], "give either the folder of a run or --model"),
        (["predict", "--run", "r", "--model", "oct_mobilenet_v1", "a.png"], "give either the"),
        (["predict", "--run", "r", "--alpha", ".5", "a.png"], "go with --model, not a run"),
        (["predict", "--model", "oct_mobilenet_v1", "--alpha", ".25", "a.png"], "no published"),
        (["predict", "--model", "oct_resnet50", "--weights", "no.pth", "a.png"], "no such file"),
        (
            ["predict", "--model", "oct_mobilenet_v1", "--class-names", "no.txt", "a.png"],
            "no.txt: no such file",
        ),
        (["eval"], "give either the folder of a run or --model"),
        (["eval", "--model", "oct_mobilenet_v1"], "--model needs a folder of images per class"),
    ],
)
def test_errors(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(*arguments)
    assert (status, err.count("\n")) == (2, 1)
    assert message in err


class Runs:
    """Pickles as a call of a function."""

    def __reduce__(self):
        return exec, ("open('evil', 'w')",)


def test_a_run_folder_of_somebody_else_runs_nothing(run, tmp_path, monkeypatch):
    """Neither its weights nor the state of its optimiser."""
    monkeypatch.chdir(tmp_path)
    quick = ["--limit", "20", "--epochs", "1", "-o", "scale=0.25", "--quiet"]
    assert run("train", "--run", "run", *quick)[0] == 0
    config = json.loads(Path("run/config.json").read_text())
    config["recipe"]["epochs"] = 2
    Path("run/config.json").write_text(json.dumps(config))
    checkpoint = Path("run/checkpoints/epoch-0001")
    for file in ("model.pdopt", "model.pdparams"):
        (checkpoint / file).write_bytes(pickle.dumps({"a": Runs()}))
        status, _, err = run("train", "--resume", "run", "--quiet")
        assert status == 2
        assert f"{file}: can't be read as Paddle parameters (it refers to builtins.exec" in err
        assert not Path("evil").exists()
    for command in (["eval", "run"], ["predict", "--run", "run", "a.png"]):
        status, _, err = run(*command)
        assert (status, Path("evil").exists()) == (2, False)


@pytest.mark.slow
def test_training_starts_from_weights(run, tmp_path):
    command = ["train", "--run", tmp_path / "run", "--limit", "20", "--epochs", "1", "--quiet"]
    command += ["--learning-rate", "1e-9", "-o", "scale=0.25"]
    weights = create_model("oct_mobilenet_v1", scale=0.25, num_classes=10)
    save_weights(weights, tmp_path / "start.pdparams")
    assert run(*command, "-o", f"pretrained={tmp_path / 'start.pdparams'}")[0] == 0
    (tmp_path / "start.pdparams").unlink()  # eval takes those of the run
    trained = create_model(
        "oct_mobilenet_v1",
        scale=0.25,
        num_classes=10,
        pretrained=tmp_path / "run" / "checkpoints" / "epoch-0001" / "model.pdparams",
    )
    for ours, start in zip(trained.parameters(), weights.parameters()):
        if not ours.stop_gradient:
            np.testing.assert_allclose(ours.numpy(), start.numpy(), atol=1e-6)
    assert run("eval", tmp_path / "run")[0] == 0
