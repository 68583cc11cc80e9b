"""How to train: everything about a run but the network and the data."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import paddle
from paddle import nn
from paddle.optimizer.lr import CosineAnnealingDecay, LinearWarmup, LRScheduler, MultiStepDecay

from paddle_oct.base.names import unknown_name

OPTIMIZERS = ("momentum", "sgd", "adam", "adamw")
SCHEDULES = ("cosine", "step", "constant")
AUGMENTATIONS = ("auto", "none", "crop", "crop+flip")
AMP_LEVELS = ("O0", "O1", "O2")


def _option(default: Any, text: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True)
class Recipe:
    """The settings of a training run; each field's metadata says what it means.

    Raises:
        TypeError, ValueError: at construction, for a value that is out of range.

    Examples:
        >>> from paddle_oct.training import Recipe
        >>> Recipe(epochs=20, optimizer="admw")
        Traceback (most recent call last):
        ValueError: unknown recipe optimizer 'admw'; did you mean adamw or adam?
    """

    epochs: int = _option(8, "passes over the training set")
    batch_size: int = _option(16, "images in a step")
    optimizer: str = _option("momentum", "the update rule", OPTIMIZERS)
    learning_rate: float = _option(0.02, "the highest learning rate")
    schedule: str = _option(
        "cosine",
        "how the learning rate falls; step: to a tenth after 1/2 and again after 3/4 of the run",
        SCHEDULES,
    )
    warmup_epochs: float = _option(1.0, "first epochs, in which the learning rate rises from 0")
    momentum: float = _option(0.9, "momentum of the optimizer 'momentum'")
    weight_decay: float = _option(1e-4, "L2 penalty (decoupled in adamw)")
    label_smoothing: float = _option(0.0, "share of the target spread over all classes")
    augmentation: str = _option(
        "auto", "augmentation of training images; auto: the data set's own", AUGMENTATIONS
    )
    amp: str = _option("O0", "automatic mixed precision, Paddle's level", AMP_LEVELS)
    seed: int = _option(0, "seed of the weights, the order and the augmentation")
    workers: int = _option(0, "processes that load images; 0: the training process itself")

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):
            self._check_type(spec)
        self._check("epochs", self.epochs >= 1, "at least 1")
        self._check("batch_size", self.batch_size >= 1, "at least 1")
        self._check("learning_rate", 0 < self.learning_rate < math.inf, "positive")
        self._check("warmup_epochs", 0 <= self.warmup_epochs <= self.epochs, "in [0, epochs]")
        self._check("momentum", 0 <= self.momentum < 1, "in [0, 1)")
        self._check("weight_decay", 0 <= self.weight_decay < math.inf, "at least 0")
        self._check("label_smoothing", 0 <= self.label_smoothing < 1, "in [0, 1)")
        self._check("seed", 0 <= self.seed < 2**31, "in [0, 2**31)")
        self._check("workers", self.workers >= 0, "at least 0")

    def _check_type(self, spec: dataclasses.Field) -> None:
        value = getattr(self, spec.name)
        wanted = {"int": int, "float": (int, float), "str": str}[str(spec.type)]
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise TypeError(f"recipe: {spec.name} must be of type {spec.type}, got {value!r}")
        choices = spec.metadata["choices"]
        if choices and value not in choices:
            raise unknown_name(value, choices, f"recipe {spec.name}")

    def _check(self, name: str, ok: bool, allowed: str) -> None:
        if not ok:
            raise ValueError(f"recipe: {name} must be {allowed}, got {getattr(self, name)!r}")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """Return the recipe of a dictionary such as ``dataclasses.asdict`` makes.

        Raises:
            ValueError: a key is not a field of the recipe.
        """
        known = [spec.name for spec in dataclasses.fields(cls)]
        for key in values:
            if key not in known:
                raise unknown_name(key, known, "recipe field")
        return cls(**values)

    def make_schedule(self, steps_per_epoch: int) -> LRScheduler | float:
        """Return the learning rate for ``paddle.optimizer``, stepped after every batch."""
        total = self.epochs * steps_per_epoch
        warmup = round(self.warmup_epochs * steps_per_epoch)
        rate: LRScheduler | float = self.learning_rate
        if self.schedule == "cosine":
            rate = CosineAnnealingDecay(rate, T_max=max(1, total - warmup))
        elif self.schedule == "step":
            milestones = [max(1, round(total * part) - warmup) for part in (0.5, 0.75)]
            rate = MultiStepDecay(rate, milestones=milestones)
        if warmup:
            rate = LinearWarmup(rate, warmup, start_lr=0.0, end_lr=self.learning_rate)
        return rate

    def make_optimizer(self, network: nn.Layer, steps_per_epoch: int) -> paddle.optimizer.Optimizer:
        """Return the optimiser of a network's parameters."""
        arguments = {
            "learning_rate": self.make_schedule(steps_per_epoch),
            "parameters": network.parameters(),
            "weight_decay": self.weight_decay,
        }
        if self.optimizer == "momentum":
            return paddle.optimizer.Momentum(momentum=self.momentum, **arguments)
        optimizers = {
            "sgd": paddle.optimizer.SGD,
            "adam": paddle.optimizer.Adam,
            "adamw": paddle.optimizer.AdamW,
        }
        return optimizers[self.optimizer](**arguments)

    def make_loss(self) -> nn.Layer:
        """Return the loss, cross-entropy with label smoothing."""
        return nn.CrossEntropyLoss(label_smoothing=self.label_smoothing)
