"""Reporting which operators Paddle calls while a network runs, and what autograd keeps."""

from __future__ import annotations

import inspect
import sys
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Mapping, Sequence

import paddle
from paddle import Tensor

from paddle_oct.base.private import CUSTOM_OPERATOR, legacy_operators, operators

#: Called in place of an operator: with its name, the operator, the arguments given by position and
#: those given by name. Returns what the operator returns.
Report = Callable[[str, Callable[..., Any], Sequence[Any], Mapping[str, Any]], Any]

# The operators of the Tensor type that are not functions of ``paddle._C_ops``.
TENSOR_OPERATORS = (
    *("__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__"),
    *("__truediv__", "__rtruediv__", "__matmul__"),
)


@contextmanager
def reported_operators(report: Report) -> Iterator[None]:
    """Call ``report`` within the block in place of every eager operator that Python calls.

    Such an operator is a function of ``paddle._C_ops`` or an operator of the Tensor type, so the
    functions that a ``forward`` calls are seen as layers are. An in-place operator is reported by
    the name of the ordinary one, a custom operator in C++ by the name that it was registered with,
    and an older operator (``paddle._legacy_C_ops``) by ``"legacy."`` and its name.
    """
    before = _find_operators()
    try:
        for place, name, known_as, operator in before:
            setattr(place, name, _reporting(known_as, operator, report))
        yield
    finally:
        for place, name, _, operator in before:
            setattr(place, name, operator)


def _reporting(name: str, operator: Callable[..., Any], report: Report) -> Callable[..., Any]:
    if name != CUSTOM_OPERATOR:
        return lambda *args, **named: report(name, operator, args, named)

    def custom(name: str, /, *args: Any, **named: Any) -> Any:
        def run(*args: Any, **named: Any) -> Any:
            return operator(name, *args, **named)

        return report(name, run, args, named)

    return custom


def _find_operators() -> list[tuple[Any, str, str, Callable[..., Any]]]:
    """Return where Python finds operators: the place, the name there, the operator's own name, and
    the operator.

    Some modules of Paddle import operators by name, as ``paddle.tensor.linalg`` does ``matmul``.
    """
    names = {id(f): f"legacy.{name}" for name, f in legacy_operators().items()}
    names.update({id(f): _without_underscore(name) for name, f in operators().items()})
    found: list[tuple[Any, str, str, Callable[..., Any]]] = [
        (module, name, names[id(value)], value)
        for path, module in list(sys.modules.items())
        if path.startswith("paddle.") and "libpaddle" not in path and inspect.ismodule(module)
        for name, value in list(vars(module).items())
        if id(value) in names and inspect.isbuiltin(value)
    ]
    for name in TENSOR_OPERATORS:
        if name in vars(Tensor):
            found.append((Tensor, name, name, vars(Tensor)[name]))
    return found


def _without_underscore(name: str) -> str:
    return name[:-1] if name.endswith("_") and not name.startswith("_") else name


@contextmanager
def reported_saved_tensors(keep: Callable[[Tensor], None]) -> Iterator[None]:
    """Call ``keep`` within the block with a view of every Tensor that autograd keeps for the
    backward pass. The view lives as long as autograd keeps the Tensor.

    Tensors that a ``paddle.autograd.PyLayer`` gives to ``ctx.save_for_backward`` are among them.

    Raises:
        ValueError: there are such hooks already; Paddle allows one pair at a time.
    """

    def pack(tensor: Tensor) -> Tensor:
        # Not the Tensor itself: an operator that keeps its own output would never be freed.
        view = tensor.detach()
        keep(view)
        return view

    with paddle.autograd.saved_tensors_hooks(pack, lambda kept: kept):
        yield
