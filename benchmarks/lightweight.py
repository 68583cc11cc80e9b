"""Time of the lightweight convolutions, and of HetConv against its definition.

    python benchmarks/lightweight.py               # a minute on two cores
    python benchmarks/lightweight.py --write       # and into benchmarks/RESULTS-lightweight.md

All layers of a table run in the same process and in turns, so that disturbances affect all alike.
Printed is the median of the repeats with half the distance of the quartiles, in Paddle's eager
mode.
"""

from __future__ import annotations

import os
import warnings

os.environ.setdefault("GLOG_minloglevel", "2")
warnings.filterwarnings("ignore", module=r"paddle\.")

import argparse
from functools import partial
from pathlib import Path

import paddle
import paddle.nn.functional as F
from paddle import nn
from tabulate import tabulate

from paddle_oct import DSCConv, DualConv, HetConv
from paddle_oct.base.timing import summary, take_turns
from paddle_oct.cost import count_macs

RESULTS = Path(__file__).with_name("RESULTS-lightweight.md")


class KernelByKernel(nn.Layer):
    """HetConv by its definition: the sum of one convolution of one channel per kernel."""

    def __init__(self, layer):
        super().__init__()
        self.p = layer.p
        whole = layer.kernel()
        self.filters = nn.LayerList()
        for n in range(whole.shape[0]):
            row = nn.ParameterList()
            for m in range(whole.shape[1]):
                kernel = whole[n : n + 1, m : m + 1]
                if (m - n) % self.p:
                    kernel = kernel[:, :, 1:2, 1:2]
                initial = nn.initializer.Assign(kernel.numpy())
                row.append(self.create_parameter(kernel.shape, default_initializer=initial))
            self.filters.append(row)

    def forward(self, x):
        channels = paddle.split(x, x.shape[1], axis=1)
        maps = []
        for row in self.filters:
            y = None
            for channel, kernel in zip(channels, row):
                part = F.conv2d(channel, kernel, padding=kernel.shape[2] // 2)
                y = part if y is None else y + part
            maps.append(y)
        return paddle.concat(maps, axis=1)


def forward(layer, x):
    with paddle.no_grad():
        layer(x).numpy()


def step(layer, x):
    layer(x).mean().backward()
    layer.clear_gradients()


def measure(layers, x, run, repeats, times=None):
    """Return the :class:`Timing` of each layer, all of them in turns.

    In each turn a layer runs as many times as ``times`` says: the median of a fast layer needs more
    runs.
    """
    times = times or [1] * len(layers)
    numbers = [number for number, count in enumerate(times) for _ in range(count)]
    runs = [partial(run, layers[number], x) for number in numbers]
    taken = [[] for _ in layers]
    for number, seconds in zip(numbers, take_turns(runs, repeats, warm_up=1)):
        taken[number] += seconds
    return [summary(seconds) for seconds in taken]


def shown(timing):
    return f"{1000 * timing.median:.2f} ± {1000 * timing.spread:.2f}"


def against_definition(repeats):
    rows = []
    for p in (2, 4, 8, 16):
        layer = HetConv(64, 64, p, padding=1, bias_attr=False)
        definition = KernelByKernel(layer)
        x = paddle.randn([1, 64, 28, 28])
        difference = float((layer(x) - definition(x)).abs().max())
        for what, run in (("forward", forward), ("forward and backward", step)):
            ours, theirs = measure([layer, definition], x, run, repeats, [10, 1])
            ratio = theirs.median / ours.median
            rows.append((p, what, shown(theirs), shown(ours), f"{ratio:.0f}", f"{difference:.1e}"))
    headers = ("p", "what", "kernel by kernel ms", "HetConv ms", "times faster", "difference")
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def family(repeats):
    makers = {
        "nn.Conv2D": partial(nn.Conv2D, kernel_size=3),
        "nn.Conv2D, groups = 4": partial(nn.Conv2D, kernel_size=3, groups=4),
        "DSCConv": DSCConv,
        **{f"HetConv, p = {p}": partial(HetConv, p=p) for p in (2, 4, 8, 64)},
        "DualConv, groups = 4": partial(DualConv, groups=4),
    }
    layers = [make(64, 64, padding=1, bias_attr=False) for make in makers.values()]
    macs = [count_macs(nn.Sequential(layer), (1, 64, 56, 56)) for layer in layers]
    x = paddle.randn([4, 64, 56, 56])
    forwards, steps = (measure(layers, x, run, 3 * repeats) for run in (forward, step))
    rows = [
        (
            name,
            f"{m / macs[0]:.2f}",
            shown(f),
            f"{f.median / forwards[0].median:.2f}",
            shown(s),
            f"{s.median / steps[0].median:.2f}",
        )
        for name, m, f, s in zip(makers, macs, forwards, steps)
    ]
    headers = ("layer", "MAC ratio", "forward ms", "ratio", "forward and backward ms", "ratio")
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    arguments = parser.parse_args()
    paddle.seed(0)
    text = f"""# Lightweight convolutions

`python benchmarks/lightweight.py --repeats {arguments.repeats} --write`, Paddle
{paddle.__version__}, {os.cpu_count()} cores, eager mode, medians of interleaved repeats.

## HetConv against its definition, one convolution per kernel

64 -> 64 channels, 3x3, input 1x64x28x28, {arguments.repeats} turns, in each of
which HetConv runs ten times.

{against_definition(arguments.repeats)}

## The family against `nn.Conv2D`

64 -> 64 channels, 3x3, input 4x64x56x56, {3 * arguments.repeats} repeats.

{family(arguments.repeats)}
"""
    print(text)
    if arguments.write:
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
