"""Data sets by name."""

from __future__ import annotations

from typing import Any, Callable, Mapping, TypedDict

from paddle_oct.base.names import look_up, unknown_name

from .cifar import load_cifar10, load_cifar100
from .digits import load_digits
from .folders import load_folder
from .image_data import ImageData


class DataOptions(TypedDict, total=False):
    """The options of :func:`load_data`, as a run folder stores them."""

    data_file: str | None
    image_size: int | None
    limit: int | None


_LOADERS: Mapping[str, Callable[..., ImageData]] = {
    "digits": load_digits,
    "cifar10": load_cifar10,
    "cifar100": load_cifar100,
    "folder": load_folder,
}


def list_data() -> list[str]:
    """Return the names that :func:`load_data` knows."""
    return list(_LOADERS)


def load_data(
    name: str,
    data_file: str | None = None,
    image_size: int | None = None,
    limit: int | None = None,
) -> ImageData:
    """Load a data set by name.

    Args:
        name: ``"digits"`` (embedded), ``"cifar10"``, ``"cifar100"`` or ``"folder"``.
        data_file: an archive of CIFAR or a folder of images on disk. A folder holds a sub-folder
            per class, or ``train`` and ``test`` (or ``val``) with the sub-folders in them. The
            digits have none, and CIFAR is downloaded if none is given.
        image_size: the height and width to scale the images to; by default 64 for the digits, 32
            for CIFAR and 224 for a folder.
        limit: the most images to take of each split.

    Raises:
        ValueError: an unknown name, an option out of range, or files that are missing or broken.
    """
    loader = look_up(name, _LOADERS, "data set")
    options: dict[str, Any] = {}
    if data_file is not None:
        if name == "digits":
            raise unknown_name("data_file", ["image_size", "limit"], "option of digits")
        options["data_file"] = data_file
    if image_size is not None:
        if image_size < 1:
            raise ValueError(f"{name}: image_size must be at least 1, got {image_size}")
        options["image_size"] = image_size
    data = loader(**options)
    return data if limit is None else data.limited(limit)
