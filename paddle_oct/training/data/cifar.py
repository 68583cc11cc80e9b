"""CIFAR-10 and CIFAR-100, from the archives that their authors published.

``paddle.vision.datasets`` runs what the pickles in an archive name. This reader runs nothing, and
returns the same images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from paddle_oct.base.errors import first_line
from paddle_oct.base.private import download_cifar
from paddle_oct.base.reading import Budget, most_inflated, open_regular, size_of
from paddle_oct.weights import unpickle

from ..preprocessing import Preprocessing
from .archives import members
from .image_data import ArrayImages, ImageData

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE
_MOST_UNFOLDED = 2**28  # bytes; an archive holds 186 MB, and has been compressed to 169 MB
_INFLATION = 8
_COST_FACTOR = 4  # Python 2 wrote the pixels as text: they are read, encoded and kept

_CIFAR10_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck"
_CIFAR100_CLASSES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile
cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp
lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom
oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake
spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor
train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""


def load_cifar10(data_file: str | None = None, image_size: int = 32) -> ImageData:
    """Load CIFAR-10: 50,000 images to train and 10,000 to test, of 32x32.

    Args:
        data_file: the archive ``cifar-10-python.tar.gz``; by default Paddle downloads it.
        image_size: the height and width to scale the images to.

    Raises:
        ValueError: the archive can't be read or downloaded.
    """
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    preprocessing = Preprocessing(image_size, mean, std)
    files = {"train": [f"data_batch_{k}" for k in range(1, 6)], "test": ["test_batch"]}
    return _load("cifar10", data_file, files, _CIFAR10_CLASSES, preprocessing)


def load_cifar100(data_file: str | None = None, image_size: int = 32) -> ImageData:
    """Load CIFAR-100 with its hundred fine classes; otherwise as :func:`load_cifar10`."""
    mean, std = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)
    preprocessing = Preprocessing(image_size, mean, std)
    files = {"train": ["train"], "test": ["test"]}
    return _load("cifar100", data_file, files, _CIFAR100_CLASSES, preprocessing)


class _Batch(NamedTuple):
    """Pixels ``[N, 32, 32, 3]`` and labels ``[N]``."""

    pixels: np.ndarray
    labels: np.ndarray


def _load(
    name: str,
    data_file: str | None,
    files: dict[str, list[str]],
    classes: str,
    preprocessing: Preprocessing,
) -> ImageData:
    names = tuple(classes.split())
    path = _download(name, len(names)) if data_file is None else Path(data_file)
    batches: dict[str, _Batch] = {}
    with open_regular(path) as file:
        try:
            _read_archive(file, [*files["train"], *files["test"]], len(names), batches)
        except Exception as error:  # of zlib, or of a damaged pickle
            raise ValueError(
                f"{name}: {path} is truncated or not a {name} archive ({first_line(error)})"
            ) from error
    splits = {}
    for split, members_of_split in files.items():
        found = [batches[member] for member in members_of_split if member in batches]
        if not sum(len(batch.labels) for batch in found):
            raise ValueError(f"{name}: {path} holds no {split} images of {name}")
        splits[split] = ArrayImages(*(np.concatenate(part) for part in zip(*found)))
    return ImageData(name, splits["train"], splits["test"], names, preprocessing, "crop+flip")


def _download(name: str, classes: int) -> Path:
    try:
        return download_cifar(classes)
    except Exception as error:  # of Paddle's downloader, of any kind
        raise ValueError(
            f"{name}: could not be downloaded; give an archive on disk with --data-file "
            f"(data_file=...) ({first_line(error)})"
        ) from error


def _read_archive(
    file: BinaryIO, wanted: list[str], classes: int, batches: dict[str, _Batch]
) -> None:
    """Read the batches that are wanted; each is a pickle."""
    most = min(_MOST_UNFOLDED, most_inflated(size_of(file), _INFLATION))
    for name, size, content in members(file, most):
        if name not in wanted:
            continue
        if name in batches:
            raise ValueError(f"it holds {name} twice")
        batch = unpickle(content, size, Budget(size, _COST_FACTOR))
        batches[name] = _check_batch(name, batch, classes)


def _check_batch(name: str, batch: Any, classes: int) -> _Batch:
    if not isinstance(batch, dict):
        raise ValueError(f"{name} is no batch of images")
    batch = {key.decode("latin1") if isinstance(key, bytes) else key: batch[key] for key in batch}
    pixels, labels = batch.get("data"), batch.get("labels", batch.get("fine_labels"))
    if (
        not isinstance(pixels, np.ndarray)
        or pixels.dtype != np.uint8
        or pixels.shape[1:] != (_PIXELS,)
    ):
        raise ValueError(f"{name} holds no images of {_SIDE}x{_SIDE} pixels")
    if not isinstance(labels, list) or len(labels) != len(pixels):
        raise ValueError(f"{name} does not hold a label for every image")
    if not all(type(label) is int and 0 <= label < classes for label in labels):
        raise ValueError(f"{name} holds labels that are no numbers from 0 to {classes - 1}")
    images = pixels.reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
    return _Batch(images, np.array(labels, "int64"))
