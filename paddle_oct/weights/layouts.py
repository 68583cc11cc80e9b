"""What a network states about other people's names for its weights."""

from __future__ import annotations

from typing import Any, Collection, Mapping, Sequence

import numpy as np
from paddle import nn

from .names import NameTable


class ForeignLayout:
    """How another implementation stores the weights of one of our networks.

    A network's class states the layouts that it can be loaded from as ``foreign_layouts``;
    :func:`~paddle_oct.weights.load_weights` tries them in that order. There are two kinds,
    :class:`GluonLayout` and :class:`VanillaLayout`; another is a subclass with the two methods.

    Args:
        rows: what the other implementation calls our layers, as in :class:`NameTable`.
    """

    def __init__(self, rows: Mapping[str, str]) -> None:
        self.names = NameTable(rows)

    def recognises(self, names: Collection[str], network: nn.Layer) -> bool:
        """Whether a file with tensors of these names is in this layout."""
        raise NotImplementedError

    def to_state(
        self,
        tensors: Mapping[str, np.ndarray],
        network: nn.Layer,
        origin: str,
        *,
        classifier: bool = True,
    ) -> dict[str, np.ndarray]:
        """Return the tensors under the names, and in the shapes, of our state dict.

        Args:
            tensors: those of a file that this layout recognises.
            network: the network that the state dict is for.
            origin: the file, for error messages.
            classifier: ``False`` where the network keeps its own classifier.

        Raises:
            ValueError: they can't belong to this network.
        """
        raise NotImplementedError


def layouts_of(network: Any) -> Sequence[ForeignLayout]:
    """Return the foreign layouts that a network, or its class, states; none for most networks."""
    return getattr(network, "foreign_layouts", ())
