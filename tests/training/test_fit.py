import csv
import dataclasses
import inspect
import json
import re
import shutil
import threading
import warnings
from types import SimpleNamespace

import numpy as np
import paddle
import pytest
from helpers import classifier
from paddle import nn
from PIL import Image
from visualdl import LogReader

from paddle_oct import OctMobileNetV1
from paddle_oct.models import model_options
from paddle_oct.training import (
    Recipe,
    RunFolder,
    evaluate,
    fit,
    load_data,
    load_network,
    predict_images,
    predict_logits,
    read_scalars,
    resume,
    train,
)
from paddle_oct.weights import load_weights

RECIPE = Recipe(epochs=3, batch_size=16, learning_rate=0.02, warmup_epochs=0.5)


def small_network():
    paddle.seed(1)
    return classifier()


def by_name(epochs):
    """The arguments of ``train`` for a small training of an Oct-MobileNetV1."""
    return {
        "recipe": Recipe(epochs=epochs, batch_size=8),
        "model_options": {"scale": 0.25},
        "data_options": {"limit": 24, "image_size": 32},
        "verbose": 0,
    }


@pytest.fixture(scope="module")
def data():
    return load_data("digits", image_size=16, limit=70)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, data):
    network = small_network()
    return fit(network, data, RECIPE, tmp_path_factory.mktemp("run") / "a", verbose=0), network


@pytest.fixture
def without_graph(monkeypatch):
    """Leave out the picture of the network, which takes longer than a short run itself."""
    monkeypatch.setattr("paddle_oct.training.callbacks.add_graph", lambda *arguments: None)


class StopIn(paddle.callbacks.Callback):
    """Break a run in the middle of an epoch, as Ctrl-C does."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_train_batch_end(self, step, logs=None):
        if self.epoch == 0 and step == 2:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs=None):
        self.epoch -= 1


def interrupt_in(monkeypatch, epoch):
    """Make the next ``paddle.Model.fit`` stop in this epoch, counted from 0."""
    original = paddle.Model.fit

    def interrupted(self, *args, callbacks, **kwargs):
        monkeypatch.setattr(paddle.Model, "fit", original)
        return original(self, *args, callbacks=[*callbacks, StopIn(epoch)], **kwargs)

    monkeypatch.setattr(paddle.Model, "fit", interrupted)


def files(folder):
    """Return the names of the files in a run's folder, without the times in some of them."""
    names = (str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    return sorted(re.sub(r"\d{10}", "TIME", name) for name in names)


def without_speed(history):
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in history]


def test_a_run_leaves_its_folder(finished, data):
    result, network = finished
    config = json.loads((result.run.path / "config.json").read_text())
    assert config["network"] == "Sequential"
    assert config["recipe"]["learning_rate"] == 0.02
    assert config["classes"] == list("0123456789")
    with open(result.run.history_path) as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    assert rows == result.history
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    picture = np.asarray(Image.open(result.run.curves_path).convert("RGB"))
    assert picture.std() > 5  # something is drawn
    weights = paddle.load(str(result.run.last.weights))
    for key, value in network.state_dict().items():
        np.testing.assert_array_equal(weights[key].numpy(), value.numpy())


def test_the_history_holds_means_over_all_images(finished, data):
    # The test set's 70 images are no multiple of the batch size: a mean of batches would differ.
    result, network = finished
    network.eval()
    inputs = paddle.to_tensor(np.stack([x for x, _ in data.test_set()]))
    labels = np.array([label for _, label in data.test_set()])
    with paddle.no_grad():
        logits = network(inputs).numpy().astype("float64")
    logits -= logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(70), labels]
    order = np.argsort(-logits, axis=1)
    last = result.history[-1]
    assert last["eval_loss"] == pytest.approx(losses.mean(), rel=1e-4)
    assert last["eval_acc_top1"] == pytest.approx((order[:, 0] == labels).mean(), abs=1e-6)
    top5 = (order[:, :5] == labels[:, None]).any(axis=1)
    assert last["eval_acc_top5"] == pytest.approx(top5.mean(), abs=1e-6)

    again = evaluate(network, data, batch_size=9)
    assert again["loss"] == pytest.approx(losses.mean(), rel=1e-4)
    assert again["acc_top1"] == pytest.approx(last["eval_acc_top1"], abs=1e-6)
    assert again["acc_top5"] == pytest.approx(last["eval_acc_top5"], abs=1e-6)
    np.testing.assert_array_equal(predict_logits(network, data)[1], labels)


