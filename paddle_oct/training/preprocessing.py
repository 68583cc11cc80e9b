"""Preprocessing: turning an image into the input of a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable, Tuple

import numpy as np
from paddle.vision import transforms as T
from PIL import Image, ImageOps

_PerChannel = Tuple[float, float, float]


@dataclass(frozen=True)
class Preprocessing:
    """Size and normalisation of a network's input.

    Args:
        size: height and width in pixels.
        mean, std: mean and standard deviation of each channel (red, green, blue), for pixels in
            [0, 1].
        short_side: for photographs of any size: scale the short side to this, then crop the centre;
            for training, crop a random part instead. By default the whole image is scaled to
            ``size`` x ``size``, and for training shifted by up to an eighth.
    """

    size: int
    mean: _PerChannel
    std: _PerChannel
    short_side: int | None = None

    def for_training(self, augmentation: str) -> T.Compose:
        """Return the transform of training images.

        Args:
            augmentation: ``"none"``, ``"crop"`` or ``"crop+flip"``.
        """
        if augmentation == "none":
            return self.for_inference()
        steps: list[T.BaseTransform[Any, Any]]
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
        steps: list[T.BaseTransform[Any, Any]]
        if self.short_side:
            steps = [T.Resize(self.short_side), T.CenterCrop(self.size)]
        else:
            steps = [T.Resize((self.size, self.size))]
        return T.Compose([*steps, *self._to_input()])

    def _to_input(self) -> list[T.BaseTransform[Any, Any]]:
        mean, std = [255 * m for m in self.mean], [255 * s for s in self.std]
        return [T.Transpose(), T.Normalize(mean, std, data_format="CHW")]


def read_image(path: str | Path) -> Image.Image:
    """Read an image file as RGB, turned upright by its EXIF orientation.

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


def channel_statistics(images: Iterable[Any]) -> tuple[_PerChannel, _PerChannel]:
    """Return mean and standard deviation of red, green and blue over images, pixels in [0, 1].

    Args:
        images: PIL images or arrays ``[H, W, 3]`` with values of 0 to 255.
    """
    count, total, squares = 0, np.zeros(3), np.zeros(3)
    for image in images:
        pixels = np.asarray(image, dtype="float64").reshape(-1, 3) / 255
        count += len(pixels)
        total += pixels.sum(axis=0)
        squares += (pixels**2).sum(axis=0)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 1e-12))
    return _rounded(mean), _rounded(std)


def _rounded(channels: np.ndarray) -> _PerChannel:
    red, green, blue = channels.round(4).tolist()
    return red, green, blue
