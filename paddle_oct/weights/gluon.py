"""The layout of MXNet's Gluon networks, such as those of the authors of octave convolution."""

from __future__ import annotations

from typing import Collection, Mapping

import numpy as np
from paddle import nn

from .layouts import ForeignLayout

_PARAMETERS = {
    "weight": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "running_mean": "_mean",
    "running_var": "_variance",
}
_EPSILON = np.float32(1e-5)  # of the norms of both


class GluonLayout(ForeignLayout):
    """Weights as Gluon's ``save_parameters`` names them; args as in :class:`ForeignLayout`.

    The table renames the layers. Besides, ``gamma``, ``beta`` and the statistics of norms get
    Paddle's names, and a classifier that is a 1x1 convolution becomes the linear layer ``fc``.
    """

    def recognises(self, names: Collection[str], network: nn.Layer) -> bool:
        """Whether the scale of a norm is called ``gamma``, as in MXNet alone."""
        return any(name.endswith(".gamma") for name in names)

    def to_state(
        self,
        tensors: Mapping[str, np.ndarray],
        network: nn.Layer,
        origin: str,
        *,
        classifier: bool = True,
    ) -> dict[str, np.ndarray]:
        """See :class:`ForeignLayout`."""
        state: dict[str, np.ndarray] = {}
        for name, array in tensors.items():
            layer, _, parameter = name.rpartition(".")
            ours = f"{self.names.here(layer)}.{_PARAMETERS.get(parameter, parameter)}"
            if ours == "fc.weight" and array.shape[2:] == (1, 1):
                array = array[:, :, 0, 0].T
            # If two tensors get one name, the second keeps its own and is reported as left over.
            state[name if ours in state else ours] = array
        _absorb_free_norms(state, network)
        return state


def _absorb_free_norms(state: dict[str, np.ndarray], network: nn.Layer) -> None:
    """Remove scale and shift of the norms that have neither here, without changing the output.

    MXNet stores both, but uses 1 as the scale whatever is stored. The shift, which training leaves
    at 0, is moved into the mean.
    """
    own = network.state_dict()
    for layer in [key[: -len("._mean")] for key in own if key.endswith("._mean")]:
        if f"{layer}.weight" in own:
            continue
        names = [f"{layer}.{name}" for name in ("weight", "bias", "_mean", "_variance")]
        if not all(name in state for name in names):
            continue
        _, bias, mean, variance = (state[name] for name in names)
        if not bias.shape == mean.shape == variance.shape:
            continue  # load_state will report the shapes
        if bias.any():
            state[f"{layer}._mean"] = mean - bias * np.sqrt(variance + _EPSILON)
        del state[f"{layer}.weight"], state[f"{layer}.bias"]
