"""Types of values, and options that several commands share."""

from __future__ import annotations

import ast
import functools
from typing import Any, Callable, TypeVar

import click

from paddle_oct.base.errors import shortened
from paddle_oct.base.numbers import comma_separated
from paddle_oct.base.threads import MOST_THREADS

Function = TypeVar("Function", bound=Callable[..., Any])

_LONGEST = 100  # characters of a whole number; Python refuses to read very long ones
LARGEST = 2**31 - 1  # Paddle keeps sizes in 32 bits


def _check_size(value: Any) -> None:
    """Check a whole number, and those in a list; other values are left to what they are for.

    Raises:
        ValueError: one has more than 32 bits.
    """
    for number in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(number, int) and abs(number) > LARGEST:
            raise ValueError(f"'{shortened(str(number))}' is out of range: more than {LARGEST:,}")


class Bounded(click.ParamType):
    """What keeps a whole number within 32 bits."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, str) and len(value) > _LONGEST:
            self.fail(f"'{shortened(value)}' is not a whole number up to {LARGEST:,}", param, ctx)
        number = super().convert(value, param, ctx)
        try:
            _check_size(number)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return number


class WholeNumber(Bounded, click.types.IntParamType):
    """A whole number of at most 32 bits."""


class NumberInRange(Bounded, click.IntRange):
    """A whole number in a range, and of at most 32 bits."""


COUNT = NumberInRange(min=1)
SIZE = NumberInRange(min=1, max=2**15)  # of images; Paddle counts the pixels of a map in 32 bits


class NumbersType(click.ParamType):
    """A list of numbers separated by commas: ``1,8``.

    Args:
        kind: ``int`` or ``float``.
    """

    name = "number[,number...]"

    def __init__(self, kind: type[int] | type[float]) -> None:
        self.kind = kind

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[Any]:
        if not isinstance(value, str):
            return value
        try:
            numbers = comma_separated(value, self.kind)
            _check_size(numbers)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return numbers


class AlphaType(click.ParamType):
    """One alpha, or one per stage: ``.5`` or ``.5,.25,.25``."""

    name = NumbersType.name

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | list[float]:
        if not isinstance(value, str):
            return value
        alphas = NumbersType(float).convert(value, param, ctx)
        return alphas if len(alphas) > 1 else alphas[0]


class SettingType(click.ParamType):
    """``KEY=VALUE``, where the value is a Python literal or else a word."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        key, equals, text = value.partition("=")
        if not equals:
            self.fail(f"'{shortened(value)}' is not of the form KEY=VALUE", param, ctx)
        try:
            literal = ast.literal_eval(text)
        except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
            return key, text
        try:
            _check_size(literal)
        except ValueError as error:
            self.fail(f"'{shortened(key)}': {error}", param, ctx)
        return key, literal


def together(*options: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """Return one decorator for several options, which the help lists in this order."""

    def add(command: Function) -> Function:
        for option in reversed(options):
            command = option(command)
        return command

    return add


alpha_option = click.option(
    "--alpha",
    type=AlphaType(),
    help="Share of low-frequency channels in [0, 1]: one, or one per octave stage (.5,.5,.25).",
)
batch_size_option = click.option(
    "--batch-size", type=COUNT, default=1, show_default=True, help="Images in a batch."
)
image_size_option = click.option(
    "--image-size",
    type=SIZE,
    default=224,
    show_default=True,
    help="Height and width of the images.",
)
threads_option = click.option(
    "--threads",
    type=NumberInRange(1, MOST_THREADS),
    help="Threads of the CPU. [default: OMP_NUM_THREADS, or all processors]",
)


def setting_option(text: str) -> Callable[[Function], Function]:
    """Return the option ``-o KEY=VALUE`` for other options of a network, with this help text."""
    return click.option("-o", "--option", "options", type=SettingType(), multiple=True, help=text)


def network_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that set up a network.

    They are passed to the command as ``settings``, keyword arguments of ``create_model``.
    """

    @functools.wraps(command)
    def with_settings(
        *args: Any, alpha: float | list[float] | None, options: tuple, **others: Any
    ) -> None:
        settings = dict(options)
        if alpha is not None:
            settings["alpha"] = alpha
        command(*args, settings=settings, **others)

    return together(
        alpha_option,
        setting_option(
            "Another option of the network, such as -o scale=0.5 (see 'paddle-oct models')."
        ),
    )(with_settings)
