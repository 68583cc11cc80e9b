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
import threading
import types
from contextlib import ExitStack, contextmanager
from typing import Any, Callable, Iterator, Mapping, Protocol

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
_ONE_AT_A_TIME = threading.Lock()


class Listener(Protocol):
    """What is told of calls: a :class:`~.record.Recorder`."""

    model: nn.Layer

    def is_listening(self) -> bool: ...

    def call(
        self, kind: CallKind, target: str, function: Callable, args: tuple, kwargs: dict
    ) -> Any: ...

    def call_layer(self, layer: nn.Layer, call: Callable, args: tuple, kwargs: dict) -> Any: ...

    def shape_of(self, tensor: Tensor, shape: list[int]) -> list[Any]: ...

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
    if name in vars(owner):
        stack.callback(setattr, owner, name, vars(owner)[name])
    else:
        stack.callback(delattr, owner, name)
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
    functions = _functions()
    wrappers = {
        identity: _followed(recorder, "function", path, function)
        for identity, (path, function) in functions.items()
    }

    modules = dict(sys.modules)
    for names in _namespaces(modules):
        for name, held in list(names.items()):
            if type(held) is types.FunctionType and id(held) in wrappers:
                _set_item(stack, names, name, wrappers[id(held)])
    stack.callback(
        _put_back, {id(wrappers[key]): held for key, (_, held) in functions.items()}, modules
    )

    layers = recorder.model.sublayers(include_self=True)
    for layer in layers:
        _patch_held(vars(layer), wrappers, stack)
    for kind in {base for layer in layers for base in type(layer).__mro__}:
        for name, held in list(vars(kind).items()):
            if isinstance(held, staticmethod) and id(held.__func__) in wrappers:
                _set(stack, kind, name, staticmethod(wrappers[id(held.__func__)]))


def _namespaces(modules: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for module in list(modules.values()):
        names = getattr(module, "__dict__", None)
        if isinstance(names, dict):
            yield names


def _put_back(functions: Mapping[int, Callable], modules: Mapping[str, Any]) -> None:
    """Put functions in place of the wrappers in modules that were imported meanwhile.

    Args:
        functions: the functions, by the identities of their wrappers.
        modules: those that were there before.
    """
    new = {name: module for name, module in sys.modules.items() if name not in modules}
    for names in _namespaces(new):
        for name, held in list(names.items()):
            if id(held) in functions:
                names[name] = functions[id(held)]


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

    _patch_sizes(recorder, stack)


def _patch_sizes(recorder: Listener, stack: ExitStack) -> None:
    """Let all that tells the size of a Tensor tell it by the recorder's numbers."""
    shape, size, strides, length = (
        vars(Tensor)[name] for name in ("shape", "size", "strides", "__len__")
    )

    def followed_shape(tensor: Tensor) -> Any:
        numbers = shape.__get__(tensor)
        return recorder.shape_of(tensor, numbers) if recorder.is_listening() else numbers

    def followed_size(tensor: Tensor) -> Any:
        if not recorder.is_listening():
            return size.__get__(tensor)
        return functools.reduce(operator.mul, followed_shape(tensor), 1)

    def followed_strides(tensor: Tensor) -> Any:
        if recorder.is_listening():
            list(map(operator.index, followed_shape(tensor)))  # they follow from all the sizes
        return strides.__get__(tensor)

    def followed_length(tensor: Tensor) -> int:
        if not recorder.is_listening() or not tensor.ndim:
            return length(tensor)
        return operator.index(followed_shape(tensor)[0])

    def followed_rows(tensor: Tensor) -> Iterator[Tensor]:
        return iter([tensor[row] for row in range(followed_length(tensor))])

    _set(stack, Tensor, "shape", property(followed_shape))
    _set(stack, Tensor, "size", property(followed_size))
    _set(stack, Tensor, "strides", property(followed_strides))
    _set(stack, Tensor, "__len__", followed_length)
    _set(stack, Tensor, "__iter__", followed_rows)


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
