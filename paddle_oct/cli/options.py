"""Types of values, and options that several commands share."""

from __future__ import annotations

import ast
import functools
from typing import Any, Callable, TypeVar

import click

from paddle_oct.base.numbers import comma_separated
from paddle_oct.base.threads import MOST_THREADS

Function = TypeVar("Function", bound=Callable[..., Any])

COUNT = click.IntRange(min=1)


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
            return comma_separated(value, self.kind)
        except ValueError as error:
            self.fail(str(error), param, ctx)


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
            self.fail(f"{value!r} is not of the form KEY=VALUE", param, ctx)
        try:
            return key, ast.literal_eval(text)
        except (SyntaxError, ValueError):
            return key, text


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
    type=COUNT,
    default=224,
    show_default=True,
    help="Height and width of the images.",
)
threads_option = click.option(
    "--threads",
    type=click.IntRange(1, MOST_THREADS),
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
