"""Which feature maps are alive while a network runs, and what its backward pass holds."""

from __future__ import annotations

import bisect
import weakref
from dataclasses import dataclass
from math import prod
from typing import Any, Callable, Iterable, Sequence

from paddle import Tensor

from paddle_oct.base.private import is_allocated


def tensors_in(value: Any) -> list[Tensor]:
    """Return the Tensors in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (tuple, list)):
        return []
    return [tensor for item in value for tensor in tensors_in(item)]


def bytes_of(tensors: Iterable[Tensor]) -> int:
    """Return the memory of Tensors in bytes; one that occurs twice counts once."""
    unique = {id(tensor): tensor for tensor in tensors}
    return sum(prod(tensor.shape) * tensor.element_size() for tensor in unique.values())


@dataclass
class Storage:
    """A piece of memory of one Tensor, or of several that share it.

    Args:
        start: its address.
        size: in bytes, up to the end of the last Tensor that was seen in it.
        tensors: how many of the Tensors that were seen in it are alive.
        fixed: whether it holds a parameter or a buffer.
        kept: whether autograd keeps it.
    """

    start: int
    size: int
    tensors: int = 0
    fixed: bool = False
    kept: bool = False


class FeatureMemory:
    """The memory of the feature maps that are alive.

    Args:
        fixed: parameters and buffers, which are not counted.

    Attributes:
        live: bytes of the feature maps that are alive now.
        peak: the most of :attr:`live` at any :meth:`sample`.
    """

    def __init__(self, fixed: Sequence[Tensor]) -> None:
        self._starts: list[int] = []  # sorted
        self._storages: dict[int, Storage] = {}
        self._references: dict[int, weakref.ref[Tensor]] = {}
        self.live = 0
        self.peak = 0
        for tensor in fixed:
            storage = self.see(tensor)
            if storage is not None and not storage.fixed:
                storage.fixed = True
                self.live -= storage.size

    def see(self, tensor: Tensor) -> Storage | None:
        """Take note of a Tensor and return its storage; None if it is empty or not allocated."""
        size = bytes_of([tensor])
        if not size or not is_allocated(tensor):
            return None
        start = tensor.data_ptr()
        storage = self._holding(start)
        if storage is None:
            storage = self._storages[start] = Storage(start, 0)
            bisect.insort(self._starts, start)
        if start + size > storage.start + storage.size:
            grown = start + size - storage.start - storage.size
            storage.size += grown
            self.live += 0 if storage.fixed else grown
        identity = id(tensor)
        if identity not in self._references:
            storage.tensors += 1
            self._references[identity] = weakref.ref(tensor, self._forget(identity, storage))
        return storage

    def sample(self) -> None:
        """Raise the peak to what is alive now, if that is more."""
        self.peak = max(self.peak, self.live)

    def _holding(self, address: int) -> Storage | None:
        index = bisect.bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        storage = self._storages[self._starts[index]]
        return storage if address < storage.start + storage.size else None

    def _forget(self, identity: int, storage: Storage) -> Callable[[Any], None]:
        def forget(_: Any) -> None:
            del self._references[identity]
            storage.tensors -= 1
            if not storage.tensors:
                del self._storages[storage.start]
                del self._starts[bisect.bisect_left(self._starts, storage.start)]
                self.live -= 0 if storage.fixed else storage.size

        return forget


@dataclass
class _Step:
    """What the backward pass of one operator does to the memory, in bytes."""

    kept: int = 0  # freed after it
    parameter_gradients: int = 0  # made by it, and there until the end of the pass
    gradients: int = 0  # of its output and inputs, there while it runs


class BackwardMemory:
    """A model of the backward pass, from what the forward pass kept for it.

    Args:
        parameters: their gradients stay until the end of the pass, those of feature maps do not.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self._parameters = {id(parameter): parameter for parameter in parameters}
        self._with_gradient: set[int] = set()
        self._steps = [_Step()]

    def start(self) -> None:
        """Note that an operator starts; what is kept from now on is kept for it."""
        self._steps.append(_Step())

    def keep(self, size: int) -> None:
        """Note that autograd keeps ``size`` bytes for the operator that started last."""
        self._steps[-1].kept += size

    def end(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        """Note what the operator that started last was given and what it returned."""
        step = self._steps[-1]
        for tensor in inputs:
            if tensor.stop_gradient:
                continue
            if id(tensor) not in self._parameters:
                step.gradients += bytes_of([tensor])
            elif id(tensor) not in self._with_gradient:
                self._with_gradient.add(id(tensor))
                step.parameter_gradients += bytes_of([tensor])
        step.gradients += bytes_of(t for t in outputs[:1] if not t.stop_gradient)

    def peak(self) -> int:
        """Return the most bytes alive at once, if each operator then frees what was kept for it."""
        live = peak = sum(step.kept for step in self._steps)
        for step in reversed(self._steps):
            peak = max(peak, live + step.parameter_gradients + step.gradients)
            live -= step.kept
        return peak
