"""Loading a state into a network: every tensor exactly once, or nothing at all."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np
import paddle
from paddle import nn

from paddle_oct.base.errors import shortened

_NAMED_PROBLEMS = 3


def check_fit(
    tensors: Mapping[str, np.ndarray],
    shapes: Mapping[str, Sequence[int]],
    network: nn.Layer,
    origin: str,
) -> None:
    """Compare tensors with the names and shapes that a network has a place for.

    Args:
        tensors: the tensors by name.
        shapes: the names and shapes that the network needs.
        network: the network, named in the error message.
        origin: where the tensors come from, for the error message.

    Raises:
        ValueError: the message lists what is missing, left over, of another shape, or not of a
            floating-point type.
    """
    shared = [name for name in shapes if name in tensors]
    kinds = (
        [f"missing {name}" for name in shapes if name not in tensors],
        [f"left over {shortened(name)}" for name in tensors if name not in shapes],
        [
            f"{name} is {list(tensors[name].shape)} in place of {list(shapes[name])}"
            for name in shared
            if list(tensors[name].shape) != list(shapes[name])
        ],
        [
            f"{name} is of type {tensors[name].dtype}"
            for name in shared
            if tensors[name].dtype.kind != "f"
        ],
    )
    if any(kinds):
        raise ValueError(
            f"{origin}: belongs to another network than {type(network).__name__}: "
            f"{'; '.join(_first(problems) for problems in kinds if problems)}"
        )


def _first(problems: list[str]) -> str:
    more = len(problems) - _NAMED_PROBLEMS
    return "; ".join(problems[:_NAMED_PROBLEMS]) + (f" and {more} more" if more > 0 else "")


def load_state(
    network: nn.Layer, state: Mapping[str, np.ndarray], origin: str, *, classifier: bool = True
) -> None:
    """Load a complete state dict of NumPy arrays into a network, in the network's precision.

    Args:
        network: the network.
        state: its state dict.
        origin: where it comes from, for error messages.
        classifier: ``False`` ignores the classifier in ``state``; the network keeps its own.

    Raises:
        ValueError: as :func:`check_fit`. Nothing was loaded then.
    """
    if not classifier:
        state = with_own_classifier(state, network)
    own = network.state_dict()
    check_fit(state, {key: tensor.shape for key, tensor in own.items()}, network, origin)
    tensors = {key: paddle.to_tensor(_for_paddle(state[key])) for key in own}
    network.set_state_dict({key: tensors[key].astype(own[key].dtype) for key in own})


def _for_paddle(array: np.ndarray) -> np.ndarray:
    """Return an array in one piece and in this computer's byte order."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def with_own_classifier(
    tensors: Mapping[str, np.ndarray], network: nn.Layer
) -> dict[str, np.ndarray]:
    """Return the tensors with the network's ``fc`` in place of theirs.

    Of the layers that the network's class names as ``head_layers``, by default ``fc`` alone, those
    that the network does not have are left out as well.
    """
    head = tuple(f"{layer}." for layer in getattr(network, "head_layers", ("fc",)))
    own = network.state_dict()
    kept = {
        name: array
        for name, array in tensors.items()
        if not name.startswith(head) or (name in own and not name.startswith("fc."))
    }
    return {**kept, **{k: tensor.numpy() for k, tensor in own.items() if k.startswith("fc.")}}
