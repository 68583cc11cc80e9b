"""One loaded file in several threads: whether its results are right, and how fast it is.

    python benchmarks/threads.py    # 8 threads, 1,000 calls in each; a few minutes

Every thread has inputs of its own, of two sizes. A result is wrong if it differs from that of the
same input in a single thread by more than 1e-5 of the largest value.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
import warnings
from pathlib import Path

os.environ.setdefault("GLOG_minloglevel", "2")
warnings.filterwarnings("ignore", module=r"paddle\.")

import click
import numpy as np
import paddle

from paddle_oct import create_model
from paddle_oct.deploy import export, load
from paddle_oct.deploy.engines import ENGINES

SIZES = ((1, 3, 32, 32), (2, 3, 33, 48))
INPUTS = 4  # of a thread
SAME = 1e-5


def differs(y, expected):
    return y.shape != expected.shape or np.abs(y - expected).max() > SAME * np.abs(expected).max()


def calls_per_second(predict, inputs, expected, calls):
    """Run every list of inputs in a thread; return the calls per second, and how many are wrong."""
    wrong = [0] * len(inputs)
    start_together = threading.Barrier(len(inputs) + 1)

    def work(number):
        start_together.wait()
        for i in range(calls):
            k = i % INPUTS
            try:
                wrong[number] += bool(differs(predict(inputs[number][k]), expected[number][k]))
            except Exception as error:
                click.echo(f"{predict}: {error}", err=True)
                wrong[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(inputs))]
    for thread in threads:
        thread.start()
    start_together.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    return len(inputs) * calls / (time.perf_counter() - start), sum(wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--calls", type=int, default=1000, help="in each thread")
    parser.add_argument("--threads-of-a-call", type=int, default=1, help="that the engine may use")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    inputs = [
        [rng.random(SIZES[k % len(SIZES)], np.float32) for k in range(INPUTS)]
        for _ in range(arguments.threads)
    ]
    columns = ["engine", "calls", "wrong"]
    columns += ["calls/s, one thread", f"calls/s, {arguments.threads} threads", "ratio"]
    click.echo(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    paddle.seed(0)
    network = create_model("oct_mobilenet_v1", scale=0.25, num_classes=10)
    network.eval()
    with tempfile.TemporaryDirectory() as folder:
        paths = {f: export(network, Path(folder) / "net", f, SIZES[0]) for f in ("onnx", "paddle")}
        for engine in arguments.engines:
            path = paths[ENGINES[engine].format]
            predict = load(path, engine, arguments.threads_of_a_call)
            expected = [[predict(x) for x in own] for own in inputs]
            one, wrong = calls_per_second(predict, inputs[:1], expected, arguments.calls)
            fresh = load(path, engine, arguments.threads_of_a_call)
            many, more_wrong = calls_per_second(fresh, inputs, expected, arguments.calls)
            calls = (arguments.threads + 1) * arguments.calls
            row = (engine, calls, wrong + more_wrong, f"{one:.0f}", f"{many:.0f}")
            click.echo(f"| {' | '.join(map(str, row))} | {many / one:.2f} |")


if __name__ == "__main__":
    main()
