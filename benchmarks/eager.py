"""Time and memory of the octave networks against their vanilla selves, in Paddle's eager mode.

    python benchmarks/eager.py                     # about ten minutes on two cores
    python benchmarks/eager.py --repeats 5         # quicker, noisier

Both networks of a pair run in the same process, in turns, so that whatever else the machine does
falls on both. Printed: the median of the repeats with the quartiles' distance from it, the ratio
octave / vanilla of the medians beside that of the multiply-accumulates, and the peak memory above
what the network held before (CPU: what Paddle's allocator handed out).
"""

from __future__ import annotations

import os
import warnings

os.environ.setdefault("GLOG_minloglevel", "2")
os.environ.setdefault("OMP_NUM_THREADS", "2")  # Paddle's own choice is one
warnings.filterwarnings("ignore", module=r"paddle\.")

import argparse  # noqa: E402
import statistics  # noqa: E402
import time  # noqa: E402

import paddle  # noqa: E402
import paddle.nn.functional as F  # noqa: E402
from paddle.base import core  # noqa: E402
from tabulate import tabulate  # noqa: E402

from paddle_oct import create_model  # noqa: E402
from paddle_oct.analysis import count_macs  # noqa: E402

PAIRS = (("oct_resnet50", "resnet50"), ("oct_mobilenet_v1", "mobilenet_v1"))
# (what, input shape)
WORKLOADS = (
    ("forward", (1, 3, 224, 224)),
    ("forward", (8, 3, 224, 224)),
    ("training step", (16, 3, 64, 64)),
)


class Contender:
    """A network, and what a workload does with it."""

    def __init__(self, name, shape, training, **options):
        paddle.seed(0)
        self.name = name
        self.network = create_model(name, **options)
        self.macs = count_macs(self.network, (1, *shape[1:]))
        self.training = training
        self.network.train() if training else self.network.eval()
        self.optimizer = paddle.optimizer.Momentum(0.01, parameters=self.network.parameters())
        self.images = paddle.rand(shape)
        self.labels = paddle.randint(0, 1000, [shape[0]])
        self.seconds = []

    def run(self):
        if not self.training:
            with paddle.no_grad():
                self.network(self.images).numpy()
            return
        loss = F.cross_entropy(self.network(self.images), self.labels)
        loss.backward()
        self.optimizer.step()
        self.optimizer.clear_grad()
        loss.numpy()

    def measure(self):
        start = time.perf_counter()
        self.run()
        self.seconds.append(time.perf_counter() - start)

    def peak_memory(self):
        """Return the bytes that one run allocates at its peak."""
        before = core.host_memory_stat_current_value("Allocated", 0)
        core.host_memory_stat_reset_peak_value("Allocated", 0)
        self.run()
        return core.host_memory_stat_peak_value("Allocated", 0) - before

    @property
    def median(self):
        return statistics.median(self.seconds)

    @property
    def spread(self):
        low, _, high = statistics.quantiles(self.seconds, n=4)
        return (high - low) / 2


def compare(pair, what, shape, alpha, repeats):
    octave = Contender(pair[0], shape, what != "forward", alpha=alpha)
    vanilla = Contender(pair[1], shape, what != "forward")
    for contender in (octave, vanilla):
        contender.run()
        contender.run()
    for _ in range(repeats):
        octave.measure()
        vanilla.measure()
    memory = [contender.peak_memory() for contender in (octave, vanilla)]
    return (
        pair[0],
        f"{what}, {'x'.join(map(str, shape))}",
        *(f"{1000 * c.median:.0f} ± {1000 * c.spread:.0f}" for c in (octave, vanilla)),
        f"{octave.median / vanilla.median:.2f}",
        f"{octave.macs / vanilla.macs:.2f}",
        *(f"{m / 2**20:.0f}" for m in memory),
        f"{memory[0] / memory[1]:.2f}",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--alpha", type=float, default=0.5)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    headers = ("network", "workload", "octave ms", "vanilla ms", "time ratio", "MAC ratio")
    headers += ("octave MiB", "vanilla MiB", "memory ratio")
    rows = []
    for pair in PAIRS:
        for what, shape in WORKLOADS:
            rows.append(compare(pair, what, shape, arguments.alpha, arguments.repeats))
    print(
        f"Paddle {paddle.__version__}, {os.cpu_count()} cores, alpha {arguments.alpha:g}, ", end=""
    )
    print(f"median of {arguments.repeats}\n")
    print(tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
