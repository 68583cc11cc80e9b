"""Data sets: the embedded digits, CIFAR, and folders of images."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np
import paddle
from paddle.io import Dataset
from PIL import Image

from paddle_oct.base.names import look_up, unknown_name

from .preprocessing import Preprocessing, channel_statistics, read_image

_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
_STATISTICS_SAMPLE = 2000


@dataclass(frozen=True)
class ImageData:
    """A classification data set: its images, classes and preprocessing.

    Args:
        name: what it is called in tables and run folders.
        train, test: data sets of ``(PIL image, label)``.
        classes: the class names, by label.
        preprocessing: size and normalisation.
        augmentation: what ``"auto"`` stands for in a recipe.
    """

    name: str
    train: Dataset
    test: Dataset
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    augmentation: str

    def train_set(self, augmentation: str = "auto") -> Dataset:
        """Return the training set as ``(float32 [3, size, size], label)``, augmented."""
        if augmentation == "auto":
            augmentation = self.augmentation
        return _Transformed(self.train, self.preprocessing.for_training(augmentation))

    def test_set(self) -> Dataset:
        """Return the whole test set as ``(float32 [3, size, size], label)``, in order."""
        return _Transformed(self.test, self.preprocessing.for_inference())

    def limited(self, limit: int) -> ImageData:
        """Return at most ``limit`` images of each split, drawn once and for all."""
        if limit < 1:
            raise ValueError(f"{self.name}: limit must be at least 1, got {limit}")
        return replace(self, train=_draw(self.train, limit), test=_draw(self.test, limit))


class _Transformed(Dataset):
    """What a network is given.

    Paddle's loader hangs where its thread fails. So an image that can't be read is noted, for
    :meth:`check` to raise it where it can be caught, and a black one stands in.
    """

    def __init__(self, source: Dataset, transform: Callable) -> None:
        super().__init__()
        self.source = source
        self.transform = transform
        self._failed = multiprocessing.Value("q", -1)  # seen by the processes that load, too

    def __getitem__(self, index: int):
        try:
            image, label = self.source[index]
        except ValueError:
            self._failed.value = index
            image, label = Image.new("RGB", (32, 32)), 0
        return self.transform(image), np.int64(label)

    def check(self) -> None:
        """Raise the ``ValueError`` of an image that could not be read, if there was one."""
        if self._failed.value >= 0:
            self.source[self._failed.value]

    def __len__(self) -> int:
        return len(self.source)


class _Arrays(Dataset):
    """Images held in memory as uint8 ``[N, H, W, 3]``."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        super().__init__()
        self.images = images
        self.labels = labels

    def __getitem__(self, index: int):
        return Image.fromarray(self.images[index]), int(self.labels[index])

    def __len__(self) -> int:
        return len(self.labels)


class _Files(Dataset):
    def __init__(self, samples: Sequence[tuple[Path, int]]) -> None:
        super().__init__()
        self.samples = samples

    def __getitem__(self, index: int):
        path, label = self.samples[index]
        return read_image(path), label

    def __len__(self) -> int:
        return len(self.samples)


def _draw(dataset: Dataset, limit: int) -> Dataset:
    if len(dataset) <= limit:
        return dataset
    chosen = np.random.RandomState(0).permutation(len(dataset))[:limit]
    return paddle.io.Subset(dataset, sorted(chosen.tolist()))


def load_digits(image_size: int = 64) -> ImageData:
    """Load 1,797 handwritten digits that come with the package (UCI; 8x8 pixels, 10 classes).

    Every fifth image is in the test set (360), the others in the training set (1,437). The images
    are scaled up and repeated in three channels; at 64x64 a network that halves its maps five times
    is left with 2x2, on which it learns faster than on 1x1.
    """
    packed = np.load(Path(__file__).parent / "digits" / "digits.npz")
    grey = (packed["images"].astype("float32") * (255 / 16)).round().astype("uint8")
    images = np.repeat(grey[..., None], 3, axis=-1)
    test = np.arange(len(images)) % 5 == 0
    mean, std = channel_statistics(images[~test])
    return ImageData(
        name="digits",
        train=_Arrays(images[~test], packed["labels"][~test]),
        test=_Arrays(images[test], packed["labels"][test]),
        classes=tuple("0123456789"),
        preprocessing=Preprocessing(image_size, mean, std),
        augmentation="crop",  # a mirrored digit is no digit
    )


def load_cifar10(data_file: str | None = None, image_size: int = 32) -> ImageData:
    """Load CIFAR-10 through ``paddle.vision.datasets``: 50,000 and 10,000 images of 32x32.

    Args:
        data_file: the archive ``cifar-10-python.tar.gz``; by default Paddle downloads it.
        image_size: what to scale the images to.
    """
    animals = ("bird", "cat", "deer", "dog", "frog", "horse")
    names = ("airplane", "automobile", *animals, "ship", "truck")
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    return _load_cifar("cifar10", data_file, names, Preprocessing(image_size, mean, std))


_CIFAR100_CLASSES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""


