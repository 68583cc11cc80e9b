"""State dicts as PyTorch has them, whatever file they come from."""

from __future__ import annotations

from typing import Mapping

import numpy as np

_STATISTICS = {"running_mean": "_mean", "running_var": "_variance"}
_COUNTER = "num_batches_tracked"


def from_torch_names(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the tensors of a PyTorch state dict as Paddle has them, and all others as they are.

    In PyTorch statistics of norms have other names, and the weights of linear layers are
    transposed. A state dict is taken for PyTorch's if it has statistics with PyTorch's names and no
    ``gamma`` beside them, which MXNet has.
    """
    layers = {name.rpartition(".")[0] for name in tensors if name.endswith(tuple(_STATISTICS))}
    if not layers or any(f"{layer}.gamma" in tensors for layer in layers):
        return dict(tensors)
    state = {}
    for name, array in tensors.items():
        layer, dot, parameter = name.rpartition(".")
        if parameter == _COUNTER and f"{layer}{dot}running_mean" in tensors:
            continue
        if parameter == "weight" and array.ndim == 2:
            array = array.T
        ours = f"{layer}{dot}{_STATISTICS.get(parameter, parameter)}"
        # If Paddle's name is taken already, the tensor keeps its own and is reported as left over.
        state[name if ours in tensors else ours] = array
    return state
