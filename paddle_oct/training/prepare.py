"""Preparing a network for training by a recipe, in a ``paddle.Model``."""

from __future__ import annotations

import paddle
from paddle import nn
from paddle.static import InputSpec

from paddle_oct.base.errors import first_line
from paddle_oct.base.modes import kept_modes

from .data import ImageData
from .processes import allow_further_training
from .recipe import Recipe
from .scores import Scores


def prepare(
    network: nn.Layer,
    data: ImageData,
    recipe: Recipe,
    steps: int = 1,
    scores: Scores | None = None,
) -> paddle.Model:
    """Wrap a network in a ``paddle.Model`` that trains by the recipe and counts accuracies.

    Args:
        network: any network that turns ``[N, 3, H, W]`` into ``[N, classes]``.
        data: its data set.
        recipe: how to train.
        steps: the number of batches in an epoch, for the schedule of the learning rate.
        scores: what counts the accuracies, to read it; by default one of its own.
    """
    size = data.preprocessing.size
    model = paddle.Model(
        network,
        inputs=[InputSpec([None, 3, size, size], "float32", "image")],
        labels=[InputSpec([None], "int64", "label")],
    )
    model.prepare(
        recipe.make_optimizer(network, steps),
        recipe.make_loss(),
        scores or measured(data, recipe),
        amp_configs=recipe.amp,
    )
    allow_further_training(model)
    return model


def measured(data: ImageData, recipe: Recipe) -> Scores:
    """Return what counts the losses and accuracies of a training by the recipe."""
    return Scores(len(data.classes), recipe.make_loss("none"))


def check_output(network: nn.Layer, data: ImageData) -> None:
    """Run a network on one blank image, before a run is started that could not succeed.

    Raises:
        ValueError: it can't take the data set's images, or does not return a row of classes.
    """
    name, size = type(network).__name__, data.preprocessing.size
    shape = [1, 3, size, size]
    try:
        with kept_modes(network, training=False), paddle.no_grad():
            output = network(paddle.zeros(shape))
    except Exception as error:  # a user's network may raise anything
        raise ValueError(f"{name} can't take images of {shape}: {first_line(error)}") from error
    wanted = [1, len(data.classes)]
    if not isinstance(output, paddle.Tensor) or list(output.shape) != wanted:
        got = list(output.shape) if isinstance(output, paddle.Tensor) else type(output).__name__
        raise ValueError(f"{name} must turn {shape} into {wanted} for {data.name}, got {got}")
