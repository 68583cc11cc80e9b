"""A data set for classification, and its images as inputs of a network."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Sequence

import numpy as np
from paddle.io import Dataset, Subset
from PIL import Image

from ..preprocessing import Preprocessing, read_image

if TYPE_CHECKING:
    from typing_extensions import TypeAlias

    Images: TypeAlias = "Dataset[tuple[Image.Image, int]]"


@dataclass(frozen=True)
class ImageData:
    """A classification data set: its images, classes and preprocessing.

    Args:
        name: what it is called in tables and run folders.
        train, test: data sets of ``(PIL image, label)``.
        classes: the class names, by label.
        preprocessing: size and normalisation.
        augmentation: the augmentation that ``"auto"`` in a recipe stands for.
    """

    name: str
    train: Images
    test: Images
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    augmentation: str

    def train_set(self, augmentation: str = "auto") -> NetworkInputs:
        """Return the training set as ``(float32 [3, size, size], label)``, augmented."""
        if augmentation == "auto":
            augmentation = self.augmentation
        return NetworkInputs(self.train, self.preprocessing.for_training(augmentation))

    def test_set(self) -> NetworkInputs:
        """Return the whole test set as ``(float32 [3, size, size], label)``, in order."""
        return NetworkInputs(self.test, self.preprocessing.for_inference())

    def limited(self, limit: int) -> ImageData:
        """Return at most ``limit`` images of each split, the same ones every time."""
        if limit < 1:
            raise ValueError(f"{self.name}: limit must be at least 1, got {limit}")
        return replace(self, train=draw(self.train, limit), test=draw(self.test, limit))


class NetworkInputs(Dataset):
    """Images as a network takes them: ``(float32 [3, size, size], int64 label)``.

    Paddle's loader hangs if its thread fails. So an image that can't be read becomes a black one,
    and :meth:`check` raises the error later, where it can be caught.
    """

    def __init__(self, images: Images, transform: Callable[[Any], Any]) -> None:
        super().__init__()
        self.images = images
        self.transform = transform
        self._unreadable = multiprocessing.Value("q", -1)  # shared with the loading processes

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.int64]:
        try:
            image, label = self.images[index]
        except ValueError:
            self._unreadable.value = index
            image, label = Image.new("RGB", (32, 32)), 0
        return self.transform(image), np.int64(label)

    def check(self) -> None:
        """Raise the ``ValueError`` of an image that could not be read, if there was one."""
        if self._unreadable.value >= 0:
            self.images[self._unreadable.value]

    def __len__(self) -> int:
        return len(self.images)


class ArrayImages(Dataset):
    """Images held in memory as uint8 ``[N, H, W, 3]``."""

    def __init__(self, pixels: np.ndarray, labels: np.ndarray) -> None:
        super().__init__()
        self.pixels = pixels
        self.labels = labels

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.fromarray(self.pixels[index]), int(self.labels[index])

    def __len__(self) -> int:
        return len(self.labels)


class FileImages(Dataset):
    """Image files, read when they are asked for."""

    def __init__(self, samples: Sequence[tuple[Path, int]]) -> None:
        super().__init__()
        self.samples = samples

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        path, label = self.samples[index]
        return read_image(path), label

    def __len__(self) -> int:
        return len(self.samples)


def draw(images: Images, limit: int) -> Images:
    """Return at most ``limit`` images, the same ones every time, in their order."""
    if len(images) <= limit:
        return images
    chosen = np.random.RandomState(0).permutation(len(images))[:limit]
    return Subset(images, sorted(chosen.tolist()))