def test_visualdl_has_the_curves_and_the_graph(finished):
    result, _ = finished
    scalars = read_scalars(result.run.visualdl_path)
    steps = 3 * 4  # 70 images make four whole batches of 16
    for tag in ("train/loss", "train/acc_top1", "train/acc_top5", "train/learning_rate"):
        assert [step for step, _ in scalars[tag]] == list(range(1, steps + 1))
    for column in ("loss", "acc_top1", "acc_top5"):
        expected = {i: row[f"eval_{column}"] for i, row in enumerate(result.history)}
        assert dict(scalars[f"eval/{column}"]) == pytest.approx(expected, rel=1e-4)
    speeds = [value for _, value in scalars["train/images_per_second"]]
    assert speeds == pytest.approx([r["images_per_second"] for r in result.history], rel=1e-4)
    rates = [value for _, value in scalars["train/learning_rate"]]
    expected = [0, 0.01] + [0.01 * (1 + np.cos(np.pi * i / 10)) for i in range(10)]
    assert rates == pytest.approx(expected, rel=1e-4, abs=1e-9)
    (record,) = result.run.visualdl_path.glob("vdlrecords*")
    assert "train/loss" in LogReader(file_path=str(record)).get_tags()["scalar"]
    (graph,) = result.run.visualdl_path.glob("vdlgraph*")
    assert b"conv2d" in graph.read_bytes()


@pytest.mark.parametrize("epoch", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_a_resumed_run_equals_an_uninterrupted_one(finished, data, tmp_path, monkeypatch, epoch):
    interrupt_in(monkeypatch, epoch)
    with pytest.raises(KeyboardInterrupt):
        fit(small_network(), data, RECIPE, tmp_path / "run", verbose=0)
    network = small_network()
    result = fit(network, data, RECIPE, tmp_path / "run", resume=True, verbose=0)
    whole, uninterrupted = finished
    assert without_speed(result.history) == without_speed(whole.history)
    for key, value in uninterrupted.state_dict().items():
        np.testing.assert_array_equal(network.state_dict()[key].numpy(), value.numpy())
    assert len(list(result.run.visualdl_path.glob("vdlrecords*"))) == 1  # the same file
    last = dict(read_scalars(result.run.visualdl_path)["train/loss"])
    assert sorted(last) == list(range(1, 13))
    assert last == pytest.approx(
        dict(read_scalars(whole.run.visualdl_path)["train/loss"]), rel=1e-5
    )
    assert files(result.run.path) == files(whole.run.path)


def test_the_record_of_a_resumed_run_has_every_step_once(finished, data, tmp_path, monkeypatch):
    interrupt_in(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        fit(small_network(), data, RECIPE, tmp_path / "run", verbose=0)
    result = fit(small_network(), data, RECIPE, tmp_path / "run", resume=True, verbose=0)
    scalars, expected = (read_scalars(r.run.visualdl_path) for r in (result, finished[0]))
    speed = "train/images_per_second"
    assert [step for step, _ in scalars.pop(speed)] == [step for step, _ in expected.pop(speed)]
    assert scalars == expected


def test_an_interrupt_that_locks_the_record_for_ever(data, tmp_path, monkeypatch):
    lock = threading.Lock()
    monkeypatch.setattr("visualdl.LogWriter.close", lambda self: lock.acquire())
    monkeypatch.setattr("paddle_oct.training.callbacks._PATIENCE", 0.1)
    interrupt_in(monkeypatch, 0)
    with lock, pytest.raises(KeyboardInterrupt):
        fit(small_network(), data, RECIPE, tmp_path / "run", verbose=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: record[:-3], "ends within a record"),
        (lambda record: record + b"\1", "ends within a record"),
        (lambda record: record + b"\xff" * 7 + b"\x7f", "ends within a record"),
        (lambda record: b"\3" + bytes(7) + b"abc", "is no VisualDL record"),
    ],
)
def test_a_damaged_record_is_named(finished, tmp_path, change, message):
    (record,) = finished[0].run.visualdl_path.glob("vdlrecords*")
    (tmp_path / record.name).write_bytes(change(record.read_bytes()))
    with pytest.raises(ValueError, match=rf"{record.name} .*{message}"):
        read_scalars(tmp_path)


