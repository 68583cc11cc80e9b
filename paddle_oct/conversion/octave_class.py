"""The class of a converted network: its methods, copying and pickling it."""

from __future__ import annotations

import copy
import inspect
from typing import Any, Callable

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.nn.initializer import Constant

from .follow import Constants, Source
from .octave_layers import attributes_like
from .paths import Paths
from .report import OctavizeReport


def octave_class(paths: Paths, report: OctavizeReport | None = None) -> Any:
    """Return a class for a converted network, derived from the class that it had.

    Args:
        paths: what is known of its methods.
        report: what was converted.
    """
    first, kind = paths.first, paths.kind
    body: dict[str, Any] = {
        "__module__": kind.__module__,
        "__doc__": kind.__doc__,
        "__deepcopy__": _deepcopy,
        "__reduce_ex__": _reduce,
        "_octave_paths": paths,
        "octave_forward": first.source.text if first is not None and first.source else "",
        "octave_report": report,
    }
    if first is not None:
        for name in paths.followed:
            body[name] = _dispatcher(name, getattr(kind, name)).compile()
            body[name].__doc__ = getattr(kind, name).__doc__
        if not first.questions and takes_one_argument(kind.forward):
            body["forward"] = first.function  # there is no other way
    paths.made = type(f"Octave{kind.__name__}", (kind,), body)
    return paths.made


def methods_to_follow(kind: type[nn.Layer]) -> list[str]:
    """Return the names of the methods of a class that may call layers, ``forward`` first."""
    names = ["forward"]
    for base in kind.__mro__:
        if base.__module__.startswith("paddle.nn."):
            continue
        for name, held in vars(base).items():
            is_own = inspect.isfunction(held) and not inspect.isgeneratorfunction(held)
            if is_own and not name.startswith("__") and not hasattr(nn.Layer, name):
                names.append(name)
    return list(dict.fromkeys(names))


def takes_one_argument(forward: Callable) -> bool:
    """Whether a forward takes a network and one Tensor, and nothing else."""
    parameters = list(inspect.signature(forward).parameters.values())
    allowed = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return len(parameters) == 2 and parameters[1].kind in allowed


def _dispatcher(name: str, method: Callable) -> Source:
    """Return the source of a method that takes what a method takes, and chooses its path."""
    constants = Constants()
    head, args, kwargs = ["self"], [], []
    positional_only = keyword_only = False
    for parameter in list(inspect.signature(method).parameters.values())[1:]:
        kind = parameter.kind
        if positional_only and kind is not parameter.POSITIONAL_ONLY:
            head.append("/")
        positional_only = kind is parameter.POSITIONAL_ONLY
        if kind is parameter.VAR_POSITIONAL or kind is parameter.VAR_KEYWORD:
            stars = "*" if kind is parameter.VAR_POSITIONAL else "**"
            head.append(f"{stars}{parameter.name}")
            (args if kind is parameter.VAR_POSITIONAL else kwargs).append(head[-1])
            keyword_only = True
            continue
        if kind is parameter.KEYWORD_ONLY:
            if not keyword_only:
                head.append("*")
            keyword_only = True
            kwargs.append(f"{parameter.name!r}: {parameter.name}")
        else:
            args.append(parameter.name)
        default = ""
        if parameter.default is not parameter.empty:
            default = f"={constants.code(parameter.default)}"
        head.append(f"{parameter.name}{default}")
    if positional_only:
        head.append("/")
    given = f"[{', '.join(args)}], {{{', '.join(kwargs)}}}"
    text = (
        f"def {name}({', '.join(head)}):\n"
        f"    _path, _args, _kwargs = self._octave_paths.choose({name!r}, {given})\n"
        f"    return _path(self, *_args, **_kwargs)\n"
    )
    return Source(name, text, constants.by_name)


class Pickled:
    """Stands for a parameter in a pickle, from which a parameter comes out.

    ``pickle`` makes a plain Tensor of a parameter, which no optimiser takes.
    """

    def __init__(self, parameter: Tensor) -> None:
        self.parameter = parameter

    def __reduce__(self) -> tuple:
        given = attributes_like(self.parameter)
        settings = (given.learning_rate, given.regularizer, given.trainable, given.need_clip)
        return _parameter, (self.parameter.numpy(), self.parameter.dtype, settings)


def _parameter(values: np.ndarray, dtype: Any, settings: tuple) -> Tensor:
    names = ("learning_rate", "regularizer", "trainable", "need_clip")
    attributes = paddle.ParamAttr(initializer=Constant(0.0), **dict(zip(names, settings)))
    parameter = paddle.create_parameter(list(values.shape), dtype, attr=attributes)
    parameter.set_value(values)
    return parameter


def _deepcopy(network: nn.Layer, memo: dict[int, Any]) -> nn.Layer:
    new = memo[id(network)] = object.__new__(type(network))
    new.__setstate__(copy.deepcopy(network.__getstate__(), memo))
    return new


def _reduce(network: nn.Layer, protocol: Any) -> tuple:
    """Return what ``pickle`` makes the network of again; Paddle's own way loses its parameters."""
    own: Any = type(network)
    stand_ins = {id(parameter): Pickled(parameter) for parameter in network.parameters()}
    state = copy.deepcopy(network.__getstate__(), stand_ins)
    return _remade, (own._octave_paths, own.octave_report), state


def _remade(paths: Paths, report: OctavizeReport | None) -> nn.Layer:
    """Return a network without attributes, of the class of a converted one."""
    return object.__new__(paths.made or octave_class(paths, report))
