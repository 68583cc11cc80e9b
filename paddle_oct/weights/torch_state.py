"""PyTorch's weights: ``.pth`` and ``.pt`` are read with PyTorch, other formats without."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Mapping

import numpy as np

from paddle_oct.base.errors import first_line

from .paddle_params import from_bfloat16

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


def read_torch(path: str | Path) -> dict[str, np.ndarray]:
    """Read a state dict that ``torch.save`` wrote, also one wrapped as ``{"state_dict": ...}``.

    Raises:
        ValueError: PyTorch is not installed, or the file is no such file, is damaged, or holds
            anything but plain data, such as a whole network. No code in it is run.
        OSError: it can't be read.
    """
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ValueError(
            f"{path}: reading it needs PyTorch (pip install 'paddle_oct[torch]'); or save the "
            "state dict there as .safetensors or .npz"
        ) from error
    with open(path, "rb"):
        pass  # PyTorch reports a missing file in its own words
    try:
        state = torch.load(str(path), map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path}: can't be read as a PyTorch state dict, weights only ({first_line(error)})"
        ) from error
    tensors = {}
    for name, value in _unwrap(state, path).items():
        if not isinstance(value, torch.Tensor):
            raise ValueError(
                f"{path}: holds more than a state dict: {name!r} is {type(value).__name__}"
            )
        if value.dtype == torch.bfloat16:
            value = value.float()
        tensors[name] = value.detach().numpy()
    return tensors


def _unwrap(state: Any, path: str | Path) -> dict[str, Any]:
    """Return the state dict, also that within a checkpoint which holds other things, too."""
    if isinstance(state, dict):
        for key in ("state_dict", "model_state_dict", "model"):
            if isinstance(state.get(key), dict):
                return state[key]
        if all(isinstance(name, str) for name in state):
            return state
    raise ValueError(f"{path}: holds no state dict but {type(state).__name__}")


_SAFETENSORS_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def read_safetensors(path: str | Path) -> dict[str, np.ndarray]:
    """Read a ``.safetensors`` file.

    Raises:
        ValueError: the package ``safetensors`` is not installed, or the file is not in this format.
        OSError: it can't be read.
    """
    try:
        from safetensors import deserialize
    except ImportError as error:
        raise ValueError(
            f"{path}: reading it needs safetensors (pip install 'paddle_oct[safetensors]')"
        ) from error
    data = Path(path).read_bytes()
    try:
        entries = deserialize(data)
    except Exception as error:
        raise ValueError(f"{path}: can't be read as safetensors ({first_line(error)})") from error
    tensors = {}
    for name, entry in entries:
        if entry["dtype"] not in _SAFETENSORS_DTYPES:
            raise ValueError(f"{path}: {name} has elements of type {entry['dtype']}")
        array = np.frombuffer(bytes(entry["data"]), _SAFETENSORS_DTYPES[entry["dtype"]])
        array = array.reshape(entry["shape"])
        tensors[name] = from_bfloat16(array) if entry["dtype"] == "BF16" else array
    return tensors


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays of a ``.npz`` file; pickled objects are refused.

    Raises:
        ValueError: the file is not in this format.
        OSError: it can't be read.
    """
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError(f"{path}: not a .npz file, or truncated")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # from zip, zlib or NumPy's header
        raise ValueError(f"{path}: can't be read as .npz ({first_line(error)})") from error
