"""Train in two processes many times; stop every other run somewhere, and resume it.

    nice python fuzz/processes.py                 # 20 runs; prints a table
    nice python fuzz/processes.py --runs 4 --work /tmp/processes

Runs 2k and 2k+1 have the same seed. The first goes through. The second is stopped: all its
processes are killed, or one of them, or the launcher is interrupted or terminated; and the same
command resumes it until it is complete. Then the weights, the running statistics and the optimiser
must be equal in both processes, bit for bit, and equal to those of the run that went through. Runs
are started in turn by ``paddle-oct train``, ``training.train`` and ``training.fit`` in a script.

A campaign that was stopped goes on where it was: what is in the folder of work is not repeated.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

WAYS = ("paddle-oct", "train", "fit")
STOPS = ("kill all", "kill one", "Ctrl-C", "SIGTERM")
EPOCHS, LIMIT, BATCH = 4, 48, 8


# -- what each process does ----------------------------------------------------------------------


def digest(state):
    """A hash of a state dict, by the order of its keys: Paddle's names differ among processes."""
    import numpy as np

    parts = []
    for value in state.values():
        value = value.numpy() if hasattr(value, "numpy") else value
        parts.append(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return hashlib.sha256(b"".join(parts)).hexdigest()


def work(way, run, seed):
    """Train, or go on; write what this process ended with to ``RUN.N.json``."""
    import paddle

    from paddle_oct import cli, training

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from helpers import classifier

    models = []
    prepare = training.fit.__globals__["prepare"]

    def noted(*arguments):
        models.append(prepare(*arguments))
        return models[-1]

    training.fit.__globals__["prepare"] = noted
    resume = (run / "config.json").exists()
    options = {"epochs": EPOCHS, "batch_size": BATCH, "seed": seed}
    if way == "fit":
        paddle.seed(seed)
        network = classifier()
        data = training.load_data("digits", image_size=16, limit=LIMIT)
        training.fit(network, data, training.Recipe(**options), run, resume=resume)
    elif way == "train" and resume:
        training.resume(run)
    elif way == "train":
        training.train(
            "oct_mobilenet_v1",
            recipe=training.Recipe(**options),
            run_dir=run,
            model_options={"scale": 0.25},
            data_options={"image_size": 32, "limit": LIMIT},
        )
    else:
        given = [f"--epochs={EPOCHS}", f"--batch-size={BATCH}", f"--seed={seed}", "-o", "scale=.25"]
        new = ["--run", str(run), *given, "--image-size=32", f"--limit={LIMIT}"]
        try:
            cli.main(["train", *(["--resume", str(run)] if resume else new)])
        except SystemExit as stop:
            if stop.code:
                raise
    (model,) = models
    answer = {
        "network": digest(model.network.state_dict()),
        "optimiser": digest(model._optimizer.state_dict()),
    }
    rank = paddle.distributed.get_rank()
    run.with_name(f"{run.name}.{rank}.json").write_text(json.dumps(answer))


# -- the campaign --------------------------------------------------------------------------------


def start(way, run, seed):
    """Start a run in two processes, or its resumption; return the launcher."""
    log = run.with_name(f"{run.name}.log")
    command = ["-m", "paddle.distributed.launch", "--nproc_per_node", "2", "--log_dir", str(log)]
    work = [__file__, "--as", way, str(run), str(seed)]
    with open(run.with_name(f"{run.name}.launcher"), "a") as output:
        return subprocess.Popen(
            [sys.executable, *command, *work], stdout=output, stderr=subprocess.STDOUT
        )


def children(process):
    """Return the numbers of the processes that a process has started."""
    return [int(n) for n in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def stop(launcher, run, how, epochs, delay):
    """Stop a run some time after an epoch is complete, unless it ends before."""
    history = run / "history.csv"
    while launcher.poll() is None:
        if epochs == 0 and run.exists():
            break
        if history.exists() and len(history.read_text().splitlines()) > epochs:
            break
        time.sleep(0.05)
    time.sleep(delay)
    if launcher.poll() is not None:
        return "too late"
    ranks = children(launcher.pid)
    if how == "kill all":
        for process in (*ranks, launcher.pid):
            os.kill(process, signal.SIGKILL)
    elif how == "kill one":
        os.kill(ranks[-1], signal.SIGKILL)
    else:
        launcher.send_signal(signal.SIGINT if how == "Ctrl-C" else signal.SIGTERM)
    launcher.wait(120)
    for process in ranks:  # the launcher must have ended them, or was killed itself
        deadline = time.monotonic() + 60
        while Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        if Path(f"/proc/{process}").exists():
            os.kill(process, signal.SIGKILL)
            return f"{how}, and process {process} went on"
    return f"{how} after {epochs}"


def campaign(runs, folder):
    """Train, and yield the results of every run."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(runs):
        result = folder / f"{number}.result.json"
        if not result.exists():
            result.write_text(json.dumps(one_run(number, folder)))
        yield json.loads(result.read_text())


def read(file):
    """Return what a process ended with; an empty dictionary if it did not."""
    return json.loads(file.read_text()) if file.exists() else {}


def one_run(number, folder):
    """Train once, with stops if the number is odd."""
    seed = number // 2
    way = WAYS[seed % len(WAYS)]
    rng = random.Random(number)
    run = folder / f"run{number}"
    began = time.monotonic()
    stopped, tries = [], 0
    if number % 2:
        how = STOPS[seed % len(STOPS)]
        launcher = start(way, run, seed)
        stopped.append(stop(launcher, run, how, rng.randrange(EPOCHS), rng.random() * 1.5))
    status = None
    while status != 0 and tries < 2 and stopped != ["too late"]:
        status, tries = start(way, run, seed).wait(600), tries + 1
    ends = [read(run.with_name(f"run{number}.{rank}.json")) for rank in (0, 1)]
    whole = ends[0]
    if number % 2:
        whole = read(folder / f"run{number - 1}.0.json")
    return {
        "run": number,
        "started by": way,
        "seed": seed,
        "stopped by": ", ".join(stopped) or "-",
        "exit status": 0 if status is None else status,
        "starts": tries + len(stopped),
        "processes equal": "yes" if {} != ends[0] == ends[1] else "NO",
        "as if never stopped": "-" if number % 2 == 0 else "yes" if ends[0] == whole else "NO",
        "s": f"{time.monotonic() - began:.0f}",
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--work", type=Path, default=Path("processes-campaign"))
    parser.add_argument("--as", dest="way", choices=WAYS)
    parser.add_argument("of_process", nargs="*")
    arguments = parser.parse_args()
    if arguments.way:
        run, seed = arguments.of_process
        work(arguments.way, Path(run), int(seed))
        return
    from tabulate import tabulate

    rows = []
    for row in campaign(arguments.runs, arguments.work.resolve()):
        rows.append(row)
        print(json.dumps(row), flush=True)
    print(tabulate(rows, headers="keys", tablefmt="github"))


if __name__ == "__main__":
    main()
