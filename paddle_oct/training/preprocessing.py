"""From an image to the input of a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from paddle.vision import transforms as T
from PIL import Image, ImageOps


@dataclass(frozen=True)
class Preprocessing:
    """Size and normalisation of a network's input.

    Args:
        size: height and width in pixels.
        mean, std: of each channel (red, green, blue), for pixels in [0, 1].
        short_side: for photographs of any size: scale the short side to this, then crop the centre;
            for training, crop a random part instead. By default images are scaled to ``size`` as
            they are, and for training shifted by up to an eighth.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    short_side: int | None = None

    def for_training(self, augmentation: str) -> T.Compose:
        """Return the transform of training images: ``"none"``, ``"crop"`` or ``"crop+flip"``."""
        if augmentation == "none":
            return self.for_inference()
        if self.short_side:
            steps = [T.RandomResizedCrop(self.size, scale=(0.25, 1.0))]
        else:
            steps = [
                T.Resize((self.size, self.size)),
                T.RandomCrop(self.size, padding=self.size // 8),
            ]
        if augmentation == "crop+flip":
            steps.append(T.RandomHorizontalFlip())
        return T.Compose([*steps, *self._to_input()])

    def for_inference(self) -> T.Compose:
        """Return the transform of test images, without anything random."""
        if self.short_side:
            steps = [T.Resize(self.short_side), T.CenterCrop(self.size)]
        else:
            steps = [T.Resize((self.size, self.size))]
        return T.Compose([*steps, *self._to_input()])

    def _to_input(self) -> list[T.BaseTransform]:
        scaled = {"mean": [255 * m for m in self.mean], "std": [255 * s for s in self.std]}
        return [T.Transpose(), T.Normalize(data_format="CHW", **scaled)]


def read_image(path: str | Path) -> Image.Image:
    """Read an image file as RGB, turned as its camera noted.

    Raises:
        ValueError: there is no such file, or it can't be read as an image.
    """
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):  # 16 bits; converting would clip them to 8
                upright = Image.fromarray((np.asarray(upright) / 257).round().astype("uint8"))
            return upright.convert("RGB")
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except Exception as error:  # Pillow's decoders raise all kinds
        raise ValueError(f"{path}: can't be read as an image ({error})") from error


def channel_statistics(images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of red, green and blue over images, pixels in [0, 1]."""
    count, total, squares = 0, np.zeros(3), np.zeros(3)
    for image in images:
        pixels = np.asarray(image, dtype="float64").reshape(-1, 3) / 255
        count += len(pixels)
        total += pixels.sum(axis=0)
        squares += (pixels**2).sum(axis=0)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 1e-12))
    return tuple(mean.round(4).tolist()), tuple(std.round(4).tolist())