def test_a_complete_run_is_mended(finished, data, tmp_path):
    # As if the process had been killed between the last checkpoint and what follows it.
    whole, _ = finished
    folder = tmp_path / "run"
    shutil.copytree(whole.run.path, folder)
    run = RunFolder(folder)
    lines = run.history_path.read_text().splitlines(keepends=True)
    run.history_path.write_text("".join(lines[:-1]))
    run.curves_path.unlink()
    shutil.copytree(run.last.folder, run.checkpoints_path / "epoch-0000")
    with pytest.raises(ValueError, match=r"is complete \(3 of 3 epochs\)"):
        fit(small_network(), data, RECIPE, folder, resume=True, verbose=0)
    assert run.history_path.read_text() == "".join(lines)
    assert run.curves_path.read_bytes() == whole.run.curves_path.read_bytes()
    assert files(folder) == files(whole.run.path)


def test_a_start_that_was_cut_short_is_resumed_as_a_start(data, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".config.json.5.partial").write_text("{")
    recipe = Recipe(epochs=1)
    fit(small_network(), data, recipe, tmp_path / "run", resume=True, verbose=0)
    assert ".config.json.5.partial" not in files(tmp_path / "run")
    with pytest.raises(ValueError, match="holds no run"):
        fit(small_network(), data, recipe, tmp_path / "nowhere", resume=True, verbose=0)


