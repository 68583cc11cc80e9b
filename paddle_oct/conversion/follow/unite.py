"""One graph for evaluation and training."""

from __future__ import annotations

from typing import Any

from .errors import CannotFollow, layer_in_words
from .graph import Constant, Graph, Parameter, Training, Value
from .questions import Question, by_number
from .sizes import Size

_SLICE_PARTS = ("start", "stop", "step")


def unite(evaluation: Graph, training: Graph) -> Graph:
    """Return the one graph that stands for both recordings of a network.

    An argument that is False in evaluation and True in training becomes :class:`Training`.

    Raises:
        CannotFollow: the two differ in anything else.
    """
    others = iter(training.nodes)
    for node in evaluation.nodes:
        other = next(others, None)
        try:
            if other is None or (node.kind, node.target) != (other.kind, other.target):
                raise _Differs
            node.args = _unite_arguments(node.args, other.args, node.scope)
            node.kwargs = _unite_arguments(node.kwargs, other.kwargs, node.scope)
        except _Differs:
            raise CannotFollow(
                f"{layer_in_words(node.scope)} does something else in training than in evaluation "
                f"(at {node.name})"
            ) from None
    try:
        asked, asked_in_training = evaluation.questions, training.questions
        if next(others, None) is not None or len(asked) != len(asked_in_training):
            raise _Differs
        if not all(map(Question.same_as, asked, asked_in_training)):
            raise _Differs
        _unite_arguments(evaluation.output, training.output, "")
    except _Differs:
        raise CannotFollow(
            "the network returns something else in training than in evaluation"
        ) from None
    return evaluation


class _Differs(Exception):
    """Two recorded arguments are not the same."""


def _unite_arguments(a: Any, b: Any, scope: str) -> Any:
    """Return the arguments that stand for both; raises :class:`_Differs`."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        united = [_unite_arguments(x, y, scope) for x, y in zip(a, b)]
        return tuple(united) if isinstance(a, tuple) else united
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return {key: _unite_arguments(a[key], b[key], scope) for key in a}
    if isinstance(a, slice) and isinstance(b, slice):
        parts = [
            _unite_arguments(getattr(a, part), getattr(b, part), scope) for part in _SLICE_PARTS
        ]
        return slice(*parts)
    if a is False and b is True:
        return Training(scope)
    if not _same(a, b):
        raise _Differs
    return a


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Value) and isinstance(b, Value):
        return a.index == b.index
    if isinstance(a, Size) and isinstance(b, Size):
        return by_number(a.expression) == by_number(b.expression)
    if isinstance(a, Constant) and isinstance(b, Constant):
        return a.value is b.value
    if isinstance(a, (int, float, str, Parameter, type(None))):
        return type(a) is type(b) and a == b
    return type(a) is type(b)
