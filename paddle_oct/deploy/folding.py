"""Folding: a copy of a network with nothing in it that inference does not need."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple, Sequence

import numpy as np
import paddle
from paddle import Tensor, nn

from paddle_oct.nn import Conv_BN, Conv_BN_ACT, OctaveConv

from .folded import Affine, FoldedConvBN, fold_octave_conv, new_conv, scaled

_NORMS = (nn.BatchNorm2D, nn.BatchNorm, nn.SyncBatchNorm)
_DROPOUTS = (nn.Dropout, nn.Dropout2D, nn.Dropout3D, nn.AlphaDropout)
_ACTIVATIONS = {None: nn.Identity, "relu": nn.ReLU}  # of paddle.nn.BatchNorm(act=...)


class _Pair(NamedTuple):
    """A convolution and the norms of its output, by their names in the network.

    An ordinary convolution has its norm in the first place, an octave one has one per band.
    """

    conv: str
    norms: tuple[str | None, str | None]


def fold(model: nn.Layer, input_size: Sequence[int] = (1, 3, 224, 224)) -> nn.Layer:
    """Return a copy of a network for inference.

    Batch-norms are folded into the convolution before them: of an octave convolution, that of the
    high band into h2h and l2h, that of the low band into l2l and h2l. Octave convolutions take the
    form that engines run fastest (:mod:`paddle_oct.deploy.folded`), dropout goes.

    Which norm follows which convolution is seen by running the network once: a pair is folded where
    the norm's input is the very Tensor that the convolution returned, and both ran once. Whether
    something else read that Tensor too is found out by folding: with norms set at random the folded
    network must return the same; pairs for which it doesn't stay as they are.

    Args:
        model: any network that takes one Tensor. It is not changed; it is folded as if in
            evaluation mode, whatever mode it is in.
        input_size: the shape of an input with which it can be run.

    Returns:
        A network in evaluation mode with the same outputs, to 1e-5 of their largest value.

    Raises:
        TypeError: it is not a ``paddle.nn.Layer``.
        ValueError: it can't be run on an input of this size.

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
    pairs = _find_pairs(network, x)
    probe = _copy(network)
    randomise_norms(probe, x)
    before = outputs(run(probe, x))
    tolerance = min(0.1, max(1e-4, rounding(probe, x, before)))
    pairs = _foldable(probe, before, pairs, x, tolerance)
    for folded in (probe, network):
        _fold_in_place(folded, pairs)
        _drop(folded)
    after = outputs(run(probe, x))
    if not all(_equal(a, b, tolerance) for a, b in zip(before, after)):
        worst = max(float(np.abs(a - b).max()) for a, b in zip(before, after))
        raise RuntimeError(
            f"fold: {type(model).__name__} returns other values when folded (off by {worst:.2g}); "
            f"this is a defect of paddle_oct, please report it with the network"
        )
    return network


def example(size: Sequence[int]) -> Tensor:
    """Return a random input of a size, the same every time."""
    values = np.random.default_rng(0).standard_normal(tuple(size))
    return paddle.to_tensor(values.astype(np.float32))


def run(network: nn.Layer, x: Tensor) -> Any:
    """Run a network without gradients.

    Raises:
        ValueError: it fails.
    """
    try:
        with paddle.no_grad():
            return network(x)
    except Exception as error:
        raise ValueError(
            f"{type(network).__name__} can't be run on an input of shape {list(x.shape)}: "
            f"{str(error).strip().splitlines()[-1] if str(error).strip() else error!r}"
        ) from error


def outputs(result: Any) -> list[np.ndarray]:
    """Return what a network returned as arrays, one per Tensor in it."""
    if result is None:
        return []
    if isinstance(result, Tensor):
        return [result.numpy()]
    if isinstance(result, dict):
        result = list(result.values())
    if not isinstance(result, (tuple, list)):
        raise ValueError(f"a network must return Tensors, got {type(result).__name__}")
    return [array for part in result for array in outputs(part)]


