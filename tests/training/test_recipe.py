import dataclasses
import math

import paddle
import pytest

from paddle_oct.training import Recipe


def rates(recipe, steps_per_epoch):
    """The learning rate of every step of a run."""
    scheduler = recipe.make_schedule(steps_per_epoch)
    values = []
    for _ in range(recipe.epochs * steps_per_epoch):
        values.append(scheduler() if callable(scheduler) else scheduler)
        if callable(scheduler):
            scheduler.step()
    return values


def test_cosine_after_linear_warmup():
    recipe = Recipe(epochs=5, learning_rate=0.4, warmup_epochs=1)
    expected = [0.4 * step / 10 for step in range(10)]
    expected += [0.2 * (1 + math.cos(math.pi * step / 40)) for step in range(40)]
    assert rates(recipe, 10) == pytest.approx(expected, rel=1e-5)


def test_step_schedule_falls_after_a_half_and_three_quarters_of_the_run():
    recipe = Recipe(epochs=4, learning_rate=1.0, warmup_epochs=1, schedule="step")
    expected = [step / 10 for step in range(10)] + [1.0] * 10 + [0.1] * 10 + [0.01] * 10
    assert rates(recipe, 10) == pytest.approx(expected, rel=1e-5)


def test_constant_schedule():
    assert rates(Recipe(epochs=2, schedule="constant", warmup_epochs=0), 3) == [0.02] * 6


@pytest.mark.parametrize(
    ("optimizer", "name"),
    [("momentum", "Momentum"), ("sgd", "SGD"), ("adam", "Adam"), ("adamw", "AdamW")],
)
def test_optimizers(optimizer, name):
    built = Recipe(optimizer=optimizer, warmup_epochs=0, schedule="constant").make_optimizer(
        paddle.nn.Linear(2, 2), 1
    )
    assert type(built).__name__ == name
    assert built.get_lr() == 0.02


def test_weight_decay_and_momentum_reach_the_update():
    # One step of momentum from rest: w - rate * (gradient + decay * w), twice with momentum.
    layer = paddle.nn.Linear(1, 1, bias_attr=False)
    layer.weight.set_value(paddle.ones([1, 1]))
    recipe = Recipe(schedule="constant", warmup_epochs=0, learning_rate=0.1, weight_decay=0.5)
    optimizer = recipe.make_optimizer(layer, 1)
    weight, velocity = 1.0, 0.0
    for _ in range(2):
        layer(paddle.full([1, 1], 2.0)).sum().backward()
        optimizer.step()
        optimizer.clear_grad()
        velocity = 0.9 * velocity + 2.0 + 0.5 * weight
        weight -= 0.1 * velocity
    assert float(layer.weight) == pytest.approx(weight, rel=1e-5)


def test_label_smoothing_reaches_the_loss():
    loss = Recipe(label_smoothing=0.1).make_loss()
    logits = paddle.to_tensor([[2.0, 0.0]])
    p = [math.exp(2) / (math.exp(2) + 1), 1 / (math.exp(2) + 1)]
    expected = -(0.95 * math.log(p[0]) + 0.05 * math.log(p[1]))
    assert float(loss(logits, paddle.to_tensor([0]))) == pytest.approx(expected, rel=1e-5)


def test_round_trip():
    recipe = Recipe(epochs=3, amp="O1")
    assert Recipe.from_dict(dataclasses.asdict(recipe)) == recipe


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"epochs": 0}, ValueError, r"epochs must be in \[1, 1000000\], got 0"),
        ({"epochs": 10**20}, ValueError, "epochs must be in"),
        ({"epochs": 1.5}, TypeError, "epochs must be of type int, got 1.5"),
        ({"epochs": True}, TypeError, "epochs must be of type int"),
        ({"batch_size": -1}, ValueError, "batch_size"),
        ({"batch_size": 10**20}, ValueError, "batch_size"),
        (
            {"learning_rate": math.nan},
            ValueError,
            r"learning_rate must be in \(0, 3.4e\+38\), got nan",
        ),
        ({"learning_rate": 10**400}, ValueError, "learning_rate must be in .* got 1000.{,60}$"),
        ({"learning_rate": "0.1"}, TypeError, "learning_rate must be of type float"),
        ({"warmup_epochs": 9}, ValueError, "warmup_epochs must be in"),
        ({"momentum": 1}, ValueError, "momentum"),
        ({"weight_decay": -0.1}, ValueError, "weight_decay"),
        ({"label_smoothing": 1.0}, ValueError, "label_smoothing"),
        ({"optimizer": "adma"}, ValueError, "'adma'; did you mean adam"),
        ({"schedule": "cosin"}, ValueError, "did you mean cosine"),
        ({"augmentation": "flip"}, ValueError, "unknown recipe augmentation 'flip'"),
        ({"amp": "O3"}, ValueError, "unknown recipe amp 'O3'"),
        ({"seed": -1}, ValueError, "seed"),
        ({"workers": -1}, ValueError, "workers"),
        ({"workers": 10**20}, ValueError, r"workers must be in \[0, 1024\]"),
        ({"sync_batch_norm": 1}, TypeError, "sync_batch_norm must be of type bool, got 1"),
    ],
)
def test_a_wrong_value_is_named(values, error, message):
    with pytest.raises(error, match=message):
        Recipe(**values)


def test_an_unknown_field_is_named():
    with pytest.raises(ValueError, match="'lr'"):
        Recipe.from_dict({"lr": 0.1})