def load_cifar100(data_file: str | None = None, image_size: int = 32) -> ImageData:
    """Load CIFAR-100 and its hundred fine classes; arguments as in :func:`load_cifar10`."""
    names = tuple(_CIFAR100_CLASSES.split())
    mean, std = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)
    return _load_cifar("cifar100", data_file, names, Preprocessing(image_size, mean, std))


def _load_cifar(
    name: str, data_file: str | None, classes: tuple[str, ...], preprocessing: Preprocessing
) -> ImageData:
    if data_file is not None and not Path(data_file).is_file():
        raise ValueError(f"{name}: no such file: {data_file}")
    reader = {
        "cifar10": paddle.vision.datasets.Cifar10,
        "cifar100": paddle.vision.datasets.Cifar100,
    }
    splits = []
    for mode in ("train", "test"):
        try:
            split = reader[name](data_file=data_file, mode=mode, backend="pil")
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
        splits.append(split)
    return ImageData(name, *splits, classes, preprocessing, augmentation="crop+flip")


def load_folder(data_file: str | None = None, image_size: int = 224) -> ImageData:
    """Load a folder of images with one sub-folder per class.

    Args:
        data_file: the folder. If it holds ``train`` and ``test`` (or ``val``), these hold the
            classes; else it holds them itself, and every fifth image of a class is a test image.
        image_size: height and width of the input.
    """
    if data_file is None:
        raise ValueError("folder: name the folder with --data-file (data_file=...)")
    root = Path(data_file)
    if not root.is_dir():
        raise ValueError(f"folder: no such folder: {root}")
    held_out = next((root / name for name in ("test", "val") if (root / name).is_dir()), None)
    if (root / "train").is_dir() and held_out:
        classes = _class_names(root / "train")
        if _class_names(held_out) != classes:
            raise ValueError(f"folder: {root / 'train'} and {held_out} hold different classes")
        train = _list_images(root / "train", classes)
        test = _list_images(held_out, classes)
    else:
        classes = _class_names(root)
        train, test = [], []
        for label in range(len(classes)):
            images = [sample for sample in _list_images(root, classes) if sample[1] == label]
            test += images[::5]
            train += [sample for i, sample in enumerate(images) if i % 5]
    for split, samples in (("training", train), ("test", test)):
        if not samples:
            raise ValueError(f"folder: {root} leaves no {split} images")
    train_files = _Files(train)
    sample = _draw(train_files, _STATISTICS_SAMPLE)
    mean, std = channel_statistics(sample[i][0] for i in range(len(sample)))
    return ImageData(
        name="folder",
        train=train_files,
        test=_Files(test),
        classes=classes,
        preprocessing=Preprocessing(image_size, mean, std, short_side=round(image_size / 0.875)),
        augmentation="crop+flip",
    )


def load_test_folder(
    data_file: str | Path, preprocessing: Preprocessing, outputs: Sequence[str] | int
) -> ImageData:
    """Load a folder of images with one sub-folder per class, to test a trained network on them all.

    Args:
        data_file: the folder; if it holds ``test`` or ``val``, only that is taken.
        preprocessing: the network's.
        outputs: the class names of the network's outputs, some of which the sub-folders bear; or
            how many outputs there are, which the sub-folders in alphabetical order are.

    Raises:
        ValueError: there are no images, or the classes are not the network's.
    """
    root = Path(data_file)
    if not root.is_dir():
        raise ValueError(f"folder: no such folder: {root}")
    root = next((root / name for name in ("test", "val") if (root / name).is_dir()), root)
    names = _class_names(root)
    if isinstance(outputs, int):
        if len(names) != outputs:
            raise ValueError(
                f"folder: {root} holds {len(names)} classes, the network has {outputs} outputs; "
                "name them all with --class-names, or give a folder with all of them"
            )
        classes = names
    else:
        classes = tuple(outputs)
        for name in names:
            if name not in classes:
                raise unknown_name(name, classes, "class")
            if classes.count(name) > 1:  # as some are in lists of ImageNet's
                raise ValueError(f"folder: {classes.count(name)} outputs are called {name!r}")
    samples = _list_images(root, classes)
    if not samples:
        raise ValueError(f"folder: {root} holds no images")
    return ImageData("folder", _Files([]), _Files(samples), classes, preprocessing, "none")


def read_class_names(path: str | Path) -> tuple[str, ...]:
    """Read the names of a network's classes, a line for each in the order of its outputs.

    Raises:
        ValueError: the file is missing or no text.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: can't be read as class names ({error})") from error
    return tuple(line.strip() for line in lines if line.strip())


def _class_names(folder: Path) -> tuple[str, ...]:
    names = tuple(
        sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    )
    if len(names) < 2:
        raise ValueError(f"folder: {folder} must hold one folder per class, found {len(names)}")
    return names


def _list_images(folder: Path, classes: Sequence[str]) -> list[tuple[Path, int]]:
    return [
        (path, label)
        for label, name in enumerate(classes)
        for path in sorted((folder / name).rglob("*"))  # none where there is no such folder
        if path.suffix.lower() in _IMAGE_SUFFIXES
    ]


_LOADERS = {
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
        data_file: an archive or folder on disk; see the loaders.
        image_size: what to scale the images to; by default the data set's own size.
        limit: how many images to take of each split at most.

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
