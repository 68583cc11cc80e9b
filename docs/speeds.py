"""The README's table of speed, read from the measurements in ``benchmarks/RESULTS.md``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "benchmarks" / "RESULTS.md"
SECTIONS = ("Exported, on the engines", "Paddle's eager mode")
NETWORKS = ("oct_resnet50", "oct_mobilenet_v1")
# Of each engine, and the images at a time of its two columns.
ENGINES = {
    "OpenVINO": ("OpenVINO", "8", "1"),
    "ONNX Runtime": ("ONNX Runtime", "8", "1"),
    "Paddle Inference + OpenVINO": ("Paddle Inference (`paddle-openvino`)", "8", "1"),
    "Paddle Inference + oneDNN": ("Paddle Inference (`paddle`, oneDNN)", "8", "1"),
    "Paddle eager": ({"en": "Paddle, eager mode", "zh": "飞桨动态图"}, "8", "1"),
    "Paddle training step": ({"en": "Paddle, training step", "zh": "飞桨训练一步"}, "16", None),
}
HEADERS = {
    "en": ("", "ResNet-50, batch", "one image", "MobileNetV1, batch", "one image"),
    "zh": ("", "ResNet-50，一批", "单张", "MobileNetV1，一批", "单张"),
}


def rows(text: str) -> Iterator[dict[str, list[str]]]:
    """Yield the rows of the tables in the sections, cells by column name; names may repeat."""
    heads = None
    for section in re.split(r"^## ", text, flags=re.MULTILINE):
        if not section.startswith(SECTIONS):
            continue
        for line in section.splitlines():
            if not line.startswith("|"):
                heads = None
                continue
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if heads is None:
                heads = cells
            elif not set(line) <= set("|-: "):
                row = defaultdict(list)
                for head, cell in zip(heads, cells):
                    row[head].append(cell)
                yield row


def ratios(text: str) -> dict[tuple[str, str, str], list[Decimal]]:
    """Return the measured ratios of an engine, an octave network and a batch size."""
    found = defaultdict(list)
    for row in rows(text):
        if "engine" not in row:
            continue
        network = (row["network"] or row["networks"])[0].split(" / ")[0]
        batch = row["batch"] or [size.partition("x")[0] for size in row["input"]]
        for cell in row["time ratio"] or row["ratio"]:
            if cell:
                found[row["engine"][0], network, batch[0]].append(Decimal(cell.strip("*")))
    return found


def table(language: str) -> str:
    """Return the table: for each engine, from the lowest ratio to the highest."""
    found = ratios(RESULTS.read_text(encoding="utf-8"))
    lines = [f"| {' | '.join(HEADERS[language])} |", "|---|---:|---:|---:|---:|"]
    for engine, (name, *batches) in ENGINES.items():
        cells = [name if isinstance(name, str) else name[language]]
        for network in NETWORKS:
            for batch in batches:
                cells.append("" if batch is None else _range(found[engine, network, batch]))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _range(values: list[Decimal]) -> str:
    low, high = (
        str(value.quantize(Decimal("0.01"), ROUND_HALF_UP)) for value in (min(values), max(values))
    )
    return low if low == high else f"{low}–{high}"
