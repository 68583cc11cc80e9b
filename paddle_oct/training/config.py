"""Reading ``config.json``, which says how a run was started."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict, cast

from paddle_oct.base.errors import first_line

from .data import DataOptions
from .json_files import (
    ANYTHING,
    COUNT,
    NAME,
    NUMBER,
    TEXT,
    check_entries,
    list_of,
    or_none,
    read_json,
    table_of,
)
from .preprocessing import Preprocessing
from .recipe import Recipe

_CONFIG = {
    "network": NAME,
    "classes": list_of(TEXT),
    "preprocessing": table_of(ANYTHING),
    "recipe": table_of(ANYTHING),
}
_PREPROCESSING = {
    "size": COUNT,
    "mean": list_of(NUMBER, 3),
    "std": list_of(NUMBER, 3),
    "short_side": or_none(COUNT).or_missing(),
}
_ORIGIN = {
    "model": NAME,
    "model_options": table_of(ANYTHING),
    "data": NAME,
    "data_options": table_of(ANYTHING),
}
_DATA_OPTIONS = {
    "data_file": or_none(TEXT).or_missing(),
    "image_size": or_none(COUNT).or_missing(),
    "limit": or_none(COUNT).or_missing(),
}


class Origin(TypedDict):
    """How the network and the data set of a run are made by name.

    Attributes:
        model: a name that :func:`paddle_oct.create_model` knows.
        model_options: its options.
        data: a name that :func:`load_data` knows.
        data_options: its options.
    """

    model: str
    model_options: dict[str, Any]
    data: str
    data_options: DataOptions


def read_config(path: Path) -> dict[str, Any]:
    """Read the file.

    Raises:
        ValueError: it is damaged.
    """
    return read_json(path, _CONFIG)


def read_preprocessing(path: Path) -> Preprocessing:
    """Read how an image becomes the network's input.

    Raises:
        ValueError: the file is damaged.
    """
    values = read_config(path)["preprocessing"]
    check_entries(path, values, _PREPROCESSING, "preprocessing", others=False)
    return Preprocessing(**values)


def read_recipe(path: Path) -> Recipe:
    """Read how the network is trained.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        return Recipe.from_dict(read_config(path)["recipe"])
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {first_line(error)}") from error


def read_origin(path: Path) -> Origin:
    """Read how the network and the data set are made by name.

    Raises:
        ValueError: the run was started with the user's own network, or the file is damaged.
    """
    config = read_config(path)
    if "model" not in config:
        raise ValueError(
            f"{path.parent} was trained with a network of its user's ({config['network']}), "
            "which can't be made by name; build it and call paddle_oct.training.fit or evaluate"
        )
    check_entries(path, config, _ORIGIN)
    check_entries(path, config["data_options"], _DATA_OPTIONS, "data_options", others=False)
    return cast("Origin", {key: config[key] for key in _ORIGIN})
