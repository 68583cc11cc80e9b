"""Racing two networks: in one process and in turns, so that the machine's moods fall on both."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.base import core
from paddle.inference import Config

from paddle_oct.base.extras import need
from paddle_oct.base.names import look_up
from paddle_oct.cost import count_macs
from paddle_oct.deploy import export, load
from paddle_oct.deploy.engines.loading import ENGINES, use_openvino
from paddle_oct.deploy.engines.peak import peak_memory
from paddle_oct.models import create_model, model_options

RACE_ENGINES = ("eager", "train", *ENGINES)
_WARMUP = 3


@dataclass(frozen=True)
class Timing:
    """What repeated runs took, in seconds.

    Attributes:
        median: of the repeats.
        spread: half the distance of the quartiles.
        fastest: the shortest of them.
    """

    median: float
    spread: float
    fastest: float


@dataclass(frozen=True)
class RaceResult:
    """One line of a race: a network against another, on one engine.

    ``ratio`` is of the medians, ``mac_ratio`` of the multiply-accumulates, and ``law`` what the
    paper's Table 1 says for a whole network of octave convolutions, ``1 - 3/4 alpha (2 - alpha)``.
    Peaks of memory are in bytes: for Paddle's eager mode what its allocator hands out during a run,
    for an engine what loading the file and running it takes; None where that can't be told.
    """

    engine: str
    model: str
    against: str
    alpha: float
    input_size: tuple[int, ...]
    threads: int
    repeats: int
    ms: float
    ms_spread: float
    against_ms: float
    against_ms_spread: float
    ratio: float
    fastest_ratio: float
    mac_ratio: float
    law: float
    peak: int | None
    against_peak: int | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for a CSV or JSON file."""
        return {**asdict(self), "input_size": "x".join(map(str, self.input_size))}


def interleave(runs: Sequence[Callable[[], Any]], repeats: int) -> list[Timing]:
    """Time several functions in turns.

    Args:
        runs: what to time.
        repeats: how often each runs, after three times to warm up.

    Raises:
        ValueError: there are too few repeats for quartiles.
    """
    if repeats < 2:
        raise ValueError(f"repeats must be 2 or more, got {repeats}")
    for run in runs:
        for _ in range(_WARMUP):
            run()
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats):
        for own, run in zip(seconds, runs):
            start = time.perf_counter()
            run()
            own.append(time.perf_counter() - start)
    timings = []
    for own in seconds:
        low, _, high = statistics.quantiles(own, n=4)
        timings.append(Timing(statistics.median(own), (high - low) / 2, min(own)))
    return timings


def race(
    model: str,
    against: str,
    engine: str = "onnxruntime",
    alpha: float | None = 0.5,
    input_size: Sequence[int] = (8, 3, 224, 224),
    threads: int = 2,
    repeats: int = 20,
    options: dict[str, Any] | None = None,
    memory: bool = True,
) -> RaceResult:
    """Race a network against another.

    Args:
        model, against: names that ``create_model`` knows.
        engine: one of ``RACE_ENGINES``: ``"eager"`` (Paddle, forward), ``"train"`` (a training
            step: forward, backward, Momentum), or an engine of :func:`load`, for which both are
            folded and exported alike.
        alpha: of ``model``, and of ``against`` where it has one; None for its default.
        input_size: ``[N, C, H, W]``.
        threads: how many each may use.
        repeats: how often each runs.
        options: other options of both networks, such as ``{"num_classes": 10}``.
        memory: whether to measure the peaks of memory too, for which an engine starts anew.

    Raises:
        ValueError: there is no such engine or network, or the engine is not installed.
    """
    check_engine(engine)
    size = tuple(int(n) for n in input_size)
    networks = []
    for name in (model, against):
        paddle.seed(0)
        own = dict(options or {})
        if name == model and alpha is not None and "alpha" in model_options(name):
            own["alpha"] = alpha
        networks.append(create_model(name, **own))
    macs = [count_macs(network, (1, *size[1:])) for network in networks]
    with tempfile.TemporaryDirectory() as folder:
        prepared = [
            _prepare(network, engine, size, threads, Path(folder) / str(i))
            for i, network in enumerate(networks)
        ]
        runs, peaks_of = zip(*prepared)
        timings = interleave(runs, repeats)
        peaks = [measure() if memory else None for measure in peaks_of]
    share = alpha if alpha is not None else model_options(model).get("alpha", 0.0)
    ours, theirs = timings
    return RaceResult(
        engine, model, against, share, size, threads, repeats,
        1e3 * ours.median, 1e3 * ours.spread, 1e3 * theirs.median, 1e3 * theirs.spread,
        ours.median / theirs.median, ours.fastest / theirs.fastest,
        macs[0] / macs[1], law(share), *peaks,
    )  # fmt: skip


def check_engine(engine: str) -> None:
    """Raise a ``ValueError`` if there is no such engine to race on, or it is not installed."""
    look_up(engine, dict.fromkeys(RACE_ENGINES), "engine")
    if engine == "paddle-openvino":
        use_openvino(Config())
    if engine in ("onnxruntime", "openvino"):
        for package in ("paddle2onnx", engine):
            need(package, f"the engine {engine}")


def law(alpha: float) -> float:
    """Return the share of multiply-accumulates that the paper's Table 1 gives."""
    return 1 - 0.75 * alpha * (2 - alpha)


def _prepare(
    network: nn.Layer, engine: str, size: tuple[int, ...], threads: int, prefix: Path
) -> tuple[Callable[[], Any], Callable[[], int | None]]:
    """Return what is timed, and what tells its peak of memory."""
    if engine in ("eager", "train"):
        core.set_num_threads(threads)
        run = _forward(network, size) if engine == "eager" else _training_step(network, size)
        return run, lambda: _allocated(run)
    network.eval()
    form = "paddle" if engine.startswith("paddle") else "onnx"
    path = export(network, prefix, form, size, dynamic="batch")
    predict = load(path, engine, threads, size)
    x = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    return lambda: predict(x), lambda: peak_memory(path, engine, threads, size)


def _forward(network: nn.Layer, size: tuple[int, ...]) -> Callable[[], Any]:
    network.eval()
    x = paddle.rand(size)

    def run() -> None:
        with paddle.no_grad():
            network(x).numpy()

    return run


def _training_step(network: nn.Layer, size: tuple[int, ...]) -> Callable[[], Any]:
    network.train()
    optimizer = paddle.optimizer.Momentum(0.01, parameters=network.parameters())
    x = paddle.rand(size)
    classes = network(x).shape[1]
    labels = paddle.randint(0, classes, [size[0]])

    def run() -> None:
        loss = F.cross_entropy(network(x), labels)
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        loss.numpy()

    return run


def _allocated(run: Callable[[], Any]) -> int:
    """Return the bytes that Paddle's allocator hands out at the peak of a run, above the start."""
    before = core.host_memory_stat_current_value("Allocated", 0)
    core.host_memory_stat_reset_peak_value("Allocated", 0)
    run()
    return core.host_memory_stat_peak_value("Allocated", 0) - before
