"""Checking the arguments of layers, and bringing each to one type."""

from __future__ import annotations

import copy
import functools
import numbers
from typing import Any, Callable, Sequence, TypeVar, Union, cast

import numpy as np
import paddle
from paddle.nn.initializer import Assign
from paddle.nn.initializer.initializer import Initializer

Size2 = Union[int, Sequence[int]]
Init = TypeVar("Init", bound=Callable[..., None])

_NAMES_ELSEWHERE = {"bias": "bias_attr"}  # what PyTorch calls it, and what Paddle does


def in_paddles_names(init: Init) -> Init:
    """Have a constructor refuse an argument under another framework's name, and say Paddle's."""

    @functools.wraps(init)
    def checked(self: paddle.nn.Layer, *args: Any, **kwargs: Any) -> None:
        for other, ours in _NAMES_ELSEWHERE.items():
            if other in kwargs:
                raise TypeError(f"{type(self).__name__}: {other} is called {ours}, as in paddle.nn")
        init(self, *args, **kwargs)

    return cast(Init, checked)


def positive_int(value: Any, name: str) -> int:
    """Return ``value`` as an int.

    Raises:
        TypeError, ValueError: it is no positive integer; the message has the argument's ``name``.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be a positive integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")
    return int(value)


def size2(value: Size2, name: str) -> list[int]:
    """Return an int or a pair of ints as ``[vertical, horizontal]``.

    Raises:
        TypeError, ValueError: it is something else; the message has the argument's ``name``.
    """
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(f"{name} must be an integer or a pair of them, got {value!r}")
        return [positive_int(v, name) for v in value]
    return [positive_int(value, name)] * 2


def padding_sides(padding: Any, name: str) -> list[int] | None:
    """Return a padding as ``[top, bottom, left, right]``, or None for "SAME" and "VALID".

    Raises:
        ValueError: it is nothing that ``paddle.nn.Conv2D`` takes, or negative.
    """
    if isinstance(padding, str):
        if padding.upper() not in ("SAME", "VALID"):
            raise ValueError(f"{name} must be 'SAME', 'VALID' or integers, got {padding!r}")
        return None
    if isinstance(padding, numbers.Integral):
        padding = [padding] * 4
    if isinstance(padding, (tuple, list)):
        flat = list(padding)
        if len(flat) == 4 and all(isinstance(p, (tuple, list)) for p in flat):
            flat = [p for pair in flat[2:] for p in pair]  # the first two are N and C
        if len(flat) == 2:
            flat = [p for p in flat for _ in range(2)]
        if len(flat) == 4 and all(isinstance(p, numbers.Integral) for p in flat):
            if min(flat) < 0:
                raise ValueError(f"{name} must not be negative, got {min(flat)}")
            return [int(p) for p in flat]
    raise ValueError(
        f"{name} must be 'SAME', 'VALID', an integer, [vertical, horizontal] or "
        f"[top, bottom, left, right], got {padding!r}"
    )


def boolean(value: bool, name: str) -> bool:
    """Return ``value`` as a bool.

    Raises:
        TypeError: it is something else; the message has the argument's ``name``.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def layer_factory(value: Any, name: str, example: str) -> Any:
    """Return ``value``, which makes layers when it is called.

    Raises:
        TypeError: it can't be called, or is itself a layer; the message has the argument's
            ``name``.
    """
    if isinstance(value, paddle.nn.Layer) or not callable(value):
        got = type(value).__name__ if isinstance(value, paddle.nn.Layer) else repr(value)
        raise TypeError(f"{name} must be what makes a layer, such as {example}, got {got}")
    return value


def derive_attr(
    attr: Any, name: str, *, suffix: str = "", initializer: Initializer | None = None
) -> Any:
    """Return a parameter attribute like ``attr``, for a part of the parameter.

    Args:
        attr: what ``weight_attr`` or ``bias_attr`` may be: None, a bool, a name, an initialiser or
            a ``paddle.ParamAttr``.
        name: the argument's name, for an error message.
        suffix: what to add to the parameter's name, if it has one; without a suffix the name is
            dropped.
        initializer: what to initialise with in place of the attribute's own.

    Raises:
        TypeError: ``attr`` is something else.
    """
    if attr is False:
        return False
    if isinstance(attr, paddle.ParamAttr):
        derived = copy.copy(attr)
    elif isinstance(attr, str):
        derived = paddle.ParamAttr(name=attr)
    elif isinstance(attr, Initializer):
        derived = paddle.ParamAttr(initializer=attr)
    elif attr is None or attr is True:
        derived = paddle.ParamAttr()
    else:
        raise TypeError(
            f"{name} must be a paddle.ParamAttr, an initializer or a bool, got {attr!r}"
        )
    derived.name = f"{derived.name}_{suffix}" if derived.name and suffix else None
    derived.initializer = initializer or derived.initializer
    return derived


class FromArray(Initializer):
    """Initialise with an array; like ``Assign``, but not through a list of Python floats.

    It can be used once and then drops the array, as the layer keeps its initialiser.
    """

    def __init__(self, value: np.ndarray) -> None:
        super().__init__()
        self.value: np.ndarray | None = value

    def __deepcopy__(self, memo: dict) -> FromArray:
        return self  # Paddle copies a parameter's attributes, and the layer keeps the original

    def forward(self, param: paddle.Tensor, block: Any = None) -> paddle.Tensor | None:
        assert self.value is not None, "an array initialises one parameter"
        if not paddle.in_dynamic_mode():
            return Assign(self.value)(param, block)
        with paddle.no_grad():
            paddle.assign(paddle.to_tensor(self.value).astype(param.dtype), output=param)
        self.value = None
        return param


class Scaled(Initializer):
    """Initialise as another initialiser does, times a factor."""

    def __init__(self, initializer: Initializer, factor: float) -> None:
        super().__init__()
        self.initializer = initializer
        self.factor = factor

    def forward(self, param: paddle.Tensor, block: Any = None) -> paddle.Tensor | None:
        if not paddle.in_dynamic_mode():
            raise ValueError("this layer can be made in dynamic mode only, not in a static program")
        self.initializer(param, block)
        with paddle.no_grad():
            return paddle.assign(param * self.factor, output=param)


def as_array(parameter: paddle.Tensor) -> np.ndarray:
    """Return a parameter's values; half precision as float32, as NumPy has no bfloat16."""
    half = parameter.dtype in (paddle.float16, paddle.bfloat16)
    return (parameter.astype("float32") if half else parameter).numpy()
