"""Parameters and multiply-accumulates of every network, beside the paper's numbers.

python benchmarks/networks.py             # prints the tables
python benchmarks/networks.py --write     # puts them into docs/networks.md
"""

from __future__ import annotations

import argparse
import os
import re
import warnings
from pathlib import Path

os.environ.setdefault("GLOG_minloglevel", "2")
warnings.filterwarnings("ignore", module=r"paddle\.")

from paddle.nn import initializer
from tabulate import tabulate

from paddle_oct import create_model, list_models
from paddle_oct.bench import of_table
from paddle_oct.cost import count_macs

ALPHAS = (0, 0.125, 0.25, 0.5, 0.75)
SIZE = (1, 3, 224, 224)
VARIANTS = {
    "oct_mobilenet_v1": [{"scale": s} for s in (0.25, 0.5, 0.75, 1.0)],
    "oct_mobilenet_v2": [{"scale": s} for s in (1.0, 1.125)],
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


def paper(name, options):
    """Return what the paper prints for a network, by alpha."""
    return {
        result.alpha: f"{result.gmacs:.{1 if number == 7 else 3}f}"
        for number in (5, 7, 9)
        for result in of_table(number)
        if (result.model, result.options) == (name, options)
    }


def names():
    """Return the networks' names, sorted with numbers by value."""
    return sorted(list_models(), key=lambda n: [int(p) if p.isdigit() else p for p in split(n)])


def split(name):
    return re.split(r"(\d+)", name)


def costs():
    """Return the table of costs."""
    rows = []
    for name in names():
        for options in VARIANTS.get(name, [{}]):
            printed = paper(name, options)
            whole = None
            for alpha in sorted({*ALPHAS, *printed}):
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
                        printed.get(alpha, ""),
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
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="write docs/networks.md")
    arguments = parser.parse_args()
    initializer.set_global_initializer(initializer.Constant(0.01))  # quicker than random numbers
    content = f"{TEXT}## Cost\n\n{costs()}\n\n## Stages\n\n{stages()}\n"
    print(content)
    if arguments.write:
        path = Path(__file__).parents[1] / "docs" / "networks.md"
        path.write_text(content, encoding="utf-8")
