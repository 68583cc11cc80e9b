"""The training memory that ``profile`` predicts, against what Paddle's allocator hands out.

    python benchmarks/memory.py                    # about a minute on two cores

Measured in the second step with Momentum, when gradients and the optimizer's state exist. "Held" is
what is allocated after the forward pass, "step" the peak of the whole step, both above what was
allocated before the step and its input; "total" is that peak above what was allocated before the
network was built. CPU only.
"""

from __future__ import annotations

import argparse
import gc
import os
import warnings

os.environ.setdefault("GLOG_minloglevel", "2")
warnings.filterwarnings("ignore", module=r"paddle\.")

import paddle
import paddle.nn.functional as F
from tabulate import tabulate

from paddle_oct.base.private import allocated_bytes, peak_of_allocated, reset_peak_of_allocated
from paddle_oct.bench import model_by_name
from paddle_oct.cost import profile

NETWORKS = (
    *("resnet50", "oct_resnet50@0.25", "oct_resnet50@0.5", "oct_resnet50@0.75"),
    *("mobilenet_v1", "oct_mobilenet_v1@0.25", "oct_mobilenet_v1@0.5", "oct_mobilenet_v1@0.75"),
)
SIZES = ((8, 3, 64, 64), (2, 3, 224, 224))


def measure(name, size):
    gc.collect()
    start = allocated_bytes()
    network = model_by_name(name)
    images, labels = paddle.rand(size), paddle.randint(0, 1000, [size[0]])
    optimizer = paddle.optimizer.Momentum(0.01, parameters=network.parameters())
    network.train()
    for _ in range(2):
        before = allocated_bytes() - 4 * images.size
        reset_peak_of_allocated()
        loss = F.cross_entropy(network(images), labels)
        held = allocated_bytes() - before
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        del loss
        peak = peak_of_allocated()
    return held, peak - before, peak - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    rows = []
    for name in parser.parse_args().networks:
        for size in SIZES:
            cost = profile(model_by_name(name), size).memory
            row = [name, "x".join(map(str, size))]
            predicted = (cost.training, cost.step, cost.training_total(slots=1))
            for ours, measured in zip(predicted, measure(name, size)):
                row += [f"{ours / 2**20:.1f}", f"{measured / 2**20:.1f}", f"{ours / measured:.3f}"]
            rows.append(row)
    headers = ["network", "input"]
    for what in ("held", "step", "total"):
        headers += [f"{what}, predicted MiB", "measured MiB", "ratio"]
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
