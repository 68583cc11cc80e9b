"""The zoo: parameters and multiply-accumulates of every network, beside the paper's numbers.

python benchmarks/networks.py             # prints the tables
python benchmarks/networks.py --write     # puts them into docs/networks.md
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from pathlib import Path

os.environ.setdefault("GLOG_minloglevel", "2")
warnings.filterwarnings("ignore", module=r"paddle\.")

from paddle.nn import initializer
from tabulate import tabulate

from paddle_oct import create_model, list_models
from paddle_oct.cost import count_macs

ALPHAS = (0, 0.125, 0.25, 0.5, 0.75)
SIZE = (1, 3, 224, 224)
VARIANTS = {
    "oct_mobilenet_v1": [{"scale": s} for s in (0.25, 0.5, 0.75, 1.0)],
    "oct_mobilenet_v2": [{"scale": s} for s in (1.0, 1.125)],
}
# arXiv:1904.05049: GFLOPs, with batch-norm, of Table 9 (residual networks, DenseNet), Table 5
# (MobileNets) and Table 7 (ResNet-152 v1f and v1e), by alpha.
PAPER = {
    "oct_resnet26": {0: "2.353", 0.125: "2.102", 0.25: "1.871", 0.5: "1.491", 0.75: "1.216"},
    "oct_densenet121": {0: "2.852", 0.125: "2.428", 0.25: "2.044"},
    "oct_resnet50": {0: "4.105", 0.125: "3.587", 0.25: "3.123", 0.5: "2.383", 0.75: "1.891"},
    "oct_se_resnet50": {0: "4.113", 0.125: "3.594", 0.25: "3.130", 0.5: "2.389", 0.75: "1.896"},
    "oct_resnext50_32x4d": {0: "4.250", 0.25: "3.196", 0.5: "2.406", 0.75: "1.891"},
    "oct_resnet101": {0: "7.822", 0.125: "6.656", 0.25: "5.625", 0.5: "4.012"},
    "oct_resnext101_32x4d": {0: "7.993", 0.25: "5.719", 0.5: "4.050"},
    "oct_resnet200": {0: "15.044", 0.125: "12.623", 0.25: "10.497", 0.5: "7.183"},
    "oct_mobilenet_v1 0.75": {0: "0.325", 0.375: "0.213"},
    "oct_mobilenet_v1 1": {0.5: "0.321"},
    "oct_mobilenet_v2 1": {0: "0.300", 0.375: "0.256"},
    "oct_mobilenet_v2 1.125": {0.5: "0.295"},
    "oct_resnet152_v1f": {0.125: "10.9"},
    "oct_se_resnet152_v1e": {0.125: "10.9"},
}
TEXT = """# The networks

Each is built by `paddle_oct.create_model(NAME, alpha=...)`, with one alpha or one per stage.
Parameters are those that are trained, with 1000 classes, and the same for every alpha. MACs are the
multiply-accumulates of convolutions and linear layers for one image of 224x224, in G; "paper" is
what Tables 5, 7 and 9 of arXiv:1904.05049 print, which counts batch-norm too and so a little more.
(For vanilla MobileNets it quotes their own papers, where V2's first block lacks 0.013 G.)

With `features_only=True` a network is a backbone and returns the maps of its stages, whose channels
and strides are in the second table.

Made by `python benchmarks/networks.py --write`.

"""


def names():
    """Return the networks' names with numbers in their order."""
    return sorted(list_models(), key=lambda n: [int(p) if p.isdigit() else p for p in split(n)])


def split(name):
    return re.split(r"(\d+)", name)


def costs():
    """Return the table of costs."""
    rows = []
    for name in names():
        for options in VARIANTS.get(name, [{}]):
            label = " ".join([name, *(f"{v:g}" for v in options.values())])
            paper = PAPER.get(label, {})
            whole = None
            for alpha in sorted({*ALPHAS, *paper}):
                if "resnext" in name and alpha % 0.25:
                    continue  # 32 groups do not divide the bands
                network = create_model(name, alpha=alpha, **options)
                macs = count_macs(network, SIZE) / 1e9
                whole = whole or macs
                trained = sum(int(p.size) for p in network.parameters() if not p.stop_gradient)
                called = f"`{name}`" + "".join(f", {k} {v:g}" for k, v in options.items())
                rows.append(
                    (
                        called if alpha == 0 else "",
                        f"{trained:,}" if alpha == 0 else "",
                        f"{alpha:g}",
                        f"{macs:.3f}",
                        f"{macs / whole:.0%}",
                        paper.get(alpha, ""),
                    )
                )
    headers = ("network", "parameters", "alpha", "MACs", "of vanilla", "paper")
    return tabulate(
        rows,
        headers,
        tablefmt="github",
        disable_numparse=True,
        colalign=("left", *["right"] * 5),
    )


def stages():
    """Return the table of the stages of every network."""
    rows = []
    for name in names():
        info = create_model(name, features_only=True).feature_info
        channels, strides = ([str(getattr(s, a)) for s in info] for a in ("channels", "stride"))
        rows.append((f"`{name}`", ", ".join(channels), ", ".join(strides)))
    return tabulate(rows, ("network", "channels", "strides"), tablefmt="github")


if __name__ == "__main__":
    initializer.set_global_initializer(initializer.Constant(0.01))  # quicker than random numbers
    content = f"{TEXT}## Cost\n\n{costs()}\n\n## Stages\n\n{stages()}\n"
    print(content)
    if "--write" in sys.argv:
        path = Path(__file__).parents[1] / "docs" / "networks.md"
        path.write_text(content, encoding="utf-8")
