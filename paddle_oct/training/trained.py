"""A trained network with its preprocessing and the names of its classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddle import nn

from paddle_oct.models import create_model, preprocessing

from .by_name import load_network
from .data import read_class_names
from .preprocessing import Preprocessing
from .run_folder import RunFolder


@dataclass(frozen=True)
class Trained:
    """A trained network with what is needed to test it and to classify images.

    Attributes:
        network: the network, with its weights.
        preprocessing: how an image becomes its input.
        classes: the names of its outputs; numbers if they have no names.
        named: whether the outputs have names.
        weights: the origin of the weights: a file, ``"vanilla"`` or ``"published"``.
    """

    network: nn.Layer
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    named: bool
    weights: str

    @classmethod
    def of_run(cls, run: RunFolder, weights: str | Path | None = None) -> Trained:
        """Return the network of a run.

        Args:
            run: a run that :func:`~paddle_oct.training.train` started.
            weights: a file of weights; by default those of the best epoch.

        Raises:
            ValueError: there are no weights yet, or as in ``load_network``.
        """
        if weights is None:
            best = run.best
            if best is None:
                raise ValueError(f"{run.path}: no epoch was completed, there are no weights yet")
            weights = best.weights
        return cls(
            load_network(run, weights),
            run.preprocessing,
            run.classes,
            named=True,
            weights=str(weights),
        )

    @classmethod
    def by_name(
        cls,
        model: str,
        weights: str | Path | None = None,
        class_names: str | Path | None = None,
        **options: Any,
    ) -> Trained:
        """Return a network with weights trained on ImageNet, and the preprocessing for them.

        Args:
            model: a name that :func:`~paddle_oct.create_model` knows.
            weights: a file, or ``"vanilla"``; by default the published ones.
            class_names: a file with the name of one output per line.
            **options: options of the network, such as ``alpha``.

        Raises:
            ValueError: as ``create_model``, or the file names more or fewer classes.
        """
        outputs = options.get("num_classes", 1000)
        if class_names is None:
            names = tuple(map(str, range(outputs)))
        else:
            names = read_class_names(class_names)
            if len(names) != outputs:
                raise ValueError(
                    f"{class_names}: {len(names)} names for the {outputs} classes of the network"
                )
        network = create_model(model, pretrained=True if weights is None else weights, **options)
        return cls(
            network,
            Preprocessing(**preprocessing(model)),
            names,
            named=class_names is not None,
            weights="published" if weights is None else str(weights),
        )
