"""Making Paddle's functions, Tensor methods and layers tell a recorder of their calls.

A wrapper takes the place of each of them, wherever it is held: in Paddle's modules, in modules that
imported a function by name, and in the attributes of the network's layers and of their classes. At
the end everything is put back. Calls of other threads are not recorded.
"""

from __future__ import annotations

import functools
import sys
import threading
import types
from contextlib import ExitStack, contextmanager
from typing import Any, Callable, Iterator, Protocol

from paddle import Tensor, nn

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
    "__float__",
    "__index__",
    "__int__",
    "__long__",
    "__nonzero__",
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
_ONE_AT_A_TIME = threading.Lock()


class Listener(Protocol):
    """What is told of calls: a :class:`~.record.Recorder`."""

    model: nn.Layer

    def is_listening(self) -> bool: ...

    def call(
        self, kind: CallKind, target: str, function: Callable, args: tuple, kwargs: dict
    ) -> Any: ...

    def call_layer(self, layer: nn.Layer, call: Callable, args: tuple, kwargs: dict) -> Any: ...

    def size_of(self, tensor: Tensor, shape: list[int]) -> list[int]: ...

    def refuse(self, tensor: Tensor, reader: str) -> None: ...


@contextmanager
def tell_of_calls(recorder: Listener) -> Iterator[None]:
    """Tell the recorder of every call that this thread makes in the block."""
    with _ONE_AT_A_TIME, ExitStack() as stack:
        _patch_functions(recorder, stack)
        _patch_tensor(recorder, stack)
        _patch_layers(recorder, stack)
        yield


def _set(stack: ExitStack, owner: Any, name: str, value: Any) -> None:
    """Set an attribute of a class or module until the stack is closed."""
    stack.callback(setattr, owner, name, vars(owner)[name])
    setattr(owner, name, value)


def _set_item(stack: ExitStack, container: Any, key: Any, value: Any) -> None:
    """Set an item of a dict or list until the stack is closed."""
    stack.callback(container.__setitem__, key, container[key])
    container[key] = value


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


def _patch_functions(recorder: Listener, stack: ExitStack) -> None:
    wrappers = {}
    for identity, (path, function) in _functions().items():
        wrappers[identity] = _followed(recorder, "function", path, function)

    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", None)
        if not isinstance(names, dict):
            continue
        for name, held in list(names.items()):
            if id(held) in wrappers and isinstance(held, types.FunctionType):
                _set_item(stack, names, name, wrappers[id(held)])

    layers = recorder.model.sublayers(include_self=True)
    for layer in layers:
        _patch_held(vars(layer), wrappers, stack)
    for kind in {base for layer in layers for base in type(layer).__mro__}:
        for name, held in list(vars(kind).items()):
            if isinstance(held, staticmethod) and id(held.__func__) in wrappers:
                _set(stack, kind, name, staticmethod(wrappers[id(held.__func__)]))


def _patch_held(container: Any, wrappers: dict[int, Callable], stack: ExitStack) -> None:
    """Put the wrappers into a layer's attributes, also into lists and dicts there."""
    items = list(container.items() if isinstance(container, dict) else enumerate(container))
    for key, held in items:
        if id(held) in wrappers:
            _set_item(stack, container, key, wrappers[id(held)])
        elif isinstance(held, functools.partial) and id(held.func) in wrappers:
            wrapped = functools.partial(wrappers[id(held.func)], *held.args, **held.keywords)
            _set_item(stack, container, key, wrapped)
        elif type(held) in (list, dict):
            _patch_held(held, wrappers, stack)


def _followed(recorder: Listener, kind: CallKind, target: str, function: Callable) -> Callable:
    def followed(*args: Any, **kwargs: Any) -> Any:
        if not recorder.is_listening():
            return function(*args, **kwargs)
        return recorder.call(kind, target, function, args, kwargs)

    return functools.update_wrapper(followed, function)


# -- methods of Tensor ----------------------------------------------------------------------------


def _patch_tensor(recorder: Listener, stack: ExitStack) -> None:
    for name, method in list(vars(Tensor).items()):
        private = name.startswith("_") and not name.startswith("__")
        if callable(method) and not private and name not in _NO_OPERATIONS:
            _set(stack, Tensor, name, _followed(recorder, "method", name, method))
        elif name in _READERS and callable(method):
            _set(stack, Tensor, name, _refused(recorder, name, method))
    for name in _TRANSPOSED:
        if name in vars(Tensor):
            get = functools.partial(getattr(Tensor, name).__get__)
            followed = _followed(recorder, "attribute", name, get)
            _set(stack, Tensor, name, property(followed))

    shape = vars(Tensor)["shape"]

    def followed_shape(tensor: Tensor) -> Any:
        numbers = shape.__get__(tensor)
        return recorder.size_of(tensor, numbers) if recorder.is_listening() else numbers

    _set(stack, Tensor, "shape", property(followed_shape))


def _refused(recorder: Listener, name: str, method: Callable) -> Callable:
    def refused(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
        if recorder.is_listening():
            recorder.refuse(tensor, f"Tensor.{name}")
        return method(tensor, *args, **kwargs)

    return functools.update_wrapper(refused, method)


# -- layers ---------------------------------------------------------------------------------------


def _patch_layers(recorder: Listener, stack: ExitStack) -> None:
    call = nn.Layer.__call__

    def followed(layer: nn.Layer, *args: Any, **kwargs: Any) -> Any:
        if not recorder.is_listening():
            return call(layer, *args, **kwargs)
        return recorder.call_layer(layer, call, args, kwargs)

    _set(stack, nn.Layer, "__call__", followed)
