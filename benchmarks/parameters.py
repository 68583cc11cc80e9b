"""Parameters and multiply-accumulates of the octave networks beside their vanilla selves.

python benchmarks/parameters.py             # prints the table of the README
python benchmarks/parameters.py --write     # puts it into README.md and README_zh.md
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("GLOG_minloglevel", "2")
warnings.filterwarnings("ignore", module=r"paddle\.")

import paddle
from tabulate import tabulate

from paddle_oct import create_model
from paddle_oct.cost import count_macs

NETWORKS = (
    ("mobilenet_v1", "oct_mobilenet_v1"),
    ("resnet50", "oct_resnet50"),
    ("resnet101", "oct_resnet101"),
    ("resnet152", "oct_resnet152"),
)
ALPHAS = (0.125, 0.25, 0.5, 0.75)
SIZE = (1, 3, 224, 224)
START, END = "<!-- parameters -->\n", "<!-- /parameters -->\n"


def describe(name, **options):
    network = create_model(name, num_classes=10, **options)
    with contextlib.redirect_stdout(io.StringIO()):
        parameters = paddle.summary(network, SIZE)["total_params"]
    return parameters, count_macs(network, SIZE) / 1e9


def table():
    rows = []
    for vanilla, octave in NETWORKS:
        parameters, macs = describe(vanilla)
        rows.append(
            (f"`paddle.vision.models.{vanilla}`", "", f"{parameters:,}", f"{macs:.3f} G", "")
        )
        for alpha in ALPHAS:
            own, own_macs = describe(octave, alpha=alpha)
            share = f"{own_macs / macs:.0%}"
            rows.append((f"`{octave}`", f"{alpha:g}", f"{own:,}", f"{own_macs:.3f} G", share))
    headers = ("network", "alpha", "parameters", "MACs", "of vanilla")
    align = ("left", "right", "right", "right", "right")
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True, colalign=align) + "\n"


def write(content):
    for path in Path(__file__).parents[1].glob("README*.md"):
        text = path.read_text(encoding="utf-8")
        head, rest = text.split(START)
        _, tail = rest.split(END)
        path.write_text(f"{head}{START}\n{content}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    print(content := table())
    if "--write" in sys.argv:
        write(content)
