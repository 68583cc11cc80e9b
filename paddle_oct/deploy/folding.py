"""Folding: a copy of a network with nothing in it that inference does not need."""

from __future__ import annotations

import copy
from typing import Callable, List, Sequence

from paddle import Tensor, nn

from paddle_oct.base.private import sub_layers
from paddle_oct.nn import Conv_BN, OctaveConv

from .folded import FoldedConvBN, fold_octave_conv, new_conv, scaled
from .norms import activation_of, affine_of, randomise_norms
from .pairing import Pair, find_pairs
from .probing import example, outputs, relative_difference, rounding, run

_DROPOUTS = (nn.Dropout, nn.Dropout2D, nn.Dropout3D, nn.AlphaDropout)
_TOLERANCE = 1e-6
_LARGEST_TOLERANCE = 0.1  # of a pair; a larger one would accept wrong pairs


def fold(model: nn.Layer, input_size: Sequence[int] = (1, 3, 224, 224)) -> nn.Layer:
    """Return a copy of a network for inference.

    Batch-norms are folded into the convolution before them: of an octave convolution, that of the
    high band into h2h and l2h, that of the low band into l2l and h2l. Octave convolutions get the
    implementation that engines run fastest (:mod:`paddle_oct.deploy.folded`); dropout is removed.

    The network is run once to see which norm follows which convolution: a pair is folded if the
    norm's input is the very Tensor that the convolution returned, and each of them ran once. To
    find out whether something else read that Tensor too, a copy of the network with random norms is
    folded, and must return the same; pairs for which it does not are left as they are. That copy is
    in float64 if the network can be run so.

    Args:
        model: any network that takes one Tensor. It is not changed; it is folded as if in
            evaluation mode, whatever mode it is in.
        input_size: the shape of an input with which it can be run.

    Returns:
        A network in evaluation mode with the same outputs but for rounding: the copy is checked to
        1e-6 of the largest value, or to what rounding explains in it if that is more.

    Raises:
        TypeError: ``model`` is not a ``paddle.nn.Layer``.
        ValueError: the network can't be run on an input of this size.
        RuntimeError: the folded network returns other values, which is a defect of this package.

    Examples:
        >>> import paddle
        >>> from paddle_oct import oct_mobilenet_v1
        >>> from paddle_oct.deploy import fold
        >>> model = oct_mobilenet_v1(scale=0.25, num_classes=10)
        >>> _ = model.eval()
        >>> folded = fold(model, (1, 3, 64, 64))
        >>> x = paddle.rand([1, 3, 64, 64])
        >>> print(bool(paddle.allclose(folded(x), model(x), atol=1e-5)))
        True
    """
    if not isinstance(model, nn.Layer):
        raise TypeError(f"fold: expected a paddle.nn.Layer, got {type(model).__name__}")
    network = _copy(model)
    x = example(input_size)
    probe, probe_x = _probe(network, x)
    expected = outputs(run(probe, probe_x))
    tolerance = max(_TOLERANCE, rounding(probe, probe_x, expected))

    def stays_the_same(pairs: list[Pair]) -> bool:
        trial = _copy(probe)
        _fold_pairs(trial, pairs)
        off = relative_difference(expected, outputs(run(trial, probe_x)))
        return off <= min(tolerance, _LARGEST_TOLERANCE)

    pairs = _passing(find_pairs(network, x), stays_the_same)
    for folded in (probe, network):
        _fold_pairs(folded, pairs)
        _replace_the_rest(folded)
    off = relative_difference(expected, outputs(run(probe, probe_x)))
    if not off <= tolerance:
        raise RuntimeError(
            f"fold: {type(model).__name__} returns other values when folded (off by {off:.2g} of "
            f"the largest); this is a defect of paddle_oct, please report it with the network"
        )
    return network


def _copy(model: nn.Layer) -> nn.Layer:
    network = copy.deepcopy(model)
    network.eval()
    return network


def _probe(network: nn.Layer, x: Tensor) -> tuple[nn.Layer, Tensor]:
    """Return a copy of a network with random norms, and an input for it.

    Both are in float64, where rounding hides nothing, unless the network can only be run in its own
    precision.
    """
    try:
        probe, probe_x = _copy(network), x.astype("float64")
        probe.to(dtype="float64")
        randomise_norms(probe, probe_x)
    except ValueError:
        probe, probe_x = _copy(network), x
        randomise_norms(probe, probe_x)
    return probe, probe_x


def _passing(pairs: list[Pair], test: Callable[[List[Pair]], bool]) -> list[Pair]:
    """Return the pairs that pass a test, by halving the list: most often all pass at once."""
    if not pairs or test(pairs):
        return pairs
    if len(pairs) == 1:
        return []
    half = len(pairs) // 2
    return _passing(pairs[:half], test) + _passing(pairs[half:], test)


def _fold_pairs(network: nn.Layer, pairs: list[Pair]) -> None:
    """Fold the norms of pairs into their convolutions, in place."""
    layers = dict(network.named_sublayers(include_self=True))
    for pair in pairs:
        high, low = (None if name is None else layers[name] for name in pair.norms)
        _replace(network, pair.conv, _folded(layers[pair.conv], high, low))
        for norm in pair.norms:
            if norm is not None:
                _replace(network, norm, activation_of(layers[norm]))


def _folded(layer: nn.Layer, high: nn.Layer | None, low: nn.Layer | None) -> nn.Layer:
    """Return what replaces a convolution that norms follow."""
    if isinstance(layer, Conv_BN):
        affines = (affine_of(layer.bn_h), affine_of(layer.bn_l))
        return FoldedConvBN(fold_octave_conv(layer.conv, affines), getattr(layer, "act", None))
    if isinstance(layer, OctaveConv):
        return fold_octave_conv(layer, (affine_of(high), affine_of(low)))
    assert isinstance(layer, nn.Conv2D)
    return new_conv(layer, *scaled(layer, affine_of(high)))


def _replace_the_rest(network: nn.Layer) -> None:
    """Replace dropout, and octave convolutions without a norm."""
    for name, layer in list(network.named_sublayers()):
        # Dropout in the mode "downscale_in_infer" is a multiplication at inference.
        if type(layer) in _DROPOUTS and getattr(layer, "mode", "") != "downscale_in_infer":
            _replace(network, name, nn.Identity())
        elif isinstance(layer, OctaveConv) and _computes_the_equation(layer):
            _replace(network, name, fold_octave_conv(layer))
    network.eval()


def _computes_the_equation(layer: OctaveConv) -> bool:
    """Whether a layer, of a subclass perhaps, computes what ``OctaveConv`` does."""
    methods = ("forward", "high_output", "low_output")
    return all(getattr(type(layer), name) is getattr(OctaveConv, name) for name in methods)


def _replace(network: nn.Layer, name: str, layer: nn.Layer) -> None:
    *parents, own = name.split(".")
    parent: nn.Layer | None = network
    for part in parents:
        assert parent is not None
        parent = sub_layers(parent)[part]
    assert parent is not None
    sub_layers(parent)[own] = layer
