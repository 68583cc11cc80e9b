"""Classifying image files with a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import numpy as np

from .evaluate import predict_images
from .trained import Trained


def classify(
    trained: Trained, paths: Sequence[str | Path], top: int = 3
) -> list[list[tuple[str, float]]]:
    """Classify image files.

    Args:
        trained: the network, its preprocessing and the names of its classes.
        paths: the files; all are read before any is classified.
        top: how many classes to return for each file.

    Returns:
        For each file the most probable classes, with their probabilities, highest first.

    Raises:
        ValueError: a file is missing or no image.
    """
    answers = []
    for probabilities in predict_images(trained.network, paths, trained.preprocessing):
        order = np.argsort(-probabilities)[:top]
        answers.append([(trained.classes[i], float(probabilities[i])) for i in order])
    return answers
