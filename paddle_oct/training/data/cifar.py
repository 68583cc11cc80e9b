"""CIFAR-10 and CIFAR-100, through ``paddle.vision.datasets``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from paddle.vision.datasets import Cifar10, Cifar100

from ..preprocessing import Preprocessing
from .image_data import ImageData

if TYPE_CHECKING:
    from .image_data import Images

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
    return _load("cifar10", Cifar10, data_file, _CIFAR10_CLASSES, preprocessing)


def load_cifar100(data_file: str | None = None, image_size: int = 32) -> ImageData:
    """Load CIFAR-100 with its hundred fine classes; otherwise as :func:`load_cifar10`."""
    mean, std = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)
    preprocessing = Preprocessing(image_size, mean, std)
    return _load("cifar100", Cifar100, data_file, _CIFAR100_CLASSES, preprocessing)


def _load(
    name: str,
    reader: type[Cifar10],
    data_file: str | None,
    classes: str,
    preprocessing: Preprocessing,
) -> ImageData:
    if data_file is not None and not Path(data_file).is_file():
        raise ValueError(f"{name}: no such file: {data_file}")
    train = _read_split(name, reader, data_file, "train")
    test = _read_split(name, reader, data_file, "test")
    return ImageData(name, train, test, tuple(classes.split()), preprocessing, "crop+flip")


def _read_split(
    name: str, reader: type[Cifar10], data_file: str | None, mode: Literal["train", "test"]
) -> Images:
    try:
        split = reader(data_file=data_file, mode=mode, backend="pil")
    except Exception as error:  # of tarfile, gzip, pickle or Paddle's downloader
        if data_file is None:
            raise ValueError(
                f"{name}: could not be downloaded; give an archive on disk with --data-file "
                f"(data_file=...) ({error})"
            ) from error
        raise ValueError(
            f"{name}: {data_file} is truncated or not a {name} archive "
            f"({type(error).__name__}: {error})"
        ) from error
    if not len(split):
        raise ValueError(f"{name}: {data_file} holds no {mode} images of {name}")
    return cast("Images", split)  # with the "pil" backend it yields PIL images
