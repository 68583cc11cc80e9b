"""Kill training runs at their file events, resume each by the same command, compare the results.

    python fuzz/kills.py --log kills.jsonl     # all trials, a line each; stopped, it goes on
    python fuzz/kills.py --log kills.jsonl --table     # what came out, as Markdown

A file event is a call that changes the run's folder: opening a file to write it, writing (the kill
comes after half of the bytes), fsync, renaming, removing, truncating, making and removing a folder,
locking. A trial runs ``paddle-oct train`` in a child process that strikes itself at its n-th event;
the trials spread n over all events of a run. Then the same command runs again, or ``--resume`` in
half of the trials; in half of them it is struck again meanwhile. In the end the run must be
complete, and its folder must hold what that of an undisturbed run holds, bit by bit, times and
images per second aside.

The command line is the real one, in a process that was forked after importing Paddle. To let a
trial take seconds the network is tiny; VisualDL's graph of it, whose tracing takes longer than all
the rest, is a constant file; and the picture of the curves is drawn once for every history. The
trials with a full disk mount a small file system, which needs root. Linux only.
"""

from __future__ import annotations

import argparse
import builtins
import collections
import contextlib
import csv
import hashlib
import io
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, Callable, Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")

from paddle import Tensor, nn

from paddle_oct import Conv_BN_ACT, OctaveMerge, cli
from paddle_oct.base.files import write_atomically
from paddle_oct.models import register_model
from paddle_oct.training import RunFolder, callbacks, draw_curves, read_scalars, run_folder


