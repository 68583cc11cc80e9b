"""Into a network: every tensor exactly once, or nothing at all."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np
import paddle
from paddle import nn

_NAMED_PROBLEMS = 3
_HEAD = ("fc.", "last.")  # what a network without classifier may lack


def check_fit(
    tensors: Mapping[str, np.ndarray],
    shapes: Mapping[str, Sequence[int]],
    network: nn.Layer,
    source: str,
) -> None:
    """Compare tensors with the names and shapes that a network has a place for.

    Raises:
        ValueError: the message lists what is missing, left over, of another shape or no numbers.
    """
    shared = [name for name in shapes if name in tensors]
    kinds = (
        [f"missing {name}" for name in shapes if name not in tensors],
        [f"left over {name}" for name in tensors if name not in shapes],
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
            f"{source}: belongs to another network than {type(network).__name__}: "
            f"{'; '.join(_first(problems) for problems in kinds if problems)}"
        )


def _first(problems: list[str]) -> str:
    more = len(problems) - _NAMED_PROBLEMS
    return "; ".join(problems[:_NAMED_PROBLEMS]) + (f" and {more} more" if more > 0 else "")


def load_state(
    network: nn.Layer, state: Mapping[str, np.ndarray], source: str, *, classifier: bool = True
) -> None:
    """Load a complete state dict of NumPy arrays into a network, in the network's precision.

    Args:
        network: the network.
        state: its state dict.
        source: where it comes from, for error messages.
        classifier: ``False`` for what the network has in place of a classifier, or nothing.

    Raises:
        ValueError: as :func:`check_fit`. Nothing was loaded then.
    """
    if not classifier:
        state = with_own_classifier(state, network)
    own = network.state_dict()
    check_fit(state, {key: tensor.shape for key, tensor in own.items()}, network, source)
    tensors = {key: paddle.to_tensor(np.ascontiguousarray(state[key])) for key in own}
    network.set_state_dict({key: tensors[key].astype(own[key].dtype) for key in own})


def with_own_classifier(
    tensors: Mapping[str, np.ndarray], network: nn.Layer
) -> dict[str, np.ndarray]:
    """Return the tensors with the network's ``fc`` in place of theirs.

    Where the network has none, not even the convolution before it, these are left out as well.
    """
    own = {k: tensor for k, tensor in network.state_dict().items() if k.startswith(_HEAD)}
    kept = {k: a for k, a in tensors.items() if not k.startswith(_HEAD)}
    kept.update({k: tensors[k] for k in own if not k.startswith("fc.") and k in tensors})
    return {**kept, **{k: tensor.numpy() for k, tensor in own.items() if k.startswith("fc.")}}
