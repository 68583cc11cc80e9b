"""The octave networks against the vanilla ones on the engines, cores near and far.

    python benchmarks/engines.py --json results.json    # about twenty minutes on two cores

Everything is loaded once. Then, round by round, each pair runs in turns as in ``paddle-oct bench``.
The distance of the cores is measured before and after (``cores.py``), and there are medians for
each of its two states. Turns during which it changed, or was disturbed, count for neither.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("GLOG_minloglevel", "2")
warnings.filterwarnings("ignore", module=r"paddle\.")

import click
import numpy as np
import paddle
from cores import PAUSE, handover_ns, state
from tabulate import tabulate

from paddle_oct import create_model
from paddle_oct.base.timing import summary, take_turns
from paddle_oct.deploy import export, load
from paddle_oct.deploy.engines import ENGINES as KNOWN_ENGINES

PAIRS = {"R": ("oct_resnet50", "resnet50"), "M": ("oct_mobilenet_v1", "mobilenet_v1")}
ENGINES = ("openvino", "onnxruntime", "paddle-openvino", "paddle")
STATES = ("near", "far")
WARM_UP = 2
REPEATS = {1: 10, 8: 3}  # turns in a row, by batch


def prepare(folder, pairs, batches):
    """Return ``{(pair, batch, engine): (octave, vanilla)}``, functions that run on random input."""
    runs = {}
    for pair, batch in itertools.product(pairs, batches):
        size = (batch, 3, 224, 224)
        x = np.random.default_rng(0).standard_normal(size).astype(np.float32)
        for format in ("onnx", "paddle"):
            paths = []
            for name in PAIRS[pair]:
                paddle.seed(0)
                network = create_model(name)
                network.eval()
                path = Path(folder) / f"{name}_{batch}"
                paths.append(export(network, path, format, size, dynamic="batch"))
            for engine in (e for e in ENGINES if KNOWN_ENGINES[e].format == format):
                both = [load(path, engine, 2, size) for path in paths]
                runs[pair, batch, engine] = [lambda run=run, x=x: run(x) for run in both]
    return runs


def race(both, repeats):
    """Return ``(octave, vanilla)`` in milliseconds for every turn, and the state of the cores."""
    time.sleep(PAUSE)
    for _ in range(WARM_UP):
        for run in both:
            run()
    before = state(handover_ns())
    ours, theirs = take_turns(both, repeats, warm_up=0)
    after = state(handover_ns())
    turns = [[1e3 * seconds for seconds in turn] for turn in zip(ours, theirs)]
    return turns, before if before == after else "changing"


def cell(turns):
    if len(turns) < 20:
        return [f"({len(turns)} turns)", ""]
    ours, theirs = map(summary, zip(*turns))
    return [
        f"{ours.median:.1f} ± {ours.spread:.1f} / {theirs.median:.1f} ± {theirs.spread:.1f}",
        f"**{ours.median / theirs.median:.3f}**",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=list(PAIRS))
    parser.add_argument("--batch-sizes", nargs="+", type=int, choices=REPEATS, default=[8, 1])
    parser.add_argument("--json", help="write every turn to this file")
    arguments = parser.parse_args()
    results = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        runs = prepare(folder, arguments.pairs, arguments.batch_sizes)
        with click.progressbar(range(arguments.rounds), label="rounds", file=sys.stderr) as rounds:
            for _, (key, both) in itertools.product(rounds, runs.items()):
                turns, cores = race(both, REPEATS[key[1]])
                results[(*key, cores)] += turns
    rows = []
    for engine, pair, batch in itertools.product(ENGINES, arguments.pairs, arguments.batch_sizes):
        row = [engine, " / ".join(PAIRS[pair]), batch]
        for cores in STATES:
            turns = results[pair, batch, engine, cores]
            row += [len(turns), *cell(turns)]
        rows.append(row)
    headers = ["engine", "networks", "batch"]
    for cores in STATES:
        headers += [f"turns, {cores}", f"ms, {cores}", f"ratio, {cores}"]
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))
    if arguments.json:
        named = {"/".join(map(str, key)): turns for key, turns in results.items()}
        Path(arguments.json).write_text(json.dumps(named) + "\n")


if __name__ == "__main__":
    main()
