"""Making Paddle's functions, Tensor methods and layers tell a recorder of their calls.

A wrapper takes the place of each of them, wherever it is held: in Paddle's modules, in modules that
imported a function by name, and in the attributes of the network's layers and of their classes. At
the end everything is put back. The wrappers are there for every thread; a call of another thread
goes through them to what they wrap, and is not recorded.
"""

from __future__ import annotations

import functools
import operator
import sys
import types
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Mapping, Protocol

from paddle import Tensor, nn

from paddle_oct.base.patching import PATCHING

from .graph import CallKind

# Where Paddle's functions are. One that is in several is written with the first of these names.
_NAMESPACES = (
    "paddle.nn.functional",
    "paddle",
    "paddle.linalg",
    "paddle.fft",
    "paddle.signal",
    "paddle.vision.ops",
    "paddle.incubate.nn.functional",
)
_TRANSPOSED = ("T", "mT")  # attributes that compute a new tensor
# Methods that read the values of a tensor.
_READERS = (
    "__array__",
    "__bool__",
    "__complex__",
    "__dlpack__",
    "__float__",
    "__index__",
    "__int__",
    "__long__",
    "__nonzero__",
    "data_ptr",
    "get_tensor",
    "item",
    "numpy",
    "tolist",
)
# Methods that make no tensor.
_NO_OPERATIONS = (
    "__deepcopy__",
    "__dict__",
    "__doc__",
    "__format__",
    "__hash__",
    "__init__",
    "__len__",
    "__module__",
    "__new__",
    "__reduce_ex__",
    "__repr__",
    "__str__",
    *_READERS,
)


class Listener(Protocol):
    """What is told of calls: a :class:`~.record.Recorder`."""

    def is_listening(self) -> bool: ...

    def call(
        self, kind: CallKind, target: str, function: Callable, args: tuple, kwargs: dict
    ) -> Any: ...

    def call_layer(self, layer: nn.Layer, call: Callable, args: tuple, kwargs: dict) -> Any: ...

    def shape_of(self, tensor: Tensor, shape: list[int]) -> list[Any]: ...

    def refuse(self, tensor: Tensor, reader: str) -> None: ...


class Calls:
    """The calls that the wrappers see.

    Attributes:
        listener: who is told of them; None for nobody.
    """

    listener: Listener | None = None

    def heard(self) -> Listener | None:
        """Return who has to be told of a call that is made now."""
        listener = self.listener
        return listener if listener is not None and listener.is_listening() else None


@contextmanager
def seen_calls(model: nn.Layer) -> Iterator[Calls]:
    """Keep wrappers in place of Paddle's functions, methods and layers in the block.

    Args:
        model: the network whose layers may hold functions, too.
    """
    with PATCHING:
        calls, patches = Calls(), _Patches()
        try:
            _patch_functions(calls, model, patches)
            _patch_tensor(calls, patches)
            _patch_sizes(calls, patches)
            _patch_layers(calls, patches)
            yield calls
        finally:
            calls.listener = None
            patches.undo()


class _Patches:
    """What was replaced, to put it back."""

    def __init__(self) -> None:
        self._items: list[tuple[Any, Any, Any]] = []
        self._attributes: list[tuple[type, str, Any]] = []
        self.functions: dict[int, Callable] = {}  # by the identities of their wrappers
        self.modules = dict(sys.modules)

    def set_item(self, container: Any, key: Any, value: Any) -> None:
        """Set an item of a dict or list."""
        self._items.append((container, key, container[key]))
        container[key] = value

    def set(self, owner: type, name: str, value: Any) -> None:
        """Set an attribute of a class."""
        self._attributes.append((owner, name, vars(owner).get(name)))
        setattr(owner, name, value)

    def undo(self) -> None:
        """Put everything back, also in modules that were imported meanwhile."""
        for container, key, old in reversed(self._items):
            container[key] = old
        for owner, name, old in reversed(self._attributes):
            if old is None:
                delattr(owner, name)
            else:
                setattr(owner, name, old)
        new = {name: module for name, module in sys.modules.items() if name not in self.modules}
        for names in _namespaces(new):
            for name, held in list(names.items()):
                if id(held) in self.functions:
                    names[name] = self.functions[id(held)]


# -- functions ------------------------------------------------------------------------------------


def _functions() -> dict[int, tuple[str, Callable]]:
    """Return the functions of Paddle by identity, each with the name to write for it."""
    found: dict[int, tuple[str, Callable]] = {}
    for path in _NAMESPACES:
        module = sys.modules.get(path)
        for name, function in vars(module).items() if module else ():
            if isinstance(function, types.FunctionType) and not name.startswith("_"):
                found.setdefault(id(function), (f"{path}.{name}", function))
    return found