def test_a_run_is_resumed_where_names_were_used_before(finished, data, tmp_path, monkeypatch):
    interrupt_in(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        fit(small_network(), data, RECIPE, tmp_path / "run", verbose=0)
    network = small_network()
    for parameter in network.parameters():  # as an optimiser of the same names would
        paddle.utils.unique_name.generate(f"{parameter.name}_velocity")
    fit(network, data, RECIPE, tmp_path / "run", resume=True, verbose=0)
    for key, value in finished[1].state_dict().items():
        np.testing.assert_array_equal(network.state_dict()[key].numpy(), value.numpy())


def test_the_loss_scaling_is_resumed(data, tmp_path, monkeypatch):
    # On a CPU the scaling is off; as if this were a GPU, with one that changes every third step:
    gpu = SimpleNamespace(_expected_place=SimpleNamespace(is_gpu_place=lambda: True))
    monkeypatch.setattr("paddle.amp.grad_scaler._dygraph_tracer", lambda: gpu)
    defaults = (True, 2.0**10, 1.5, 0.5, 3)
    monkeypatch.setattr(paddle.amp.GradScaler.__init__, "__defaults__", (*defaults, 1, True))
    recipe = dataclasses.replace(RECIPE, amp="O1")
    whole = fit(small_network(), data, recipe, tmp_path / "whole", verbose=0)
    interrupt_in(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        fit(small_network(), data, recipe, tmp_path / "run", verbose=0)
    again = fit(small_network(), data, recipe, tmp_path / "run", resume=True, verbose=0)
    expected, scaler = (
        paddle.load(f"{result.run.last.prefix}.pdscaler") for result in (whole, again)
    )
    assert scaler == expected
    assert (scaler["incr_count"], float(scaler["scale"][0])) == (0, 2.0**10 * 1.5**4)  # 12 steps
    assert without_speed(again.history) == without_speed(whole.history)


def test_an_optimiser_without_a_state_is_resumed(data, tmp_path, monkeypatch):
    recipe = Recipe(epochs=2, optimizer="sgd", schedule="constant", warmup_epochs=0)
    interrupt_in(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        fit(small_network(), data, recipe, tmp_path / "run", verbose=0)
    assert not list((tmp_path / "run").rglob("*.pdopt"))
    result = fit(small_network(), data, recipe, tmp_path / "run", resume=True, verbose=0)
    assert len(result.history) == 2


def test_the_seed_decides(finished, data, tmp_path):
    whole, _ = finished
    same = fit(small_network(), data, RECIPE, tmp_path / "same", verbose=0)
    assert without_speed(same.history) == without_speed(whole.history)
    other = Recipe(**{**RECIPE.__dict__, "seed": 5})
    different = fit(small_network(), data, other, tmp_path / "other", verbose=0)
    assert without_speed(different.history) != without_speed(whole.history)


def test_mixed_precision_trains(data, tmp_path):
    recipe = Recipe(epochs=1, batch_size=16, amp="O1")
    history = fit(small_network(), data, recipe, tmp_path / "run", verbose=0).history
    assert np.isfinite(history[0]["train_loss"])


def test_by_name_and_back(tmp_path, without_graph):
    run_dir = tmp_path / "run"
    options = {"scale": 0.25, "alpha": 0.25}
    result = train(
        "oct_mobilenet_v1",
        recipe=Recipe(epochs=1, batch_size=16),
        run_dir=run_dir,
        model_options=options,
        data_options={"limit": 40},
        verbose=0,
    )
    with pytest.raises(ValueError, match=r"is complete \(1 of 1 epochs\)"):
        resume(run_dir, verbose=0)
    run = RunFolder.open(run_dir)
    network = load_network(run, run.best.weights)
    data = load_data("digits", limit=40)
    assert evaluate(network, data)["acc_top1"] == pytest.approx(result.best_accuracy, abs=1e-6)

    # An image file must give what the same image gives within the data set.
    image, _ = data.test[3]
    image.save(tmp_path / "digit.png")
    logits, _ = predict_logits(network, data)
    shifted = np.exp(logits[3] - logits[3].max())
    probabilities = predict_images(network, [tmp_path / "digit.png"], data.preprocessing)
    np.testing.assert_allclose(probabilities[0], shifted / shifted.sum(), rtol=1e-4, atol=1e-7)


def test_testing_and_predicting_leave_every_layer_in_its_mode(data, tmp_path):
    network = small_network()
    network[2].eval()  # the dropout alone
    image, _ = data.test[0]
    image.save(tmp_path / "digit.png")
    for use in (
        lambda: evaluate(network, data),
        lambda: predict_logits(network, data),
        lambda: predict_images(network, [tmp_path / "digit.png"], data.preprocessing),
    ):
        use()
        modes = [layer.training for layer in network]
        assert modes == [True, True, False, True, True, True]


@pytest.mark.slow
def test_a_vanilla_network_is_trained_the_same_way(tmp_path, without_graph):
    result = train(
        "mobilenet_v1",
        recipe=Recipe(epochs=1, batch_size=16),
        run_dir=tmp_path / "run",
        model_options={"scale": 0.25},
        data_options={"limit": 40},
        verbose=0,
    )
    assert type(load_network(result.run, result.run.best.weights)).__name__ == "MobileNetV1"


def test_a_network_of_ones_own_cannot_be_made_by_name(finished):
    result, _ = finished
    with pytest.raises(ValueError, match="with a network of its user's"):
        load_network(result.run)


def test_a_run_that_stopped_in_its_first_epoch_starts_again(tmp_path, monkeypatch, without_graph):
    arguments = by_name(2)
    whole = train("oct_mobilenet_v1", run_dir=tmp_path / "whole", **arguments)
    interrupt_in(monkeypatch, 0)
    with pytest.raises(KeyboardInterrupt):
        train("oct_mobilenet_v1", run_dir=tmp_path / "stopped", **arguments)
    assert RunFolder.open(tmp_path / "stopped").last is None
    paddle.rand([5])  # whatever the next process has drawn before
    again = resume(tmp_path / "stopped", verbose=0)
    assert without_speed(again.history) == without_speed(whole.history)


def test_the_same_call_again_resumes_the_run(tmp_path, monkeypatch, without_graph):
    arguments = {**by_name(2), "run_dir": tmp_path / "run"}
    interrupt_in(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        train("oct_mobilenet_v1", **arguments)
    config = (tmp_path / "run" / "config.json").read_text()
    options = json.loads(config)["model_options"]
    assert (options["scale"], options["alpha"], options["num_classes"]) == (0.25, 0.5, 10)
    other = {**arguments, "recipe": Recipe(epochs=3, batch_size=8)}
    with pytest.raises(ValueError, match="already holds a run"):
        train("oct_mobilenet_v1", **other)
    assert len(train("oct_mobilenet_v1", **arguments).history) == 2
    assert (tmp_path / "run" / "config.json").read_text() == config
    with pytest.raises(ValueError, match="is complete"):
        train("oct_mobilenet_v1", **arguments)


def test_an_old_run_keeps_its_network_when_defaults_change(tmp_path, monkeypatch, without_graph):
    arguments = {**by_name(1), "run_dir": tmp_path / "run"}
    run = train("oct_mobilenet_v1", **arguments).run
    expected = sorted(load_network(run, run.best.weights).state_dict())
    original = OctMobileNetV1.__init__
    signature = inspect.signature(original)

    def changed(self, *args, alpha=0.25, **options):
        original(self, *args, alpha=alpha, **options)

    parameters = [
        p.replace(default=0.25) if p.name == "alpha" else p for p in signature.parameters.values()
    ]
    changed.__signature__ = signature.replace(parameters=parameters)
    monkeypatch.setattr(OctMobileNetV1, "__init__", changed)
    assert model_options("oct_mobilenet_v1")["alpha"] == 0.25
    network = load_network(run, run.best.weights)
    assert sorted(network.state_dict()) == expected
    assert network.alphas[0] == 0.5


class ThreeOutputs(nn.Layer):
    def forward(self, x):
        return [x, x, x]


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(7, 10)), r"can't take images of \[1, 3, 16, 16\]"),
        (nn.Sequential(nn.Flatten(), nn.Linear(768, 9)), r"into \[1, 10\] .*got \[1, 9\]"),
        (ThreeOutputs(), "ThreeOutputs must turn .* got list"),
    ],
)
def test_a_network_that_does_not_fit_the_data_is_refused(data, tmp_path, network, message):
    with pytest.raises(ValueError, match=message) as caught:
        fit(network, data, RECIPE, tmp_path / "run", verbose=0)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_diverging_run_stops_and_keeps_its_checkpoint(data, tmp_path):
    recipe = Recipe(
        epochs=4, batch_size=16, learning_rate=1e30, schedule="constant", warmup_epochs=0
    )
    with pytest.raises(
        FloatingPointError, match=r"the loss in epoch 1, step \d+ is .* lower the learning rate"
    ):
        fit(small_network(), data, recipe, tmp_path / "run", verbose=0)


