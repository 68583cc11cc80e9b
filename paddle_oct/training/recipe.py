"""How to train: everything about a run but the network and the data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from reprlib import repr as short
from typing import Any, Literal

import paddle
from paddle import nn
from paddle.optimizer.lr import CosineAnnealingDecay, LinearWarmup, LRScheduler, MultiStepDecay

from paddle_oct.base.names import unknown_name

OPTIMIZERS = ("momentum", "sgd", "adam", "adamw")
SCHEDULES = ("cosine", "step", "constant")
AUGMENTATIONS = ("auto", "none", "crop", "crop+flip")
AMP_LEVELS = ("O0", "O1", "O2")

_MOST = 1_000_000
_MOST_WORKERS = 1024
_LARGEST = 3.4e38  # of float32
_TYPES = {"int": int, "float": (int, float), "str": str, "bool": bool}


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
    batch_size: int = _option(16, "images in a step; of several processes each takes as many")
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
    sync_batch_norm: bool = _option(
        False, "normalise over the images of all processes at once, which needs GPUs"
    )

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):
            self._check_type(spec)
        self._check("epochs", 1 <= self.epochs <= _MOST, f"in [1, {_MOST}]")
        self._check("batch_size", 1 <= self.batch_size <= _MOST, f"in [1, {_MOST}]")
        self._check("learning_rate", 0 < self.learning_rate < _LARGEST, f"in (0, {_LARGEST:g})")
        self._check("warmup_epochs", 0 <= self.warmup_epochs <= self.epochs, "in [0, epochs]")
        self._check("momentum", 0 <= self.momentum < 1, "in [0, 1)")
        self._check("weight_decay", 0 <= self.weight_decay < _LARGEST, f"in [0, {_LARGEST:g})")
        self._check("label_smoothing", 0 <= self.label_smoothing < 1, "in [0, 1)")
        self._check("seed", 0 <= self.seed < 2**31, "in [0, 2**31)")
        self._check("workers", 0 <= self.workers <= _MOST_WORKERS, f"in [0, {_MOST_WORKERS}]")

    def _check_type(self, spec: dataclasses.Field) -> None:
        value = getattr(self, spec.name)
        kind = str(spec.type)
        if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "bool"):
            raise TypeError(f"recipe: {spec.name} must be of type {kind}, got {short(value)}")
        choices = spec.metadata["choices"]
        if choices and value not in choices:
            raise unknown_name(str(value), choices, f"recipe {spec.name}")

    def _check(self, name: str, ok: bool, allowed: str) -> None:
        if not ok:
            raise ValueError(f"recipe: {name} must be {allowed}, got {short(getattr(self, name))}")

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

    def make_loss(self, reduction: Literal["mean", "none"] = "mean") -> nn.Layer:
        """Return the loss, cross-entropy with label smoothing: its mean, or that of each image."""
        return nn.CrossEntropyLoss(reduction=reduction, label_smoothing=self.label_smoothing)
