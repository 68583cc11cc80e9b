"""The layout of vanilla networks: kernels to be cut into four, norms into two."""

from __future__ import annotations

import re
from typing import Callable, Collection, Mapping

import numpy as np
from paddle import nn

from paddle_oct.nn import Conv_BN, OctaveConv

from .layouts import ForeignLayout
from .strict import check_fit, with_own_classifier

_OCTAVE_KERNEL = re.compile(r"\.conv_[hl]2[hl]\.")
_Cut = Callable[[np.ndarray], dict[str, np.ndarray]]  # one tensor there, several here


class VanillaLayout(ForeignLayout):
    """Weights of the vanilla network that an octave network replaces.

    The four kernels are the blocks of the vanilla one, high channels first (paper, Fig. 2b), and
    the norms of the bands hold its channels in the same order. The blocks of paths that are
    switched off (``h2l``, ``l2h``) are left out.

    Args:
        rows: as in :class:`ForeignLayout`. The convolution of a ``Conv_BN`` called ``name`` is
            ``name.conv``, without a path, and its two norms are ``name.bn``.
    """

    def recognises(self, names: Collection[str], network: nn.Layer) -> bool:
        """Whether the network has octave kernels, and the file has none."""
        octave = any(map(_OCTAVE_KERNEL.search, network.state_dict()))
        return octave and not any(map(_OCTAVE_KERNEL.search, names))

    def to_state(
        self,
        tensors: Mapping[str, np.ndarray],
        network: nn.Layer,
        origin: str,
        *,
        classifier: bool = True,
    ) -> dict[str, np.ndarray]:
        """See :class:`ForeignLayout`; the error names the tensors as the vanilla network does."""
        if not classifier:
            tensors = with_own_classifier(tensors, network)
        shapes, cuts = self._expected(network)
        check_fit(tensors, shapes, network, origin)
        return {key: part for name, cut in cuts.items() for key, part in cut(tensors[name]).items()}

    def _expected(self, network: nn.Layer) -> tuple[dict[str, list[int]], dict[str, _Cut]]:
        """Return the shapes of the vanilla network's tensors, and how to cut them, by name."""
        shapes: dict[str, list[int]] = {}
        cuts: dict[str, _Cut] = {}
        split = []
        for path, layer in network.named_sublayers():
            if not isinstance(layer, Conv_BN):
                continue
            conv = layer.conv
            kernel = f"{self.names.there(f'{path}.conv')}.weight"
            shapes[kernel] = [conv.out_channels, conv.in_channels // conv.groups, *conv.kernel_size]
            cuts[kernel] = _cut_kernel(conv, path)
            for parameter in ("weight", "bias", "_mean", "_variance"):
                name = f"{self.names.there(f'{path}.bn')}.{parameter}"
                shapes[name] = [conv.out_channels]
                cuts[name] = _cut_norm(conv, path, parameter)
            split.append(f"{path}.")
        for key, tensor in network.state_dict().items():
            if key.startswith(tuple(split)):
                continue
            name = self.names.there(key)
            shapes[name] = list(tensor.shape)
            cuts[name] = lambda array, key=key: {key: array}
        return shapes, cuts


def _cut_kernel(conv: OctaveConv, path: str) -> _Cut:
    def cut(kernel: np.ndarray) -> dict[str, np.ndarray]:
        parts = conv.split_kernel(kernel)
        return {f"{path}.conv.{name}.weight": part for name, part in parts.items()}

    return cut


def _cut_norm(conv: OctaveConv, path: str, parameter: str) -> _Cut:
    high, low = conv.out_bands

    def cut(array: np.ndarray) -> dict[str, np.ndarray]:
        bands = {"bn_h": array[:high]} if high else {}
        if low:
            bands["bn_l"] = array[high:]
        return {f"{path}.{norm}.{parameter}": part for norm, part in bands.items()}

    return cut
