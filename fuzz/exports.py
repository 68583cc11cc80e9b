"""Damaged exported files: does ``load`` refuse all of them, and no engine crash?

    python fuzz/exports.py --log exports.jsonl                     # 1,000 files an engine
    python fuzz/exports.py --log foreign.jsonl --without-digests   # the same, of foreign files

Every file is made from a seed and its number. They are loaded by a worker process; if it dies, or
hangs for a minute, it is replaced. What the log holds is not done again.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import select
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("GLOG_minloglevel", "4")
warnings.filterwarnings("ignore", module=r"paddle\.")

import click
import numpy as np

from paddle_oct.deploy import load
from paddle_oct.deploy.engines import ENGINES
from paddle_oct.deploy.engines.formats import FORMATS

PATIENCE = 60  # seconds


def flip_bits(rng, content, other):
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8])):
        changed[rng.integers(len(changed))] ^= 1 << rng.integers(8)
    return bytes(changed)


def flip_a_bit_of_the_ends(rng, content, other):
    changed = bytearray(content)
    changed[rng.integers(-200, 200)] ^= 1 << rng.integers(8)
    return bytes(changed)


def random_bytes(rng, content, other):
    start, stop = block(rng, content)
    return content[:start] + rng.bytes(stop - start) + content[stop:]


def truncate(rng, content, other):
    return content[: rng.integers(len(content))]


def cut_the_start(rng, content, other):
    return content[rng.integers(1, len(content)) :]


def append(rng, content, other):
    return content + rng.bytes(rng.integers(1, 300))


def remove(rng, content, other):
    start, stop = block(rng, content)
    return content[:start] + content[stop:]


def repeat(rng, content, other):
    start, stop = block(rng, content)
    return content[:stop] + content[start:]


def clear(rng, content, other):
    start, stop = block(rng, content)
    return content[:start] + bytes(stop - start) + content[stop:]


def swap(rng, content, other):
    a, b, c, d = sorted(rng.integers(len(content) + 1, size=4))
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def splice(rng, content, other):
    """Take a part from the export of another network."""
    start, stop = block(rng, content)
    return content[:start] + other[start:stop] + content[stop:]


def replace(rng, content, other):
    """Take the whole file from the export of another network: for one of a pair."""
    return other


CHANGES = [flip_bits, flip_a_bit_of_the_ends, random_bytes, truncate, cut_the_start, append]
CHANGES += [remove, repeat, clear, swap, splice, replace]


def block(rng, content):
    """Return where a part of a file begins and ends; short ones are as likely as long ones."""
    length = int(min(len(content), 2 ** rng.uniform(0, np.log2(len(content)))))
    start = int(rng.integers(len(content) - length + 1))
    return start, start + length


def damaged(rng, files, others):
    """Return the contents of the files of an export, one of them changed, and how."""
    while True:
        number = int(rng.integers(len(files)))
        change = CHANGES[rng.integers(len(CHANGES))]
        if change is replace and len(files) == 1:
            continue
        changed = list(files)
        changed[number] = change(rng, files[number], others[number])
        if changed[number] != files[number]:
            return changed, f"{change.__name__} {number}"


class Worker:
    """A process that loads files, and can die."""

    def __init__(self):
        self._process = None

    def load(self, path, engine):
        """Return what became of a file, in a word."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", __file__, "--worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        process = self._process
        process.stdin.write(f"{engine} {path}\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], PATIENCE)[0]:
            process.kill()
        answer = process.stdout.readline().strip()
        if answer:
            return answer
        self._process = None
        return f"signal {-process.wait()}"

    def close(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def work():
    """Load the files that standard input names, and say what became of each."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # engines print
    for line in sys.stdin:
        engine, path = line.split(maxsplit=1)
        try:
            load(path.strip(), engine, threads=1)
            answer = "loaded"
        except ValueError as error:
            by_digest = "it was exported" in str(error) or "was exported together" in str(error)
            answer = "refused by digest" if by_digest else "refused by format"
        except BaseException as error:
            answer = f"error {type(error).__name__}"
        print(answer, file=answers, flush=True)


def prepare(folder, digests):
    """Export two networks in both formats; return the contents of the files of each format."""
    import paddle

    from paddle_oct import create_model
    from paddle_oct.deploy import exporting

    if not digests:
        exporting.seal = lambda files: None
    contents = collections.defaultdict(list)
    for number, seed in enumerate((0, 1)):
        paddle.seed(seed)
        network = create_model("oct_mobilenet_v1", scale=0.25, num_classes=10, alpha=0.5 - seed / 4)
        network.eval()
        for format, suffixes in FORMATS.items():
            path = exporting.export(network, Path(folder) / f"{number}", format, (1, 3, 32, 32))
            contents[format].append([path.with_suffix(s).read_bytes() for s in suffixes])
    return contents


def table(results, engines):
    """Print what became of the files of each engine."""
    outcomes = ["refused by digest", "refused by format", "loaded", "error", "signal"]
    click.echo(f"| engine | files | {' | '.join(outcomes)} |\n|---|---|{'---|' * len(outcomes)}")
    for engine in engines:
        own = [outcome for (name, _), outcome in results.items() if name == engine]
        count = [sum(outcome.startswith(o) for outcome in own) for o in outcomes]
        click.echo(f"| {engine} | {len(own)} | {' | '.join(map(str, count))} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--files", type=int, default=1000, help="for each engine")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--without-digests", action="store_true")
    parser.add_argument("--log", type=Path, default=Path("exports.jsonl"))
    arguments = parser.parse_args()
    if arguments.worker:
        work()
        return
    results = {}
    if arguments.log.exists():
        for line in arguments.log.read_text().splitlines():
            record = json.loads(line)
            results[record["engine"], record["file"]] = record["outcome"]
    worker = Worker()
    with tempfile.TemporaryDirectory() as folder, arguments.log.open("a") as log:
        contents = prepare(folder, digests=not arguments.without_digests)
        for engine in arguments.engines:
            format = ENGINES[engine].format
            for number in range(arguments.files):
                if (engine, number) in results:
                    continue
                rng = np.random.default_rng([arguments.seed, list(ENGINES).index(engine), number])
                changed, change = damaged(rng, *contents[format])
                path = Path(folder) / "damaged.x"
                for suffix, content in zip(FORMATS[format], changed):
                    path.with_suffix(suffix).write_bytes(content)
                outcome = worker.load(path.with_suffix(FORMATS[format][0]), engine)
                results[engine, number] = outcome
                record = {"engine": engine, "file": number, "change": change, "outcome": outcome}
                print(json.dumps(record), file=log, flush=True)
    worker.close()
    table(results, arguments.engines)


if __name__ == "__main__":
    main()