def rounding(network: nn.Layer, x: Tensor, expected: list[np.ndarray]) -> float:
    """Return the error of its outputs, relative to the largest, that rounding may explain.

    That is ten times what a nudge of the input does to them. Deep networks that are not trained
    amplify it a thousandfold and more, those with squeeze-and-excitation beyond all bounds.
    """
    nudged = outputs(run(network, x * (1 + 1e-6)))
    return 10 * max(
        float(np.abs(a - b).max(initial=0)) / max(1e-6, float(np.abs(a).max(initial=0)))
        for a, b in zip(expected, nudged)
    )


def _equal(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    scale = max(1e-6, float(np.abs(a).max())) if a.size else 1.0
    return a.shape == b.shape and bool(np.abs(a - b).max(initial=0) <= tolerance * scale)


def _copy(model: nn.Layer) -> nn.Layer:
    network = copy.deepcopy(model)
    network.eval()
    return network


def _names(network: nn.Layer) -> dict[int, str]:
    return {id(layer): name for name, layer in network.named_sublayers(include_self=True)}


def _find_pairs(network: nn.Layer, x: Tensor) -> list[_Pair]:
    """Run the network and return which norms read what a convolution returned."""
    names = _names(network)
    blocks = [layer for layer in network.sublayers() if type(layer) in (Conv_BN, Conv_BN_ACT)]
    known = {id(inner) for block in blocks for inner in block.sublayers()}
    convs = [layer for layer in network.sublayers() if isinstance(layer, OctaveConv)]
    known |= {id(inner) for conv in convs for inner in conv.sublayers()}

    calls: dict[int, int] = {}
    made: dict[int, tuple[nn.Layer, int]] = {}  # by Tensor: the convolution, and which band
    found: dict[int, list[nn.Layer | None]] = {}  # by convolution: its norms
    alive = []  # so that no Tensor takes the identity of one that is gone

    def after(layer, inputs, output):
        calls[id(layer)] = calls.get(id(layer), 0) + 1
        if isinstance(layer, _NORMS):
            conv, band = made.get(id(inputs[0]), (None, 0))
            if conv is not None and _is_affine(layer):
                found.setdefault(id(conv), [None, None])[band] = layer
            return
        bands = output if isinstance(output, tuple) else (output,)
        for band, tensor in enumerate(bands):
            if tensor is not None:
                alive.append(tensor)
                made[id(tensor)] = (layer, band)

    hooks = []
    watched = {}
    for layer in network.sublayers():
        if id(layer) not in known and isinstance(layer, (OctaveConv, nn.Conv2D, *_NORMS)):
            watched[id(layer)] = layer
            hooks.append(layer.register_forward_post_hook(after))
    try:
        run(network, x)
    finally:
        for hook in hooks:
            hook.remove()

    pairs = []
    for block in blocks:
        norms = (block.bn_h, block.bn_l)
        if all(norm is None or (isinstance(norm, _NORMS) and _is_affine(norm)) for norm in norms):
            pairs.append(_Pair(names[id(block)], (None, None)))
    for conv, norms in found.items():
        if all(calls[i] == 1 for i in (conv, *(id(n) for n in norms if n is not None))):
            of_norms = [None if norm is None else names[id(norm)] for norm in norms]
            pairs.append(_Pair(names[conv], tuple(of_norms)))
    return pairs


def _is_affine(norm: nn.Layer) -> bool:
    """Whether a norm uses its running statistics at inference, and nothing but channels."""
    return (
        norm._use_global_stats is not False
        and norm._data_format in ("NCHW", "NCL", "NC")
        and getattr(norm, "_act", None) in _ACTIVATIONS
    )


def _affine(norm: nn.Layer | None) -> Affine | None:
    if norm is None:
        return None
    mean, variance = (t.numpy().astype(np.float64) for t in (norm._mean, norm._variance))
    gamma = 1.0 if norm.weight is None else norm.weight.numpy().astype(np.float64)
    beta = 0.0 if norm.bias is None else norm.bias.numpy().astype(np.float64)
    scale = gamma / np.sqrt(variance + norm._epsilon)
    return Affine(scale, beta - mean * scale)


def _foldable(
    probe: nn.Layer,
    expected: list[np.ndarray],
    pairs: list[_Pair],
    x: Tensor,
    tolerance: float,
) -> list[_Pair]:
    """Return the pairs that may be folded: those with which the result remains the expected one."""

    def good(candidates: list[_Pair]) -> list[_Pair]:
        if not candidates:
            return []
        trial = _copy(probe)
        _fold_in_place(trial, candidates)
        result = outputs(run(trial, x))
        if all(_equal(a, b, tolerance) for a, b in zip(expected, result)):
            return candidates
        if len(candidates) == 1:
            return []
        half = len(candidates) // 2
        return good(candidates[:half]) + good(candidates[half:])

    return good(pairs)


def randomise_norms(network: nn.Layer, x: Tensor) -> None:
    """Give every norm scale, shift and statistics of its own, as if the network had been trained.

    With statistics that fit, for in a deep network whose norms do nothing the values grow until
    rounding decides the output.

    Args:
        network: left in evaluation mode.
        x: an input with which it can be run.
    """
    rng = np.random.default_rng(0)

    def set_norm(norm: nn.Layer, inputs: tuple) -> None:
        values = inputs[0].numpy()
        axes = tuple(i for i in range(values.ndim) if i != 1)
        noise = rng.uniform(0.7, 1.3, [3, values.shape[1]]).astype(np.float32)
        norm._mean.set_value(values.mean(axes) * noise[0])
        norm._variance.set_value((values.var(axes) + values.var() + 1e-3) * noise[1])
        if norm.weight is not None:
            norm.weight.set_value(noise[2])
        if norm.bias is not None:
            norm.bias.set_value(noise[2] - 1)

    network.eval()
    norms = [layer for layer in network.sublayers() if isinstance(layer, _NORMS)]
    hooks = [norm.register_forward_pre_hook(set_norm) for norm in norms]
    try:
        run(network, x)
    finally:
        for hook in hooks:
            hook.remove()


def _fold_in_place(network: nn.Layer, pairs: list[_Pair]) -> None:
    layers = dict(network.named_sublayers(include_self=True))
    for pair in pairs:
        layer = layers[pair.conv]
        norms = tuple(None if name is None else layers[name] for name in pair.norms)
        if isinstance(layer, Conv_BN):
            affines = (_affine(layer.bn_h), _affine(layer.bn_l))
            folded = FoldedConvBN(
                fold_octave_conv(layer.conv, affines), getattr(layer, "act", None)
            )
        elif isinstance(layer, OctaveConv):
            folded = fold_octave_conv(layer, tuple(_affine(norm) for norm in norms))
        else:
            folded = new_conv(layer, *scaled(layer, _affine(norms[0])))
        _replace(network, pair.conv, folded)
        for name in pair.norms:
            if name is not None:
                act = getattr(layers[name], "_act", None)
                _replace(network, name, _ACTIVATIONS[act]())


def _drop(network: nn.Layer) -> None:
    """Replace dropout, and give octave convolutions without a norm their form for inference."""
    for name, layer in list(network.named_sublayers()):
        # "downscale_in_infer" is a multiplication at inference.
        if type(layer) in _DROPOUTS and getattr(layer, "mode", "") != "downscale_in_infer":
            _replace(network, name, nn.Identity())
        elif isinstance(layer, OctaveConv) and type(layer).forward is OctaveConv.forward:
            _replace(network, name, fold_octave_conv(layer))
    network.eval()


def _replace(network: nn.Layer, name: str, layer: nn.Layer) -> None:
    *parents, own = name.split(".")
    parent = network
    for part in parents:
        parent = parent._sub_layers[part]
    parent._sub_layers[own] = layer
