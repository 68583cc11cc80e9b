"""Runs whose network and data set have names, so that both can be built again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, cast

import paddle
from paddle import nn

from paddle_oct.base.errors import first_line
from paddle_oct.models import create_model
from paddle_oct.models import model_options as known_options
from paddle_oct.weights import load_weights

from .config import Origin
from .data import DataOptions, ImageData, load_data
from .fit import Result, describe, fit
from .processes import from_first_process, join_processes
from .recipe import Recipe
from .run_folder import RunFolder

if TYPE_CHECKING:
    from typing_extensions import Unpack

_UNKNOWN = object()


def train(
    model: str,
    data: str = "digits",
    recipe: Recipe | None = None,
    run_dir: str | Path = "run",
    *,
    model_options: Mapping[str, Any] | None = None,
    data_options: Mapping[str, Any] | None = None,
    verbose: int = 1,
    progress_bars: bool | None = None,
    threads: int | None = None,
) -> Result:
    """Train a network by name on a data set by name; the run can be resumed from its folder alone.

    The same call again, after the process was stopped or killed, goes on after the last complete
    epoch, wherever it stopped.

    Args:
        model: a name that :func:`paddle_oct.create_model` knows.
        data: a name that :func:`load_data` knows.
        recipe: how to train.
        run_dir: the folder that the run is written to. If it holds an incomplete run of the same
            network, data set and recipe, that is resumed; any other run is refused.
        model_options: options of the network, such as ``{"alpha": 0.25}``.
        data_options: options of the data set, such as ``{"limit": 1000}``.
        verbose, progress_bars, threads: as in :func:`fit`.

    Returns:
        As :func:`fit`.

    Raises:
        ValueError: a name or an option is unknown, or as in :func:`fit`.
    """
    join_processes()
    recipe = recipe or Recipe()
    images = load_data(data, **cast("DataOptions", dict(data_options or {})))
    given = {"num_classes": len(images.classes), **(model_options or {})}
    origin: Origin = {
        "model": model,
        "model_options": {**_default_options(model), **given},
        "data": data,
        "data_options": cast("DataOptions", dict(data_options or {})),
    }
    paddle.seed(recipe.seed)
    network = create_model(model, **given)
    config = describe(network, images, recipe, origin)
    return fit(
        network,
        images,
        recipe,
        run_dir,
        resume=from_first_process(lambda: RunFolder(run_dir).was_started_with(config)),
        source=origin,
        verbose=verbose,
        progress_bars=progress_bars,
        threads=threads,
    )


def _default_options(model: str) -> dict[str, Any]:
    """Return those defaults of a network's options that JSON can hold."""
    plain = (bool, int, float, str, type(None))
    return {k: v for k, v in known_options(model).items() if isinstance(v, plain)}


def resume(
    run_dir: str | Path,
    *,
    verbose: int = 1,
    progress_bars: bool | None = None,
    threads: int | None = None,
) -> Result:
    """Resume a run that :func:`train` started, after its last complete epoch.

    Args:
        run_dir: the folder of the run. On several machines it must be one that all of them see.
        verbose, progress_bars, threads: as in :func:`fit`.

    Raises:
        ValueError: as :func:`fit`, or the run was started with your own network: use ``fit``.
    """
    join_processes()
    run = RunFolder.open(run_dir)
    recipe = run.recipe
    data = load_run_data(run)
    paddle.seed(recipe.seed)  # for a run that was stopped in its first epoch
    return fit(
        load_network(run),
        data,
        recipe,
        run_dir,
        resume=True,
        source=run.origin,
        verbose=verbose,
        progress_bars=progress_bars,
        threads=threads,
    )


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
    # The defaults of today are left out: a function that builds a network may have others.
    today = {**known_options(origin["model"]), "num_classes": None}
    recorded = {"num_classes": len(run.classes), **origin["model_options"]}
    options = {key: value for key, value in recorded.items() if value != today.get(key, _UNKNOWN)}
    options.pop("pretrained", None)  # these are the weights that the run began with
    try:
        network = create_model(origin["model"], **options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{run.config_path}: {first_line(error)}") from error
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
