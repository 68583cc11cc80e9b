"""Rewrite everything that is generated in the READMEs and the pages.

python docs/generate.py              # all of it; some minutes
python docs/generate.py rooms speed  # these alone

A block stands between the lines ``<!-- NAME -->`` and ``<!-- /NAME -->`` and is rewritten wherever
it occurs, in the language of its page. A page is written by a script as a whole.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

# Before Paddle is imported: its remarks to developers are no news here.
os.environ.setdefault("GLOG_minloglevel", "2")
warnings.filterwarnings("ignore", module=r"paddle\.")

import command_table
import costs
import rooms
import speeds

ROOT = Path(__file__).parents[1]
BLOCKS = {
    "costs": costs.short_table,
    "parameters": costs.long_table,
    "speed": speeds.table,
    "commands": command_table.table,
    "rooms": lambda language: rooms.table(),
}
PAGES = {
    "networks": ("benchmarks/networks.py", "--write"),
    "octavize": ("benchmarks/octavize.py", "--write"),
}


def pages() -> list[Path]:
    """Return every page that may hold a block."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def language(path: Path) -> str:
    """Return the language of a page, ``"en"`` or ``"zh"``."""
    return "zh" if path.stem.endswith("_zh") or path.parent.name == "zh" else "en"


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the content of each block in a page."""
    for match in re.finditer(r"^<!-- (\w+) -->\n(.*?)^<!-- /\1 -->$", text, re.M | re.S):
        yield match[1], match[2].strip() + "\n"


def replace(text: str, name: str, content: str) -> str:
    """Return the page with new content in its blocks of this name."""
    pattern = rf"^<!-- {name} -->\n.*?^<!-- /{name} -->$"
    new = f"<!-- {name} -->\n\n{content}\n<!-- /{name} -->"
    return re.sub(pattern, lambda _: new, text, flags=re.M | re.S)


def write(name: str) -> None:
    """Rewrite the blocks, the drawing or the page of this name."""
    if name in PAGES:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, *PAGES[name]], cwd=ROOT, env=environment, check=True)
        return
    for path in pages():
        text = path.read_text(encoding="utf-8")
        if name in dict(blocks(text)):
            new = replace(text, name, BLOCKS[name](language(path)))
            path.write_text(new, encoding="utf-8")
    if name == "rooms":
        rooms.draw(rooms.read_edges())


def main() -> None:
    known = [*BLOCKS, *PAGES]
    if {"-h", "--help"} & set(sys.argv):
        sys.exit(f"python docs/generate.py [NAME ...], of {', '.join(known)}; by default all")
    for name in sys.argv[1:] or known:
        if name not in known:
            sys.exit(f"{name!r} is none of {', '.join(known)}")
        write(name)
        print(name)


if __name__ == "__main__":
    main()
