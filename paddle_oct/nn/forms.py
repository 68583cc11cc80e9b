"""The form that an operation takes in eager mode on a CPU, where it differs from a program's.

A program (``to_static``, ONNX) gets the plain form of everything: its compiler fuses and plans
memory. Eager mode does neither. On a CPU it convolves with one matrix product per sample, and a
large result costs more in fresh pages than in arithmetic: at ``[8, 128, 56, 56]`` an addition takes
5 ms, the same addition in place 0.2 ms. So here small maps are convolved a whole batch at a time,
and a result that nobody else holds is overwritten.

A layer that somebody watches through a hook is left alone: its calls, the sizes it sees and the
tensors it returned are those of the plain form. So are all counts of ``paddle.flops``.
"""

from __future__ import annotations

from typing import Any, Callable

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from .feature import OctaveFeature, down2, map_bands, runs_eagerly

# Their gradients do not need what they returned, so it may be overwritten in training too.
_KEEPS_NO_OUTPUT = (nn.BatchNorm2D, nn.SyncBatchNorm)


def _watched(layer: nn.Layer) -> bool:
    if layer._forward_pre_hooks or layer._forward_post_hooks:
        return True
    parts = layer._sub_layers
    return bool(parts) and any(_watched(part) for part in parts.values() if part is not None)


def convolve(conv: nn.Conv2D, x: Tensor, halve: bool = False) -> Tensor:
    """Return ``conv(x)``, or of ``x`` halved by :func:`down2`.

    A matrix product per sample reads the whole kernel for each of them, and the gradient writes it
    as often. Where a sample's maps are small beside the kernel, the samples are laid one below the
    other instead, a row of zeros between them if the kernel reaches over the edge, and convolved as
    one image. What was made of ``x`` on the way is made again for the gradient rather than kept.
    """
    if not runs_eagerly():
        return conv(down2(x) if halve else x)
    return _convolve_eagerly(conv, x, halve)


def _convolve_eagerly(conv: nn.Conv2D, x: Tensor, halve: bool) -> Tensor:
    # Apart: what runs inside to_static must not be closed over, or it finds a cell to call.
    source = x
    if halve:
        x = _with_saved(lambda: down2(source), source, down2, keep=source)
    if not _is_kernel_bound(conv, x):
        return _with_saved(lambda: conv(x), source, down2, drop=x) if halve else conv(x)

    batch, _, height, width = x.shape
    gap = conv._kernel_size[0] // 2
    image = _as_one_image(x, gap)
    y = _with_saved(
        lambda: conv(image),
        source,
        lambda x: _as_one_image(down2(x) if halve else x, gap),
        drop=image,
    )
    y = y.reshape([conv._out_channels, batch, height + gap, width]).transpose([1, 0, 2, 3])
    return (y[:, :, :height] if gap else y).contiguous()  # once; every reader would do it again


def _as_one_image(x: Tensor, gap: int) -> Tensor:
    batch, channels, height, width = x.shape
    if gap:
        x = F.pad(x, [0, 0, 0, gap])
    return x.transpose([1, 0, 2, 3]).reshape([1, channels, batch * (height + gap), width])


def _with_saved(
    run: Callable[[], Tensor],
    source: Tensor,
    again: Callable[[Tensor], Tensor],
    *,
    drop: Tensor | None = None,
    keep: Tensor | None = None,
) -> Tensor:
    """Return ``run()``; its gradient has ``again(source)`` where it would have kept ``drop``.

    With ``keep``, where it would have kept anything of another shape than that: average pooling
    keeps its result.
    ``source`` costs nothing, as others keep it too.
    """
    if not paddle.is_grad_enabled():
        return run()

    def pack(kept: Tensor):
        same_shape = keep is not None and kept.shape == keep.shape  # a strided view as a copy
        stays = same_shape if drop is None else kept.data_ptr() != drop.data_ptr()
        return (kept, None) if stays else (None, source.detach())

    @paddle.no_grad()
    def unpack(packed) -> Tensor:
        kept, made_of = packed
        return again(made_of) if kept is None else kept

    watcher = WatchSaved.active
    if watcher is not None:
        return watcher.beneath(run, lambda kept: watcher.see(pack(kept)), unpack)
    hooks = paddle.autograd.saved_tensors_hooks(pack, unpack)
    try:
        hooks.__enter__()
    except ValueError:  # Paddle allows one pair of hooks at a time, and somebody has set theirs
        return run()
    try:
        return run()
    finally:
        hooks.__exit__(None, None, None)


