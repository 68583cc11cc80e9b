"""What autograd keeps for the gradient: made again in place of kept, and watched."""

from __future__ import annotations

from typing import Any, Callable

import paddle
from paddle import Tensor


def with_saved(
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
