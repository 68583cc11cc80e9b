"""Time and memory of the octave networks against their vanilla selves, in Paddle's eager mode.

    python benchmarks/eager.py                     # about five minutes on two cores
    python benchmarks/eager.py --repeats 5         # quicker, noisier

Both networks of a pair run in turns in this process, on two threads (``paddle_oct.deploy.race``).
"""

from __future__ import annotations

import argparse
import warnings

from paddle_oct.deploy import race, race_table

PAIRS = (("oct_resnet50", "resnet50"), ("oct_mobilenet_v1", "mobilenet_v1"))
WORKLOADS = (
    ("eager", (1, 3, 224, 224)),
    ("eager", (8, 3, 224, 224)),
    ("train", (16, 3, 64, 64)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--alpha", type=float, default=0.5)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", module=r"paddle\.")
    results = [
        race(*pair, engine, arguments.alpha, size, repeats=arguments.repeats)
        for pair in PAIRS
        for engine, size in WORKLOADS
    ]
    print(race_table(results))


if __name__ == "__main__":
    main()
