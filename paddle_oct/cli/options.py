"""What several commands take: the options that set up a network."""

from __future__ import annotations

import ast
from typing import Any, Callable

import click


class AlphaType(click.ParamType):
    """One alpha, or one per stage: ``.5`` or ``.5,.25,.25``."""

    name = "number[,number...]"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            alphas = [float(part) for part in value.split(",")]
        except ValueError:
            self.fail(f"{value!r} is not a number or a list such as 0.5,0.25,0.25", param, ctx)
        return alphas if len(alphas) > 1 else alphas[0]


class SettingType(click.ParamType):
    """``KEY=VALUE``, the value a Python literal or a word."""

    name = "key=value"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Any]:
        key, equals, text = value.partition("=")
        if not equals:
            self.fail(f"{value!r} is not of the form KEY=VALUE", param, ctx)
        try:
            return key, ast.literal_eval(text)
        except (SyntaxError, ValueError):
            return key, text


def model_settings(command: Callable) -> Callable:
    """Add the options that set up a network."""
    command = click.option(
        "-o",
        "--option",
        "options",
        type=SettingType(),
        multiple=True,
        help="Another option of the network, such as -o scale=0.5 (see 'paddle-oct models').",
    )(command)
    return click.option(
        "--alpha",
        type=AlphaType(),
        help="Share of low-frequency channels in [0, 1]: one, or one per octave stage (.5,.5,.25).",
    )(command)


def gather_settings(alpha: Any, options: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    """Return what :func:`model_settings` added as keyword arguments of ``create_model``."""
    settings = dict(options)
    if alpha is not None:
        settings["alpha"] = alpha
    return settings
