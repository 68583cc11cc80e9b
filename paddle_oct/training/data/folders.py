"""Folders of images with one sub-folder per class."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import List, Sequence, Tuple

from paddle_oct.base.errors import shortened
from paddle_oct.base.names import unknown_name
from paddle_oct.base.reading import read_regular

from ..preprocessing import Preprocessing, channel_statistics
from .image_data import FileImages, ImageData, draw

_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
_TEST_FOLDERS = ("test", "val")
_STATISTICS_SAMPLE = 2000

_Samples = List[Tuple[Path, int]]


def load_folder(data_file: str | None = None, image_size: int = 224) -> ImageData:
    """Load a folder of images with one sub-folder per class.

    Args:
        data_file: the folder. If it holds ``train`` and ``test`` (or ``val``), the sub-folders of
            the classes are in these. Otherwise they are in the folder itself, and every fifth image
            of a class is a test image.
        image_size: height and width of the input.

    Raises:
        ValueError: there is no such folder, it leaves a split without images, its two splits hold
            different classes, or an image can't be read.
    """
    if data_file is None:
        raise ValueError("folder: name the folder with --data-file (data_file=...)")
    root = _existing(data_file)
    held_out = _test_folder(root)
    if (root / "train").is_dir() and held_out:
        classes, train, test = _given_splits(root / "train", held_out)
    else:
        classes, train, test = _own_splits(root)
    for split, samples in (("training", train), ("test", test)):
        if not samples:
            raise ValueError(f"folder: {root} leaves no {split} images")
    train_images = FileImages(train)
    sample = draw(train_images, _STATISTICS_SAMPLE)
    mean, std = channel_statistics(sample[i][0] for i in range(len(sample)))
    return ImageData(
        name="folder",
        train=train_images,
        test=FileImages(test),
        classes=classes,
        preprocessing=Preprocessing(image_size, mean, std, short_side=round(image_size / 0.875)),
        augmentation="crop+flip",
    )


def load_test_folder(
    data_file: str | Path, preprocessing: Preprocessing, outputs: Sequence[str] | int
) -> ImageData:
    """Load a folder of images with one sub-folder per class, to test a trained network on all.

    Args:
        data_file: the folder; if it holds ``test`` or ``val``, only that is taken.
        preprocessing: the preprocessing of the network.
        outputs: the names of the network's outputs, which the sub-folders must have too (not every
            output needs a sub-folder); or the number of outputs, to which the sub-folders belong in
            alphabetical order.

    Raises:
        ValueError: there are no images, or the sub-folders do not fit the network's outputs.
    """
    root = _existing(data_file)
    root = _test_folder(root) or root
    names = _class_names(root)
    classes = names if isinstance(outputs, int) else tuple(outputs)
    if isinstance(outputs, int):
        if len(names) != outputs:
            raise ValueError(
                f"folder: {root} holds {len(names)} classes, the network has {outputs} outputs; "
                "name them all with --class-names, or give a folder with all of them"
            )
    else:
        for name in names:
            if name not in classes:
                raise unknown_name(name, classes, "class")
            if classes.count(name) > 1:  # some lists of ImageNet's classes have a name twice
                raise ValueError(f"folder: {classes.count(name)} outputs are called {name!r}")
    samples = _list_images(root, classes)
    if not samples:
        raise ValueError(f"folder: {root} holds no images")
    return ImageData("folder", FileImages([]), FileImages(samples), classes, preprocessing, "none")


def read_class_names(path: str | Path) -> tuple[str, ...]:
    """Read the names of a network's classes: one per line, in the order of its outputs.

    Raises:
        ValueError: the file is missing or no text.
    """
    try:
        lines = read_regular(path).decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: can't be read as class names ({error})") from error
    return tuple(line.strip() for line in lines if line.strip())


def _existing(folder: str | Path) -> Path:
    if not os.path.isdir(folder):  # unlike that of Path, it takes names that no folder can have
        raise ValueError(f"folder: no such folder: {shortened(str(folder), 300)}")
    return Path(folder)


def _test_folder(root: Path) -> Path | None:
    return next((root / name for name in _TEST_FOLDERS if (root / name).is_dir()), None)


def _given_splits(train: Path, test: Path) -> tuple[tuple[str, ...], _Samples, _Samples]:
    classes = _class_names(train)
    if _class_names(test) != classes:
        raise ValueError(f"folder: {train} and {test} hold different classes")
    return classes, _list_images(train, classes), _list_images(test, classes)


def _own_splits(root: Path) -> tuple[tuple[str, ...], _Samples, _Samples]:
    """Hold out every fifth image of a class for testing."""
    classes = _class_names(root)
    train, test = [], []
    for _, group in itertools.groupby(_list_images(root, classes), key=lambda sample: sample[1]):
        images = list(group)
        test += images[::5]
        train += [sample for i, sample in enumerate(images) if i % 5]
    return classes, train, test


def _class_names(folder: Path) -> tuple[str, ...]:
    names = tuple(
        sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    )
    if len(names) < 2:
        raise ValueError(f"folder: {folder} must hold one folder per class, found {len(names)}")
    return names


def _list_images(folder: Path, classes: Sequence[str]) -> _Samples:
    """Return the images of every class; a class without a folder has none."""
    return [
        (path, label)
        for label, name in enumerate(classes)
        for path in sorted((folder / name).rglob("*"))
        if path.suffix.lower() in _IMAGE_SUFFIXES
    ]