class NaNInEvaluation(nn.Layer):
    """Fine in training, as a network whose running statistics have gone astray."""

    def __init__(self):
        super().__init__()
        self.body = small_network()

    def forward(self, x):
        y = self.body(x)
        return y if self.training or x.shape[0] == 1 else y * float("nan")


def test_a_network_that_is_nan_in_evaluation(data, tmp_path):
    message = r"the loss on the test set after epoch 1 is nan; lower the learning rate"
    with pytest.raises(FloatingPointError, match=message):
        fit(NaNInEvaluation(), data, RECIPE, tmp_path / "run", verbose=0)
    assert RunFolder.open(tmp_path / "run").last is None
    assert np.isnan(evaluate(NaNInEvaluation(), data)["loss"])  # which only measures


def test_a_network_that_cannot_be_drawn_is_trained_all_the_same(data, tmp_path):
    class Untraceable(nn.Layer):
        def __init__(self):
            super().__init__()
            self.body = small_network()

        def forward(self, x):
            if not paddle.in_dynamic_mode():
                raise NotImplementedError
            return self.body(x)

    with pytest.warns(UserWarning, match="graph of the network could not be drawn"):
        result = fit(Untraceable(), data, Recipe(epochs=1), tmp_path / "run", verbose=0)
    assert len(result.history) == 1
    assert paddle.in_dynamic_mode()


def test_a_run_is_never_overwritten(finished, data):
    result, _ = finished
    before = sorted((p, p.stat().st_mtime_ns) for p in result.run.path.rglob("*"))
    with pytest.raises(ValueError, match="already holds a run"):
        fit(small_network(), data, RECIPE, result.run.path, verbose=0)
    with pytest.raises(ValueError, match="is complete"):
        fit(small_network(), data, RECIPE, result.run.path, resume=True, verbose=0)
    assert sorted((p, p.stat().st_mtime_ns) for p in result.run.path.rglob("*")) == before


def test_resuming_with_another_network_is_refused(data, tmp_path, monkeypatch):
    interrupt_in(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        fit(small_network(), data, RECIPE, tmp_path / "run", verbose=0)
    other = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 10))
    with pytest.raises(ValueError, match="belongs to another network"):
        fit(other, data, RECIPE, tmp_path / "run", resume=True, verbose=0)


def test_weights_of_another_network_are_refused(finished, tmp_path):
    result, network = finished
    weights = result.run.last.weights
    wider = nn.Sequential(*list(small_network())[:5], nn.Linear(8, 11))
    before = wider[5].weight.numpy().copy()
    with pytest.raises(ValueError, match=r"5\.weight is \[8, 10\] in place of \[8, 11\]"):
        load_weights(wider, weights)
    np.testing.assert_array_equal(wider[5].weight.numpy(), before)
    with pytest.raises(ValueError, match=r"missing weight.*left over"):
        load_weights(nn.Linear(2, 2), weights)
    truncated = tmp_path / "truncated.pdparams"
    for length in (0, 1, 50, weights.stat().st_size - 1):
        truncated.write_bytes(weights.read_bytes()[:length])
        with pytest.raises(ValueError, match=r"truncated\.pdparams"):
            load_weights(network, truncated)
    with pytest.raises(ValueError, match="no such file"):
        load_weights(network, tmp_path / "nothing")


def test_no_warning_of_ours(data, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", module=r"paddle\.|visualdl")
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        fit(small_network(), data, Recipe(epochs=1), tmp_path / "run", verbose=0)
