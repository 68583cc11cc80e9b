"""Which norms follow which convolution, found by running the network once."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple, Optional, Sequence, Tuple

from paddle import Tensor, nn

from paddle_oct.nn import Conv_BN, Conv_BN_ACT, OctaveConv

from .norms import NORMS, is_affine
from .probing import run


class Pair(NamedTuple):
    """A convolution and the norms of its output, by their names in the network.

    Attributes:
        conv: a ``Conv2D``, an ``OctaveConv``, or a whole ``Conv_BN``, whose norms are inside it.
        norms: those of the high and of the low band; the norm of an ordinary convolution is the
            first. None where there is no norm, and for those inside a ``Conv_BN``.
    """

    conv: str
    norms: Tuple[Optional[str], Optional[str]]


class _Made(NamedTuple):
    """A Tensor that a convolution returned; ``band`` is 1 for the low band, else 0."""

    tensor: Tensor
    conv: nn.Layer
    band: int


class _Watch:
    """A hook that sees what the convolutions and norms of a network do in one run.

    Attributes:
        calls: how often each of them ran.
        norms: for each convolution, the norms that read its high and its low band.
    """

    def __init__(self) -> None:
        self.calls: Counter[nn.Layer] = Counter()
        self.norms: dict[nn.Layer, list[nn.Layer | None]] = {}
        self._made: list[_Made] = []

    def __call__(self, layer: nn.Layer, inputs: Any, output: Any) -> Any:
        self.calls[layer] += 1
        if isinstance(layer, NORMS):
            self._note_norm(layer, inputs[0])
            return
        for band, tensor in enumerate(output if isinstance(output, tuple) else (output,)):
            if tensor is not None:
                self._made.append(_Made(tensor, layer, band))

    def _note_norm(self, norm: nn.Layer, x: Tensor) -> None:
        made = next((made for made in self._made if made.tensor is x), None)
        if made is not None and is_affine(norm):
            self.norms.setdefault(made.conv, [None, None])[made.band] = norm


def find_pairs(network: nn.Layer, x: Tensor) -> list[Pair]:
    """Return the convolutions whose output is read by norms that can be folded into them.

    Except for a ``Conv_BN``, which is a pair by itself, the convolution and its norms must each run
    exactly once. This does not find out whether something else reads the convolution's output too.

    Args:
        network: a network in evaluation mode.
        x: an input for the network.

    Raises:
        ValueError: the network can't be run on ``x``.
    """
    names = {layer: name for name, layer in network.named_sublayers(include_self=True)}
    blocks = [layer for layer in network.sublayers() if _is_block(layer)]
    whole = [*blocks, *(layer for layer in network.sublayers() if isinstance(layer, OctaveConv))]
    within = {inner for layer in whole for inner in layer.sublayers()}
    watched = [
        layer
        for layer in network.sublayers()
        if isinstance(layer, (OctaveConv, nn.Conv2D, *NORMS)) and layer not in within
    ]
    watch = _run_watched(network, watched, x)

    pairs = [Pair(names[block], (None, None)) for block in blocks if _has_affine_norms(block)]
    for conv, norms in watch.norms.items():
        if all(watch.calls[layer] == 1 for layer in (conv, *norms) if layer is not None):
            high, low = (None if norm is None else names[norm] for norm in norms)
            pairs.append(Pair(names[conv], (high, low)))
    return pairs


def _is_block(layer: nn.Layer) -> bool:
    """Whether a layer is exactly ``Conv_BN`` or ``Conv_BN_ACT``; a subclass may differ."""
    return type(layer) in (Conv_BN, Conv_BN_ACT)


def _has_affine_norms(block: Any) -> bool:
    return all(norm is None or is_affine(norm) for norm in (block.bn_h, block.bn_l))


def _run_watched(network: nn.Layer, layers: Sequence[nn.Layer], x: Tensor) -> _Watch:
    watch = _Watch()
    hooks = [layer.register_forward_post_hook(watch) for layer in layers]
    try:
        run(network, x)
    finally:
        for hook in hooks:
            hook.remove()
    return watch
