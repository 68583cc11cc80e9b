"""Runs whose network and data set have names, so that both can be built again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, cast

import paddle
from paddle import nn

from paddle_oct.models import create_model
from paddle_oct.weights import load_weights

from .data import DataOptions, ImageData, load_data
from .fit import Result, fit
from .recipe import Recipe
from .run_folder import Origin, RunFolder

if TYPE_CHECKING:
    from typing_extensions import Unpack


def train(
    model: str,
    data: str = "digits",
    recipe: Recipe | None = None,
    run_dir: str | Path = "run",
    *,
    model_options: Mapping[str, Any] | None = None,
    data_options: Mapping[str, Any] | None = None,
    verbose: int = 1,
) -> Result:
    """Train a network by name on a data set by name; the run can be resumed from its folder alone.

    Args:
        model: a name that :func:`paddle_oct.create_model` knows.
        data: a name that :func:`load_data` knows.
        recipe: how to train.
        run_dir: the folder that the run is written to.
        model_options: options of the network, such as ``{"alpha": 0.25}``.
        data_options: options of the data set, such as ``{"limit": 1000}``.
        verbose: as in :func:`fit`.

    Returns:
        As :func:`fit`.

    Raises:
        ValueError: a name or an option is unknown, or as in :func:`fit`.
    """
    recipe = recipe or Recipe()
    origin: Origin = {
        "model": model,
        "model_options": dict(model_options or {}),
        "data": data,
        "data_options": cast("DataOptions", dict(data_options or {})),
    }
    images = load_data(data, **origin["data_options"])
    paddle.seed(recipe.seed)
    network = create_model(model, **{"num_classes": len(images.classes), **origin["model_options"]})
    return fit(network, images, recipe, run_dir, source=origin, verbose=verbose)


def resume(run_dir: str | Path, *, verbose: int = 1) -> Result:
    """Resume a run that :func:`train` started, after its last complete epoch.

    Raises:
        ValueError: as :func:`fit`, or the run was started with your own network: use ``fit``.
    """
    run = RunFolder.open(run_dir)
    recipe = run.recipe
    data = load_run_data(run)
    paddle.seed(recipe.seed)  # for a run that was stopped in its first epoch
    return fit(load_network(run), data, recipe, run_dir, resume=True, verbose=verbose)


def load_network(run: RunFolder, weights: str | Path | None = None) -> nn.Layer:
    """Build the network of a run.

    Args:
        run: a run that :func:`train` started.
        weights: a file to load into it, as :func:`load_weights` reads; by default it has fresh
            weights.

    Raises:
        ValueError: the run was started with your own network, or the weights do not fit.
    """
    origin = run.origin
    options = {"num_classes": len(run.classes), **origin["model_options"]}
    options.pop("pretrained", None)  # these are the weights that the run began with
    network = create_model(origin["model"], **options)
    if weights is not None:
        load_weights(network, weights)
    return network


def load_run_data(run: RunFolder, **overrides: Unpack[DataOptions]) -> ImageData:
    """Load the data set of a run.

    Args:
        run: a run that :func:`train` started.
        **overrides: options of :func:`load_data` to change, such as ``data_file``.

    Raises:
        ValueError: as :func:`load_data`, or the run was started with your own network.
    """
    origin = run.origin
    options: DataOptions = {**origin["data_options"], **overrides}
    return load_data(origin["data"], **options)
