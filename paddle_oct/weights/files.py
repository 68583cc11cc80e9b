"""Files of weights of any format: reading, and writing Paddle's."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Callable, cast

import numpy as np
import paddle
from paddle import nn

from paddle_oct.base.files import write_atomically

from .mxnet_params import read_mxnet
from .npz import read_npz
from .paddle_params import read_paddle
from .safetensors_files import read_safetensors
from .torch_files import read_torch

_READERS: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {
    ".params": read_mxnet,
    ".pth": read_torch,
    ".pt": read_torch,
    ".safetensors": read_safetensors,
    ".npz": read_npz,
}


def read_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Read the tensors of a file under the names that they have there.

    Args:
        path: an MXNet file (``.params``), a PyTorch one (``.pth``, ``.pt``), ``.safetensors``,
            ``.npz``, or, under any other name, one of Paddle's (``.pdparams``).

    Raises:
        ValueError: there is no such file, it is not what its name says, it is damaged, or it
            unfolds to far more than its size; or it needs a package that is not installed. Nothing
            in the file is run.
    """
    path = Path(path)
    return _READERS.get(path.suffix.lower(), read_paddle)(path)


def save_weights(network: nn.Layer, path: str | Path) -> None:
    """Write a network's state dict as a ``.pdparams`` file, all of it or nothing."""
    save_state({key: tensor.numpy() for key, tensor in network.state_dict().items()}, path)


def save_state(state: dict[str, np.ndarray], path: str | Path) -> None:
    """Write a state dict as a ``.pdparams`` file, all of it or nothing."""
    buffer = io.BytesIO()
    paddle.save(cast("dict[str, Any]", state), buffer)  # Paddle writes arrays as it writes Tensors
    write_atomically(Path(path), buffer.getvalue())
