"""The rooms of the package and what they import from each other, read from the source.

``python docs/generate.py rooms`` writes the table of ARCHITECTURE.md, and draws docs/rooms.svg.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "paddle_oct"
# From the ground up: an import points to the same room or to one before it.
ROOMS = (
    *("base", "nn", "lightweight", "weights", "cost", "views", "models", "conversion"),
    *("deploy", "training", "bench", "cli"),
)
DRAWING = Path(__file__).with_suffix(".svg")
WIDTH, HEIGHT, STEP = 1.96, 0.6, (1.28, 0.88)  # of a room, and from one to the next
INK, FILL, DOWN, UP = "#222222", "#EAF2F8", "#5B9BC8", "#D00000"
LEGEND = """An import leaves its room to the right,
turns at the dot, and comes down
on the room that is imported.

One that led up would be red.
There is none."""


def name_of(path: Path) -> tuple[str, ...]:
    """``paddle_oct/nn/feature.py`` -> ``("nn", "feature")``; a package goes by its folder."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield what of this package a file imports, wherever it stands in the file."""
    package = path.relative_to(PACKAGE).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            target = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                base = package[: len(package) - node.level + 1]
                target = (*base, *target)
            elif target[:1] == ("paddle_oct",):
                target = target[1:]
            else:
                continue
            for alias in node.names:
                inner = PACKAGE.joinpath(*target, alias.name)
                is_module = inner.is_dir() or inner.with_suffix(".py").is_file()
                yield (*target, alias.name) if is_module else target
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "paddle_oct":
                    yield tuple(alias.name.split(".")[1:])


def read_edges() -> dict[str, list[str]]:
    """Return for every room the other rooms that it imports, in their order."""
    edges = {}
    for room in ROOMS:
        targets = {t[0] for path in (PACKAGE / room).rglob("*.py") for t in imports(path) if t}
        edges[room] = [other for other in ROOMS if other in targets and other != room]
    return edges


def purpose(room: str) -> str:
    """Return the first sentence of a room's docstring."""
    source = (PACKAGE / room / "__init__.py").read_text(encoding="utf-8")
    text = " ".join((ast.get_docstring(ast.parse(source)) or "").split()).replace("``", "`")
    return re.split(r"(?<=\.)\s", text)[0]


def table() -> str:
    """Return the Markdown table of the rooms: what each is for, and what it imports."""
    lines = ["| room | what it is for | imports |", "|---|---|---|"]
    for room, others in read_edges().items():
        names = ", ".join(f"`{other}`" for other in others) or "–"
        lines.append(f"| `{room}` | {purpose(room)} | {names} |")
    return "\n".join(lines) + "\n"


def draw(edges: dict[str, list[str]], path: Path = DRAWING) -> None:
    """Draw the rooms as stairs, the ground at the bottom; an import of a later room is red."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.patches import FancyBboxPatch

    # The same drawing gives the same file.
    plt.rcParams["svg.hashsalt"] = "rooms"
    figure, axes = plt.subplots(figsize=(11, 7.4), dpi=110)
    at = {room: (-STEP[0] * k, STEP[1] * k) for k, room in enumerate(ROOMS)}
    arrows = [(room, other) for room, others in edges.items() for other in others]
    for room, other in arrows:
        (x, y), (u, v) = at[room], at[other]
        side, head, color = (1, "v", DOWN) if v < y else (-1, "^", UP)
        look = {"color": color, "lw": 1.6, "zorder": 1 if v < y else 2}
        axes.plot([x + side * WIDTH / 2, u, u], [y, y, v + side * HEIGHT / 2], **look)
        axes.plot([u], [y], "o", ms=7, **look)
        axes.plot([u], [v + side * (HEIGHT / 2 + 0.07)], head, ms=7.5, **look)
    for room, (x, y) in at.items():
        look = {"boxstyle": "round,pad=0,rounding_size=0.14", "facecolor": FILL, "edgecolor": INK}
        corner = (x - WIDTH / 2, y - HEIGHT / 2)
        axes.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, lw=1.1, zorder=3, **look))
        axes.text(x, y - 0.02, room, ha="center", va="center", fontsize=10.5, color=INK, zorder=4)
    if all(ROOMS.index(other) < ROOMS.index(room) for room, other in arrows):
        axes.text(at["cli"][0] - WIDTH / 2, 1.2, LEGEND, va="center", fontsize=11.5, color=INK)
    axes.set_aspect("equal")
    axes.axis("off")
    metadata = {"Date": None} if path.suffix == ".svg" else None
    figure.savefig(path, bbox_inches="tight", facecolor="white", metadata=metadata)
    plt.close(figure)
