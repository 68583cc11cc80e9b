"""Reading an image file as the input of a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
from paddle import Tensor

from .preprocessing import Preprocessing, read_image


def read_input(path: str | Path, preprocessing: Preprocessing) -> Tensor:
    """Return an image file as the input of a network, ``[1, 3, H, W]``.

    Raises:
        ValueError: the file is missing or no image.
    """
    pixels = preprocessing.for_inference()(read_image(path))
    return paddle.to_tensor(np.asarray(pixels, dtype="float32")[None])
