"""Which convolutions the user wants converted, and at which alpha."""

from __future__ import annotations

import difflib
import numbers
from fnmatch import fnmatchcase
from typing import Iterable, Mapping, Sequence, Union, cast

from paddle_oct.nn.feature import check_alpha

Alpha = Union[float, Sequence[float], Mapping[str, float]]
Patterns = Union[str, Iterable[str], None]


def matches(name: str, pattern: str) -> bool:
    """Whether a shell pattern matches a layer's name, or that of a layer it is in."""
    parts = name.split(".")
    return any(fnmatchcase(".".join(parts[:n]), pattern) for n in range(1, len(parts) + 1))


class Selection:
    """What the user asked for.

    Args:
        convs: the names of the network's convolutions.
        alpha: one number, one per stage, or one per pattern.
        include, exclude: patterns of layer names.

    Raises:
        TypeError, ValueError: an alpha is not in [0, 1]; a pattern matches no convolution.
    """

    def __init__(
        self, convs: Sequence[str], alpha: Alpha, include: Patterns, exclude: Patterns
    ) -> None:
        self.include = _patterns(include, "include")
        self.exclude = _patterns(exclude, "exclude") or []
        self.alpha = _check_alphas(alpha)
        asked = [*(self.include or []), *self.exclude]
        if isinstance(self.alpha, dict):
            asked += self.alpha
        for pattern in asked:
            if not any(matches(name, pattern) for name in convs):
                raise _matches_nothing(pattern, convs)

    @property
    def per_stage(self) -> list[float] | None:
        """The alphas of the stages; None if they were not given per stage."""
        return self.alpha if isinstance(self.alpha, list) else None

    def is_asked_for(self, name: str) -> bool:
        """Whether ``include`` names a convolution, which then counts in stem and last stage too."""
        return self.include is not None and any(matches(name, p) for p in self.include)

    def why_left_out(self, name: str) -> str:
        """Return why the user does not want a convolution converted; "" if the user does."""
        for pattern in self.exclude:
            if matches(name, pattern):
                return f"excluded by {pattern!r}"
        if self.include is not None and not self.is_asked_for(name):
            return "not included"
        return ""

    def alpha_of(self, name: str, stage: int) -> float:
        """Return the alpha of a convolution's output."""
        if isinstance(self.alpha, list):
            return self.alpha[stage]
        if isinstance(self.alpha, dict):
            return next((a for p, a in self.alpha.items() if matches(name, p)), 0.0)
        return self.alpha

    def is_named(self, name: str) -> bool:
        """Whether a pattern gives a convolution its alpha."""
        return isinstance(self.alpha, dict) and any(matches(name, p) for p in self.alpha)


def _patterns(given: Patterns, what: str) -> list[str] | None:
    if given is None:
        return None
    patterns = [given] if isinstance(given, str) else list(given)
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise TypeError(f"octavize: {what} must hold names of layers, got {pattern!r}")
    return patterns


def _check_alphas(alpha: Alpha) -> float | list[float] | dict[str, float]:
    if isinstance(alpha, numbers.Real):
        return check_alpha(cast("float", alpha), "octavize: alpha")
    if isinstance(alpha, Mapping):
        return {p: check_alpha(a, f"octavize: alpha[{p!r}]") for p, a in alpha.items()}
    if isinstance(alpha, (list, tuple)):
        return [check_alpha(a, f"octavize: alpha[{i}]") for i, a in enumerate(alpha)]
    raise TypeError(
        f"octavize: alpha must be a number, a list with one per stage, or a dict of patterns, "
        f"got {alpha!r}"
    )


def _matches_nothing(pattern: str, convs: Sequence[str]) -> ValueError:
    parts = [name.split(".") for name in convs]
    known = dict.fromkeys(".".join(p[:n]) for p in parts for n in range(1, len(p) + 1))
    near = difflib.get_close_matches(pattern, known, n=3, cutoff=0.5)
    if near:
        advice = f"did you mean {' or '.join(near)}?"
    else:
        tops = list(dict.fromkeys(name.split(".")[0] for name in convs))
        advice = f"the network's convolutions are in {', '.join(tops[:12])}"
        advice += ", ..." if len(tops) > 12 else ""
    return ValueError(f"octavize: {pattern!r} matches no convolution; {advice}")