class OctTiny(nn.Layer):
    """A network that is trained in a moment."""

    def __init__(self, num_classes: int = 10, alpha: float = 0.5) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Conv_BN_ACT(3, 4, 3, 0, alpha, stride=2, padding=1),
            OctaveMerge(),
            nn.Dropout(0.1),
            nn.AdaptiveAvgPool2D(1),
            nn.Flatten(),
            nn.Linear(4, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of images."""
        return self.body(x)


@register_model(OctTiny)
def oct_tiny(pretrained: bool = False, **options: Any) -> OctTiny:
    """Build the network."""
    return OctTiny(**options)


COMMAND = [
    *("train", "oct_tiny", "--image-size", "16", "--limit", "32", "--batch-size", "16"),
    *("--epochs", "3", "--learning-rate", "0.1", "--quiet"),
]
#: What strikes, with the number of trials.
KINDS = {
    "kill -9": 200,
    "kill -9, with a worker": 20,
    "Ctrl-C": 20,
    "SIGTERM": 20,
    "full disk": 20,
    "two processes": 20,
}
SIGNALS = {
    "kill -9": signal.SIGKILL,
    "kill -9, with a worker": signal.SIGKILL,
    "Ctrl-C": signal.SIGINT,
    "SIGTERM": signal.SIGTERM,
}
LIMIT = 300  # seconds for an attempt


# -- in the child --------------------------------------------------------------------------------

_AUDITED = {
    "os.rename": "rename",
    "os.remove": "remove",
    "os.mkdir": "mkdir",
    "os.rmdir": "rmdir",
    "os.truncate": "truncate",
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Events:
    """The file events of this process in a folder, each noted in a file before it happens.

    Args:
        folder: the folder.
        notes: the file with a line per event.
        at: the number of the event, counted from 1, to strike at; 0 for none.
        strike: what to do then.
    """

    def __init__(self, folder: Path, notes: Path, at: int, strike: Callable[[], None]) -> None:
        self.folder = str(folder)
        self.notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self.at = at
        self.strike = strike
        self.counter = itertools.count(1)
        self.process = os.getpid()

    def listen(self) -> None:
        """Listen until the process ends."""
        events, open_file, fsync = self, io.open, os.fsync

        class Raw(io.FileIO):
            def write(self, data: Any) -> int:
                half = memoryview(data).cast("B")[: (len(data) + 1) // 2]
                written = []
                events.happen(
                    "write", self.name, lambda: written.append(super(Raw, self).write(half))
                )
                return written[0] if written else super().write(data)

        def open_counted(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
            if isinstance(file, int) or not set("wax") & set(mode) or not self.concerns(file):
                return open_file(file, mode, *args, **options)
            buffered = io.BufferedWriter(Raw(os.fspath(file), mode.replace("b", "")))
            return buffered if "b" in mode else io.TextIOWrapper(buffered, "utf-8")

        def fsync_counted(descriptor: int) -> None:
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            if self.concerns(path):
                self.happen("fsync", path)
            fsync(descriptor)

        builtins.open = io.open = open_counted  # pyright: ignore
        os.fsync = fsync_counted  # pyright: ignore
        sys.addaudithook(self.hear)

    def concerns(self, path: Any) -> bool:
        """Whether a path is the folder or lies in it."""
        if not isinstance(path, (bytes, str, os.PathLike)):
            return False
        path = os.fsdecode(path)
        return path == self.folder or path.startswith(f"{self.folder}/")

    def hear(self, event: str, arguments: tuple) -> None:
        """Take notice of one of Python's audit events."""
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _WRITING and self.concerns(path):
                self.happen("open", path)
        elif event in _AUDITED:
            path, *_, descriptor = arguments
            if event in ("os.remove", "os.rmdir") and descriptor != -1:  # as in shutil.rmtree
                path = os.path.join(os.readlink(f"/proc/self/fd/{descriptor}"), os.fsdecode(path))
            if self.concerns(path):
                self.happen(_AUDITED[event], path)
        elif event == "fcntl.flock":
            self.happen("lock", f"{self.folder}/.lock")

    def happen(self, kind: str, path: Any, partly: Callable[[], Any] = lambda: None) -> None:
        """Note an event, and strike if it is its turn, when ``partly`` has done a part of it."""
        if os.getpid() != self.process:  # a worker
            return
        count = next(self.counter)  # another thread may be here, too
        name = re.sub(r"[0-9]{6,}|\.[0-9]+\.partial", "~", os.fsdecode(path)[len(self.folder) :])
        os.write(self.notes, f"{kind} {name or '/'}\n".encode())
        if count == self.at:
            partly()
            self.strike()


def start(
    command: list[str],
    folder: Path,
    notes: Path,
    at: int = 0,
    strike: Callable[[], None] = lambda: None,
) -> int:
    """Fork a process that runs a command and strikes; what it prints goes to ``notes/printed``."""
    notes.mkdir(exist_ok=True)
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        status = 70
        try:
            printed = os.open(notes / "printed", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(printed, 1)
            os.dup2(printed, 2)
            Events(folder, notes / "events", at, strike).listen()
            signal.alarm(LIMIT)
            cli.main(command)
        except SystemExit as stop:
            status = int(stop.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return process


def wait(process: int) -> int:
    """Return the exit status of a process, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def send(number: int) -> Callable[[], None]:
    """Return the strike that sends this process a signal."""
    return lambda: os.kill(os.getpid(), number)


def fill(disk: Path) -> Callable[[], None]:
    """Return the strike that fills a file system."""

    def strike() -> None:
        for size in (4096, 1):
            with contextlib.suppress(OSError), open(disk / f"filler{size}", "wb", 0) as file:
                while True:
                    file.write(bytes(size))

    return strike


# -- in the parent -------------------------------------------------------------------------------


def trial(kind: str, number: int, of: int, events: int, scratch: Path) -> dict[str, Any]:
    """Do a trial and return what came of it.

    Args:
        kind: what strikes.
        number, of: which trial of how many.
        events: how many an undisturbed run has.
        scratch: an empty folder.
    """
    rng = random.Random(f"{kind} {number}")
    disk, notes = scratch / "disk", scratch / "notes"
    folder = disk / "run"
    disk.mkdir()
    command = command_of(kind, folder)
    strike = fill(disk) if kind == "full disk" else send(SIGNALS[kind])
    at = 1 + (number * events + rng.randrange(events)) // of
    struck, statuses = [], []
    with small_disk(disk) if kind == "full disk" else contextlib.nullcontext():
        while True:
            resumes = (folder / "config.json").exists() and rng.random() < 0.5
            given = ["train", "--resume", str(folder), "--quiet"] if resumes else command
            statuses.append(wait(start(given, folder, notes, at, strike)))
            happened = (notes / "events").read_text(encoding="utf-8").splitlines()
            for filler in disk.glob("filler*"):
                filler.unlink()
            if at == 0:
                break
            struck += happened[at - 1 : at]
            at = rng.randrange(1, events) if len(statuses) == 1 and rng.random() < 0.5 else 0
        said = (notes / "printed").read_text(encoding="utf-8").strip()
        result = {"kind": kind, "number": number, "struck": struck, "statuses": statuses}
        if statuses[-1] != 0 and "is complete" not in said:
            return {**result, "dead": said[-500:]}
        return {**result, "content": content_of(folder)}


def two_at_once(number: int, scratch: Path) -> dict[str, Any]:
    """Start the same command twice: one process must train, and the other be refused meanwhile."""
    folder = scratch / "run"
    command = command_of("", folder)
    processes = []
    for name in ("first", "second"):
        processes.append(start(command, folder, scratch / name))
        time.sleep(random.Random(number).choice([0, 0.01, 0.1, 0.5]))
    statuses = [wait(process) for process in processes]
    said = [(scratch / name / "printed").read_text("utf-8").strip() for name in ("first", "second")]
    result = {"kind": "two processes", "number": number, "struck": [], "statuses": statuses}
    if sorted(statuses) != [0, 2] or not re.search("is in use|is complete", "".join(said)):
        return {**result, "dead": " | ".join(said)[-500:]}
    return {**result, "content": content_of(folder)}


def command_of(kind: str, folder: Path) -> list[str]:
    """Return the command that starts a run."""
    workers = ["--workers", "1"] if "worker" in kind else []
    return [*COMMAND, *workers, "--run", str(folder)]


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a file system of a few megabytes."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def content_of(folder: Path) -> dict[str, Any]:
    """Return what a run's folder holds, without times and speeds, to be compared bit by bit."""
    run = RunFolder.open(folder)
    content: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = re.sub(r"[0-9]{10}", "TIME", str(path.relative_to(folder)))
        if path.is_dir():
            content[name] = "folder"
        elif path.name == "state.json":
            state = json.loads(path.read_text(encoding="utf-8"))
            state["record"] = sorted(re.sub(r"[0-9]{10}", "TIME", name) for name in state["record"])
            content[name] = {**state, "history": [without_speed(row) for row in state["history"]]}
        elif path == run.history_path:
            with open(path, encoding="utf-8", newline="") as file:
                content[name] = [without_speed(row) for row in csv.DictReader(file)]
        elif "vdlrecords" in path.name:
            scalars = read_scalars(run.visualdl_path)
            speeds = scalars.pop("train/images_per_second")
            content[name] = {**scalars, "speeds of": [step for step, _ in speeds]}
        else:  # parameters, optimiser, config.json, picture, graph
            content[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return json.loads(json.dumps(content))


def without_speed(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the history without the column that no two runs have in common."""
    return {key: value for key, value in row.items() if key != "images_per_second"}


def undisturbed(kind: str, folder: Path) -> tuple[list[str], dict[str, Any]]:
    """Return the events and the content of an undisturbed run."""
    run = folder / "run"
    status = wait(start(command_of(kind, run), run, folder / "notes"))
    if status != 0:
        raise SystemExit(f"the undisturbed run failed: {(folder / 'notes/printed').read_text()}")
    events = (folder / "notes" / "events").read_text(encoding="utf-8").splitlines()
    return events, content_of(run)


def replace_graph() -> None:
    """Let a constant file be written in place of the network's graph."""

    def add_graph(writer: Any, *_: Any) -> None:
        with open(Path(writer.logdir) / f"vdlgraph.{int(time.time()):010d}.log", "ab") as file:
            file.write(b"graph" * 1000)

    callbacks.add_graph = add_graph


def draw_once(history: list[dict[str, Any]], scratch: Path) -> None:
    """Draw the curves after every epoch of a run, so that no process has to draw them again."""
    pictures = {}
    for epochs in range(1, len(history) + 1):
        part: Any = history[:epochs]
        draw_curves(part, scratch / "curves.png")
        pictures[json.dumps(part)] = (scratch / "curves.png").read_bytes()

    def draw(history: Any, path: Path) -> None:
        picture = pictures.get(json.dumps([without_speed(row) for row in history]))
        if picture is None:
            draw_curves(history, path)
        else:
            write_atomically(path, picture)

    run_folder.draw_curves = draw


def campaign(log: Path, kinds: dict[str, int], parent: Path) -> None:
    """Do the trials that the log does not have yet."""
    replace_graph()
    done = {(line["kind"], line["number"]) for line in read(log)}
    for kind, trials in kinds.items():
        with tempfile.TemporaryDirectory(dir=parent) as scratch:
            events, expected = undisturbed(kind, Path(scratch))
            draw_once(expected["checkpoints/epoch-0003/state.json"]["history"], Path(scratch))
        for number in range(trials):
            if (kind, number) in done:
                continue
            with tempfile.TemporaryDirectory(dir=parent) as scratch:
                if kind == "two processes":
                    result = two_at_once(number, Path(scratch))
                else:
                    result = trial(kind, number, trials, len(events), Path(scratch))
            content = result.pop("content", expected)
            names = [
                key for key in {**content, **expected} if content.get(key) != expected.get(key)
            ]
            result["differs"] = sorted(key for key in names if key in content and key in expected)
            result["strays"] = sorted(key for key in names if key not in expected)
            result["missing"] = sorted(key for key in names if key not in content)
            result["events"] = len(events)
            with open(log, "a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
            if any(result.get(key) for key in ("dead", "differs", "strays", "missing")):
                print(json.dumps(result), flush=True)


def read(log: Path) -> list[dict[str, Any]]:
    """Return the trials in a log."""
    if not log.exists():
        return []
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def table(log: Path) -> str:
    """Return the results as Markdown."""
    lines = [
        "| what strikes | trials | strikes | dead folders | strays | missing | not bit-equal |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    results = read(log)
    struck: collections.Counter[str] = collections.Counter()
    for kind in KINDS:
        of_kind = [result for result in results if result["kind"] == kind]
        strikes = [event for result in of_kind for event in result["struck"]]
        struck.update(event.split()[0] for event in strikes)
        counts = [
            sum(bool(result.get(key)) for result in of_kind)
            for key in ("dead", "strays", "missing", "differs")
        ]
        number = len(strikes) if kind != "two processes" else len(of_kind)
        lines.append(f"| {kind} | {len(of_kind)} | {number} | {' | '.join(map(str, counts))} |")
    kinds = ", ".join(f"{kind} {count}" for kind, count in struck.most_common())
    return "\n".join([*lines, "", f"The events that were struck: {kinds}."])


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", type=Path, required=True, help="a line of JSON per trial")
    parser.add_argument("--table", action="store_true", help="print the results of the log")
    parser.add_argument("--kind", choices=KINDS, help="only these trials")
    parser.add_argument("--trials", type=int, help="how many; by default as many as are published")
    parser.add_argument("--scratch", type=Path, help="where the runs are made, such as /dev/shm")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(arguments.log))
        return
    kinds = {arguments.kind: KINDS[arguments.kind]} if arguments.kind else KINDS
    if arguments.trials:
        kinds = dict.fromkeys(kinds, arguments.trials)
    campaign(arguments.log, kinds, arguments.scratch)


if __name__ == "__main__":
    main()
