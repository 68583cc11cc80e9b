"""An extension of griffe: what our docstrings and rooms do that it does not expect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from griffe import Alias, Class, DataclassesExtension, Extension, Module, Object

ROLE = re.compile(r":(?:func|class|meth|mod|attr|data):`(~?)([\w.]+)`")
SEVERAL = re.compile(r"^( +)((?:\w+,\s+)+\w+)((?: \([^)]*\))?:.*\n(?:\1 +.*\n?|\n(?=\1 ))*)", re.M)


class Docstrings(Extension):
    """Let functions stand before modules of their name, and rewrite the docstrings."""

    def on_package(self, *, pkg: Module, loader: Any, **kwargs: Any) -> None:
        """Go through the package once it is read."""
        if pkg.name != "paddle_oct":
            return
        loader.resolve_aliases(implicit=True)
        # It would run after this, and not see the modules that are hidden below.
        DataclassesExtension().on_package(pkg=pkg, loader=loader)
        rooms = [member for member in pkg.members.values() if isinstance(member, Module)]
        objects = list(_walk(pkg))
        self.homes = {
            str(name): room.path
            for room in rooms
            for name in room.exports or ()
            if room.members[str(name)].has_docstring
        }
        for room in rooms:
            for name in map(str, room.exports or ()):
                member = room.members[name]
                if isinstance(member, Module) and name in member.members:
                    room.members[name] = Alias(name, member.members[name], parent=room)
        for item in objects:
            if item.docstring is not None:
                text = ROLE.sub(partial(self.link, item), item.docstring.value)
                item.docstring.value = SEVERAL.sub(_one_each, text)

    def link(self, item: Object, role: re.Match[str]) -> str:
        """Return what a role becomes: a link in Markdown if the name is public, or code."""
        short, name = role.groups()
        last = name.rpartition(".")[2]
        shown = last if short else name
        owner = item if isinstance(item, Class) else item.parent
        if last.startswith("_"):
            return f"`{shown}`"
        if isinstance(owner, Class) and last in owner.all_members and owner.name in self.homes:
            return f"[`{shown}`][{self.homes[owner.name]}.{owner.name}.{last}]"
        return f"[`{shown}`][{self.homes[last]}.{last}]" if last in self.homes else f"`{shown}`"


def _walk(item: Object) -> Iterator[Object]:
    yield item
    for member in item.members.values():
        if not member.is_alias:
            yield from _walk(member)


def _one_each(match: re.Match[str]) -> str:
    """``a, b: text`` -> ``a: text`` and ``b: text``: each has a type of its own."""
    indent, names, rest = match.groups()
    rest = rest if rest.endswith("\n") else rest + "\n"
    return "".join(f"{indent}{name}{rest}" for name in re.split(r",\s+", names))
