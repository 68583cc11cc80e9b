"""Time and memory of the octave networks against the vanilla ones, in Paddle's eager mode.

    python benchmarks/eager.py                     # some three minutes on two cores
    python benchmarks/eager.py --repeats 5         # quicker, noisier
    python benchmarks/eager.py --rounds 4          # repeated, to meet near and far cores (cores.py)

Both networks of a pair run in turns in one process, on two threads (``paddle_oct.bench.race``);
every pair and size has a process of its own, since earlier runs change the state of the memory.
There is a table for each state of the cores (near, far, disturbed), and one for races during which
it changed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
import warnings

from cores import PAUSE, handover_ns, state

from paddle_oct.bench import RaceResult, race, race_table

PAIRS = (("oct_resnet50", "resnet50"), ("oct_mobilenet_v1", "mobilenet_v1"))
WORKLOADS = (
    ("eager", (1, 3, 224, 224)),
    ("eager", (8, 3, 224, 224)),
    ("train", (16, 3, 64, 64)),
)


def race_alone(pair, engine, alpha, size, repeats) -> tuple[str, RaceResult]:
    """Race two networks in a new process; return the state of the cores and the result."""
    warnings.filterwarnings("ignore", module=r"paddle\.")
    before = state(handover_ns())
    result = race(*pair, engine, alpha, size, repeats=repeats)
    time.sleep(PAUSE)
    return before if before == state(handover_ns()) else "changing", result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--alpha", type=float, default=0.5)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    tasks = [
        (pair, engine, arguments.alpha, size, arguments.repeats)
        for _ in range(arguments.rounds)
        for pair in PAIRS
        for engine, size in WORKLOADS
    ]
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        races = pool.starmap(race_alone, tasks, chunksize=1)
        pool.close()
        pool.join()
    for cores in sorted({cores for cores, _ in races}, reverse=True):
        print(f"cores {cores}:\n")
        print(race_table([result for own, result in races if own == cores]), end="\n\n")


if __name__ == "__main__":
    main()