class WatchSaved:
    """Call a function with every Tensor that autograd keeps, also where a form has its own hooks.

    Args:
        see: is given the Tensor, and returns what autograd shall keep in its place.
    """

    active: WatchSaved | None = None

    def __init__(self, see: Callable[[Tensor], Tensor]) -> None:
        self._see = see
        self._hooks = paddle.autograd.saved_tensors_hooks(see, lambda kept: kept)

    def __enter__(self) -> None:
        self._hooks.__enter__()
        WatchSaved.active = self

    def __exit__(self, *error: Any) -> None:
        WatchSaved.active = None
        self._hooks.__exit__(*error)

    def see(self, packed: tuple) -> tuple:
        """See what a form keeps: a Tensor, or the one from which it is made again."""
        return tuple(None if tensor is None else self._see(tensor) for tensor in packed)

    def beneath(self, run: Callable[[], Tensor], pack: Callable, unpack: Callable) -> Tensor:
        """Return ``run()`` under other hooks, of which Paddle allows one pair at a time."""
        self._hooks.__exit__(None, None, None)
        try:
            with paddle.autograd.saved_tensors_hooks(pack, unpack):
                return run()
        finally:
            self._hooks.__enter__()


def _is_kernel_bound(conv: nn.Conv2D, x: Tensor) -> bool:
    """Whether ``conv(x)`` is faster as one image; where that starts was measured."""
    batch, channels, height, width = x.shape
    if batch == 1 or type(conv) is not nn.Conv2D or not x.place.is_cpu_place() or _watched(conv):
        return False
    same = [k // 2 for k in conv._kernel_size]
    # For its gradient the 3x3 of a whole batch unfolds as one matrix, which costs memory.
    sizes = ([1, 1],) if paddle.is_grad_enabled() else ([1, 1], [3, 3])
    plain = (
        conv._kernel_size in sizes
        and conv._padding in (same[0], same)
        and conv._padding_mode == "zeros"
        and conv._stride == conv._dilation == [1, 1]
        and conv._groups == 1
    )
    maps = (channels + conv._out_channels) * height * width
    return plain and channels * conv._out_channels >= 2 * maps > 0


def plus(y: Tensor, x: Tensor, source: nn.Layer, keeps_output: bool = True) -> Tensor:
    """Return ``y + x``, in the place of ``y`` where that is free.

    Args:
        y: what ``source`` has just returned and nothing else will read.
        x: what to add to it.
        source: the layer that made ``y``.
        keeps_output: whether the gradient of ``source`` may need what it returned. That of a
            convolution does not.
    """
    if not runs_eagerly():
        return y + x
    free = (
        _overwrites(y, source)
        and y.dtype == x.dtype
        and y.shape == x.shape
        and not (keeps_output and paddle.is_grad_enabled())
    )
    return y.add_(x) if free else y + x


def activate(
    act: nn.Layer, x: OctaveFeature, norms: tuple[nn.Layer | None, nn.Layer | None] = (None, None)
) -> OctaveFeature:
    """Return ``act`` of both bands, in the place of ``x`` where that is free.

    Args:
        act: the activation.
        x: what ``norms`` have just returned and nothing else will read.
        norms: the layers that made the bands of ``x``; none for a sum.
    """
    return map_bands(_form_of(act, x[0], norms[0]), x, _form_of(act, x[1], norms[1]))


def _form_of(act: nn.Layer, x: Tensor | None, norm: nn.Layer | None) -> Callable:
    if not runs_eagerly() or type(act) is not nn.ReLU or x is None:
        return act
    keeps_no_output = norm is None or type(norm) in _KEEPS_NO_OUTPUT
    return _relu_in_place if keeps_no_output and _overwrites(x, act, norm) else act


def _relu_in_place(x: Tensor) -> Tensor:
    # Asked again: to_static may trace this alone, and warns of operations in place.
    return F.relu_(x) if runs_eagerly() else F.relu(x)


def _overwrites(x: Tensor, *layers: nn.Layer | None) -> bool:
    """Whether ``x`` may be overwritten if only these layers had a hand in it."""
    watched = any(_watched(layer) for layer in layers if layer is not None)
    return x.place.is_cpu_place() and not watched
