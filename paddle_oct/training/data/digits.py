"""The handwritten digits that come with the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..preprocessing import Preprocessing, channel_statistics
from .image_data import ArrayImages, ImageData

_FILE = Path(__file__).parents[1] / "digits" / "digits.npz"


def load_digits(image_size: int = 64) -> ImageData:
    """Load 1,797 handwritten digits that come with the package (UCI; 8x8 pixels, 10 classes).

    Every fifth image is in the test set (360), the others in the training set (1,437). The images
    are scaled up and repeated in three channels. A network that halves its maps five times ends at
    2x2 for 64x64, and learns faster than with the 1x1 of 32x32.

    Args:
        image_size: the height and width to scale the images to.
    """
    packed = np.load(_FILE)
    grey = (packed["images"].astype("float32") * (255 / 16)).round().astype("uint8")
    pixels = np.repeat(grey[..., None], 3, axis=-1)
    test = np.arange(len(pixels)) % 5 == 0
    mean, std = channel_statistics(pixels[~test])
    return ImageData(
        name="digits",
        train=ArrayImages(pixels[~test], packed["labels"][~test]),
        test=ArrayImages(pixels[test], packed["labels"][test]),
        classes=tuple("0123456789"),
        preprocessing=Preprocessing(image_size, mean, std),
        augmentation="crop",  # a mirrored digit is another sign
    )
