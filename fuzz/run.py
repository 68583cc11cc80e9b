"""Feed random files to every reader: each must be read, or refused with a ValueError.

    python fuzz/run.py --inputs 1000000 --seed 0
    python fuzz/run.py --inputs 20000 --seed 1 --target pdparams

Input ``i`` of a target depends on the seed and ``i`` alone. A campaign that was stopped goes on
where it was; what it found is kept in ``fuzz/state-SEED.json``, and inputs that failed beside it.
An input fails if anything but a ``ValueError`` comes out, if the message does not name the file or
is longer than 1,000 characters, if it takes more than 5 seconds of a processor or 500 MB, or if the
process dies or makes no progress.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import mmap
import os
import random
import signal
import struct
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SECONDS, MEGABYTES, MESSAGE = 5.0, 500.0, 1000
CHUNK = 2000  # inputs that one process reads
HANGS = 60.0  # seconds after which a process that makes no progress is ended


def peak_megabytes() -> float:
    """Return the largest memory that this process has used since :func:`reset_peak`."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def reset_peak() -> None:
    """Forget the largest memory that this process has used."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def read_one(target, path: Path, content: bytes) -> tuple[str, float, float]:
    """Read an input; return "accepted", "refused" or what is wrong, seconds, and megabytes."""
    path.write_bytes(content)
    reset_peak()
    before, start, outcome = peak_megabytes(), time.process_time(), "accepted"
    try:
        target.read(path)
    except ValueError as error:
        message = str(error)
        outcome = "refused"
        named = path.name in message or path.parent.name in message  # that of a run folder
        if not named or len(message) > MESSAGE or "\n" in message:
            outcome = f"message: {message[:200]!r}"
    except BaseException as error:
        outcome = f"{type(error).__name__}: {str(error)[:200]}"
    seconds, megabytes = time.process_time() - start, peak_megabytes() - before
    if seconds > SECONDS:
        outcome = f"{seconds:.1f} s"
    elif megabytes > MEGABYTES:
        outcome = f"{megabytes:.0f} MB"
    return outcome, seconds, megabytes


def make(target, name: str, seed: int, index: int) -> bytes:
    """Return an input."""
    return target.make(random.Random(f"{seed} {name} {index}"))


def read_chunk(name: str, seed: int, first: int, last: int, progress: mmap.mmap, out: int) -> None:
    """Read some inputs in this process, and write what came of them."""
    from targets import TARGETS

    target = TARGETS[name]
    result: dict[str, Any] = {"accepted": 0, "refused": 0, "seconds": 0.0, "slowest": 0.0}
    result.update(largest=0.0, failures=[])
    folder = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=folder) as place:
        path = Path(place) / target.file
        for index in range(first, last):
            progress[:8] = struct.pack("<q", index)
            content = make(target, name, seed, index)
            outcome, seconds, megabytes = read_one(target, path, content)
            result["seconds"] += seconds
            result["slowest"] = max(result["slowest"], seconds)
            result["largest"] = max(result["largest"], megabytes)
            if outcome in ("accepted", "refused"):
                result[outcome] += 1
            else:
                result["failures"].append([index, outcome])
    os.write(out, json.dumps(result).encode())


def run_chunk(name: str, seed: int, first: int, last: int) -> tuple[dict[str, Any] | None, int]:
    """Read some inputs in a process of their own.

    Returns:
        What came of them, or None if it died; and the last input that it began with.
    """
    progress = mmap.mmap(-1, 8)
    progress[:8] = struct.pack("<q", first)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libtiff says of a file
        status = 1
        try:
            read_chunk(name, seed, first, last, progress, writer)
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    seen, since = b"", time.monotonic()
    os.set_blocking(reader, False)
    content = b""
    while True:
        done, _ = os.waitpid(child, os.WNOHANG)
        with contextlib.suppress(BlockingIOError):
            content += os.read(reader, 2**20)
        if done:
            break
        if progress[:8] != seen:
            seen, since = progress[:8], time.monotonic()
        if time.monotonic() - since > HANGS:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.02)
    with contextlib.suppress(BlockingIOError):
        content += os.read(reader, 2**20)
    os.close(reader)
    result = json.loads(content) if content else None
    return result, struct.unpack("<q", progress[:8])[0]


def add(total: dict[str, Any], result: dict[str, Any]) -> None:
    """Add the result of a chunk to that of a target."""
    for key in ("accepted", "refused", "seconds"):
        total[key] += result[key]
    for key in ("slowest", "largest"):
        total[key] = max(total[key], result[key])
    total["failures"] += result["failures"]


def fuzz(name: str, seed: int, inputs: int, state: dict[str, Any], save) -> None:
    """Read the inputs of a target that have not been read yet."""
    from targets import TARGETS

    for index in range(50):  # what inputs are made of is made before the process is copied
        make(TARGETS[name], name, seed, index)
    new = {"done": 0, "accepted": 0, "refused": 0, "seconds": 0.0, "slowest": 0.0, "largest": 0.0}
    total = state.setdefault(name, {**new, "failures": []})
    while total["done"] < inputs:
        first = total["done"]
        last = min(inputs, first + CHUNK)
        result, reached = run_chunk(name, seed, first, last)
        if result is None and reached == first:
            result = {**new, "failures": [[first, "the process died or hung"]]}
            last = first + 1
        elif result is None:  # those before the one that it died of
            last = reached
            result, _ = run_chunk(name, seed, first, last)
            if result is None:
                raise SystemExit(f"{name}: inputs {first} to {last} fail now and then")
        add(total, result)
        total["done"] = last
        for index, outcome in result["failures"]:
            file = HERE / f"failed-{name}-{seed}-{index}-{TARGETS[name].file}"
            file.write_bytes(make(TARGETS[name], name, seed, index))
            print(f"{file.name}: {outcome}", flush=True)
        save()


def table(state: dict[str, Any]) -> str:
    """Return the results as a table."""
    rows = ["| target | inputs | accepted | refused | failed | slowest, ms | largest, MB |"]
    rows += ["|---|---|---|---|---|---|---|"]
    for name, total in state.items():
        rows.append(
            f"| {name} | {total['done']:,} | {total['accepted']:,} | {total['refused']:,} | "
            f"{len(total['failures'])} | {1000 * total['slowest']:.0f} | {total['largest']:.0f} |"
        )
    done = sum(total["done"] for total in state.values())
    failed = sum(len(total["failures"]) for total in state.values())
    rows.append(f"| all | {done:,} | | | {failed} | | |")
    return "\n".join(rows)


def main() -> None:
    """Run a campaign, or what is left of it, and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=12_000, help="how many, over all targets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", action="append", help="one of the targets; by default all")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(HERE))
    from targets import TARGETS

    names = options.target or list(TARGETS)
    file = HERE / f"state-{options.seed}.json"
    state = json.loads(file.read_text()) if file.exists() else {}
    share = -(-options.inputs // len(names))
    for inputs in [*range(CHUNK, share, CHUNK), share]:  # by turns: a part of a campaign says much
        for name in names:
            fuzz(name, options.seed, inputs, state, lambda: file.write_text(json.dumps(state)))
    print(table(state))
    sys.exit(any(total["failures"] for total in state.values()))


if __name__ == "__main__":
    main()