def _namespaces(modules: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for module in list(modules.values()):
        names = getattr(module, "__dict__", None)
        if isinstance(names, dict):
            yield names


def _patch_functions(calls: Calls, model: nn.Layer, patches: _Patches) -> None:
    wrappers = {}
    for identity, (path, function) in _functions().items():
        wrappers[identity] = _followed(calls, "function", path, function)
        patches.functions[id(wrappers[identity])] = function
    for names in _namespaces(patches.modules):
        for name, held in list(names.items()):
            if type(held) is types.FunctionType and id(held) in wrappers:
                patches.set_item(names, name, wrappers[id(held)])
    layers = model.sublayers(include_self=True)
    for layer in layers:
        _patch_held(vars(layer), wrappers, patches)
    for kind in {base for layer in layers for base in type(layer).__mro__}:
        for name, held in list(vars(kind).items()):
            if isinstance(held, staticmethod) and id(held.__func__) in wrappers:
                patches.set(kind, name, staticmethod(wrappers[id(held.__func__)]))


def _patch_held(container: Any, wrappers: dict[int, Callable], patches: _Patches) -> None:
    """Put the wrappers into a layer's attributes, also into lists and dicts there."""
    items = list(container.items() if isinstance(container, dict) else enumerate(container))
    for key, held in items:
        if id(held) in wrappers:
            patches.set_item(container, key, wrappers[id(held)])
        elif isinstance(held, functools.partial) and id(held.func) in wrappers:
            wrapped = functools.partial(wrappers[id(held.func)], *held.args, **held.keywords)
            patches.set_item(container, key, wrapped)
        elif type(held) in (list, dict):
            _patch_held(held, wrappers, patches)


def _followed(calls: Calls, kind: CallKind, target: str, function: Callable) -> Callable:
    def followed(*args: Any, **kwargs: Any) -> Any:
        listener = calls.heard()
        if listener is None:
            return function(*args, **kwargs)
        return listener.call(kind, target, function, args, kwargs)

    return functools.update_wrapper(followed, function)


# -- methods of Tensor ----------------------------------------------------------------------------


def _patch_tensor(calls: Calls, patches: _Patches) -> None:
    for name, method in list(vars(Tensor).items()):
        private = name.startswith("_") and not name.startswith("__")
        if callable(method) and not private and name not in _NO_OPERATIONS:
            patches.set(Tensor, name, _followed(calls, "method", name, method))
        elif name in _READERS and callable(method):
            patches.set(Tensor, name, _refused(calls, name, method))
    for name in _TRANSPOSED:
        if name in vars(Tensor):
            get = functools.partial(getattr(Tensor, name).__get__)
            followed = _followed(calls, "attribute", name, get)
            patches.set(Tensor, name, property(followed))


def _patch_sizes(calls: Calls, patches: _Patches) -> None:
    """Let all that tells the size of a Tensor tell it by the listener's numbers."""
    shape, size, strides, length = (
        vars(Tensor)[name] for name in ("shape", "size", "strides", "__len__")
    )

    def followed_shape(tensor: Tensor) -> Any:
        numbers, listener = shape.__get__(tensor), calls.heard()
        return numbers if listener is None else listener.shape_of(tensor, numbers)

    def followed_size(tensor: Tensor) -> Any:
        if calls.heard() is None:
            return size.__get__(tensor)
        return functools.reduce(operator.mul, followed_shape(tensor), 1)

    def followed_strides(tensor: Tensor) -> Any:
        if calls.heard() is not None:
            list(map(operator.index, followed_shape(tensor)))  # they follow from all the sizes
        return strides.__get__(tensor)

    def followed_length(tensor: Tensor) -> int:
        if calls.heard() is None or not tensor.ndim:
            return length(tensor)
        return operator.index(followed_shape(tensor)[0])

    def followed_rows(tensor: Tensor) -> Iterator[Tensor]:
        return iter([tensor[row] for row in range(followed_length(tensor))])

    patches.set(Tensor, "shape", property(followed_shape))
    patches.set(Tensor, "size", property(followed_size))
    patches.set(Tensor, "strides", property(followed_strides))
    patches.set(Tensor, "__len__", followed_length)
    patches.set(Tensor, "__iter__", followed_rows)


def _refused(calls: Calls, name: str, method: Callable) -> Callable:
    def refused(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
        listener = calls.heard()
        if listener is not None:
            listener.refuse(tensor, f"Tensor.{name}")
        return method(tensor, *args, **kwargs)

    return functools.update_wrapper(refused, method)


# -- layers ---------------------------------------------------------------------------------------


def _patch_layers(calls: Calls, patches: _Patches) -> None:
    call = nn.Layer.__call__

    def followed(layer: nn.Layer, *args: Any, **kwargs: Any) -> Any:
        listener = calls.heard()
        if listener is None:
            return call(layer, *args, **kwargs)
        return listener.call_layer(layer, call, args, kwargs)

    patches.set(nn.Layer, "__call__", followed)
