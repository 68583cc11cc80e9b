"""Names that the shell completes, found without importing Paddle, which would take seconds.

They are not checked here: the rooms refuse an unknown name and suggest the nearest.
"""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path
from typing import Callable, Iterable

import click
from click.shell_completion import CompletionItem

# Copied from rooms that import Paddle; tests/cli/test_cli_completion.py compares them.
DATA_SETS = ("digits", "cifar10", "cifar100", "folder")
RACE_ENGINES = ("eager", "train", "paddle", "paddle-openvino", "onnxruntime", "openvino")
EXPORT_FORMATS = ("onnx", "paddle")


def octave_models() -> list[str]:
    """Return the names of this package's networks."""
    return [name for name in _listed_in("paddle_oct.models") if name.startswith("oct_")]


def vanilla_models() -> list[str]:
    """Return the names of the networks of ``paddle.vision.models``."""
    return [name for name in _listed_in("paddle.vision.models") if name.islower()]


def all_models() -> list[str]:
    """Return the names of all networks."""
    return [*octave_models(), *vanilla_models()]


def _listed_in(package: str) -> list[str]:
    """Return ``__all__`` of a package, read from its file."""
    root, *inner = package.split(".")
    spec = find_spec(root)
    if spec is None or spec.origin is None:
        return []
    file = Path(spec.origin).parent.joinpath(*inner, "__init__.py")
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


class NameType(click.ParamType):
    """A word that the shell completes if it is a known name.

    Args:
        known: the names, or a function that finds them.
        several: whether there may be several names, separated by commas.
        or_folder: whether the word may also be the folder of a run.
    """

    name = "text"

    def __init__(
        self,
        known: Iterable[str] | Callable[[], Iterable[str]],
        *,
        several: bool = False,
        or_folder: bool = False,
    ) -> None:
        self.known = known
        self.several = several
        self.or_folder = or_folder

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        done, comma, begun = incomplete.rpartition(",") if self.several else ("", "", incomplete)
        known = self.known() if callable(self.known) else self.known
        # The folder comes first: click's script for bash drops what stands before it.
        items = [CompletionItem(incomplete, type="dir")] if self.or_folder else []
        items += [
            CompletionItem(f"{done}{comma}{name}") for name in known if name.startswith(begun)
        ]
        return items
