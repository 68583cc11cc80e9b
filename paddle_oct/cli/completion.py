"""``paddle-oct completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command(short_help="Let the shell complete commands, options and names.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script for SHELL: the Tab key then completes commands, options and names.

    Names are those of networks, data sets, engines and formats. Put one of these lines into the
    file that your shell reads when it starts:

    \b
    ~/.bashrc                    eval "$(paddle-oct completion bash)"
    ~/.zshrc, after compinit     eval "$(paddle-oct completion zsh)"
    ~/.config/fish/config.fish   paddle-oct completion fish | source

    Completing the options of 'train' takes a second or two, since it imports Paddle.
    """  # noqa: D301 - click wants the character that \b stands for
    root = context.find_root()
    name = root.info_name or "paddle-oct"
    variable = f"_{name}_COMPLETE".replace("-", "_").upper()  # as click looks for it
    completer = get_completion_class(shell)
    assert completer is not None  # click has these three
    click.echo(completer(root.command, {}, name, variable).source())
