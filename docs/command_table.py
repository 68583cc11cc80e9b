"""The table of the commands of ``paddle-oct``, from their help."""

from __future__ import annotations

HEADERS = {"en": ("command", "what it does"), "zh": ("命令", "说明")}


def table(language: str) -> str:
    """Return a line for every command; the help is in English only."""
    import click

    from paddle_oct.cli import cli

    lines = [f"| {' | '.join(HEADERS[language])} |", "|---|---|"]
    context = click.Context(cli, info_name="paddle-oct")
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        help_text = command.get_short_help_str(200).replace("|", "\\|")
        lines.append(f"| `paddle-oct {name}` | {help_text} |")
    return "\n".join(lines) + "\n"
