"""The options and functions that write tables and pictures."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import click

from paddle_oct.base.figures import PICTURES
from paddle_oct.base.files import check_output, write_atomically
from paddle_oct.base.tables import FORMATS

from .options import together


@dataclass(frozen=True)
class Output:
    """The format of a table, its file (None: the screen), and a picture's file (None: none)."""

    format: str
    path: str | None
    plot: str | None

    def write(self, table: str) -> None:
        """Print a table, or write it to the file."""
        if self.path is None:
            click.echo(table)
        else:
            write_text(self.path, table)
            click.echo(f"written: {self.path}", err=True)

    def draw(self, draw: Callable[[str], None]) -> None:
        """Draw the picture, if one is wanted, with a function of its path."""
        if self.plot is not None:
            draw(self.plot)
            click.echo(f"picture: {self.plot}", err=True)


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a command that prints a table and draws a picture.

    They are passed to the command as ``output``, an :class:`Output`. Files that can't be written
    are refused before it starts.
    """

    @functools.wraps(command)
    def with_output(
        *args: Any, format: str, output: str | None, plot: str | None, force: bool, **others: Any
    ) -> None:
        if output is not None:
            check_output(output, force)
        if plot is not None:
            check_output(plot, force, PICTURES)
        command(*args, output=Output(format, output, plot), **others)

    return together(
        click.option(
            "--format",
            type=click.Choice(list(FORMATS)),
            default="table",
            show_default=True,
            help="What to print or write.",
        ),
        click.option("--output", type=click.Path(), help="Write to this file, not to the screen."),
        click.option("--plot", type=click.Path(), help="Draw a picture (.png, .svg or .pdf)."),
        click.option("--force", is_flag=True, help="Overwrite files that exist."),
    )(with_output)


def write_text(path: str, text: str) -> None:
    """Write text and a final newline to a file, whole or not at all."""
    write_atomically(Path(path), text + "\n")
