"""Preprocessing: turning an image into the input of a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable, Tuple

import numpy as np
from paddle.vision import transforms as T
from PIL import Image, ImageOps

from paddle_oct.base.errors import first_line
from paddle_oct.base.reading import open_regular, size_of

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


# The formats of photographs. Pillow knows more; to read some of them it starts other programs.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_PIXELS_OF_ANY = 24_000_000  # an image may have these and four for each byte of its file
_PIXELS_PER_BYTE = 4


def read_image(path: str | Path) -> Image.Image:
    """Read an image file as RGB, turned upright by its EXIF orientation.

    Args:
        path: a BMP, GIF, JPEG, PNG, PPM, TIFF or WebP file.

    Raises:
        ValueError: there is no such file, it can't be read as an image, or it has far more pixels
            than a file of its size should.
    """
    with open_regular(path) as file:
        most = _PIXELS_OF_ANY + _PIXELS_PER_BYTE * size_of(file)
        try:
            with Image.open(file, formats=_FORMATS) as image:
                if image.width * image.height > most:
                    raise ValueError(
                        f"{image.width}x{image.height} pixels; a file of its size may have {most}"
                    )
                ImageOps.exif_transpose(image, in_place=True)
                if image.mode.startswith("I"):  # 16 bits; converting would clip them to 8
                    return _to_eight_bits(image).convert("RGB")
                return image.convert("RGB")
        except Exception as error:  # Pillow's decoders raise all kinds
            raise ValueError(f"{path}: can't be read as an image ({first_line(error)})") from error


def _to_eight_bits(image: Image.Image) -> Image.Image:
    deep = np.asarray(image)
    pixels = np.empty(deep.shape, "uint8")
    for row, values in zip(pixels, deep):
        row[:] = (values / 257).round()
    return Image.fromarray(pixels)


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
