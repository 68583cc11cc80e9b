"""Racing two networks: in one process and in turns, so that disturbances affect both alike."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_oct.base.extras import need
from paddle_oct.base.names import look_up
from paddle_oct.base.private import (
    allocated_bytes,
    peak_of_allocated,
    reset_peak_of_allocated,
    set_threads,
)
from paddle_oct.base.timing import interleave
from paddle_oct.cost import count_macs
from paddle_oct.deploy import export, load
from paddle_oct.deploy.engines import ENGINES, peak_memory
from paddle_oct.models import create_model, model_options

from .race_result import Contender, RaceResult

RACE_ENGINES = ("eager", "train", *ENGINES)


class _Prepared(NamedTuple):
    """A network, ready to run: the function to time, and one that measures its peak memory."""

    run: Callable[[], Any]
    measure_peak: Callable[[], Optional[int]]


def race(
    model: str,
    against: str,
    engine: str = "onnxruntime",
    alpha: float | None = 0.5,
    input_size: Sequence[int] = (8, 3, 224, 224),
    threads: int = 2,
    repeats: int = 20,
    options: Mapping[str, Any] | None = None,
    memory: bool = True,
) -> RaceResult:
    """Race a network against another.

    Args:
        model, against: names that ``create_model`` knows, of the contender and the opponent.
        engine: one of ``RACE_ENGINES``: ``"eager"`` (Paddle, forward), ``"train"`` (a training
            step: forward, backward, Momentum), or an engine of :func:`~paddle_oct.deploy.load`, for
            which both are folded and exported alike.
        alpha: the alpha of ``model``, if it has one; None for its default.
        input_size: ``[N, C, H, W]``.
        threads: how many threads each network may use.
        repeats: how often each network runs, twice or more.
        options: other options of both networks, such as ``{"num_classes": 10}``.
        memory: whether to measure the peak memory too; of an engine, that is in a new process.

    Raises:
        ValueError: there is no such engine or network, or the engine is not installed.
    """
    check_engine(engine)
    size = tuple(int(n) for n in input_size)
    names = (model, against)
    networks = [_build(name, options, alpha if name == model else None) for name in names]
    macs = [count_macs(network, (1, *size[1:])) for network in networks]
    with tempfile.TemporaryDirectory() as folder:
        prepared = [
            _prepare(network, engine, size, threads, Path(folder) / str(i))
            for i, network in enumerate(networks)
        ]
        timings = interleave([one.run for one in prepared], repeats)
        peaks = [one.measure_peak() if memory else None for one in prepared]
    contender, opponent = map(Contender, names, timings, macs, peaks)
    return RaceResult(
        engine=engine,
        alpha=alpha if alpha is not None else model_options(model).get("alpha", 0.0),
        input_size=size,
        threads=threads,
        repeats=repeats,
        contender=contender,
        opponent=opponent,
    )


def check_engine(engine: str) -> None:
    """Raise a ``ValueError`` if there is no such engine to race on, or it is not installed."""
    look_up(engine, dict.fromkeys(RACE_ENGINES), "engine")
    if engine in ENGINES:
        if ENGINES[engine].format == "onnx":
            need("paddle2onnx", f"the engine {engine}")
        ENGINES[engine].check_installed()


def _build(name: str, options: Mapping[str, Any] | None, alpha: float | None) -> nn.Layer:
    """Build a network, with the same parameters every time."""
    paddle.seed(0)
    own = dict(options or {})
    if alpha is not None and "alpha" in model_options(name):
        own["alpha"] = alpha
    return create_model(name, **own)


def _prepare(
    network: nn.Layer, engine: str, size: tuple[int, ...], threads: int, prefix: Path
) -> _Prepared:
    if engine in ENGINES:
        return _exported(network, engine, size, threads, prefix)
    set_threads(threads)
    run = _forward(network, size) if engine == "eager" else _training_step(network, size)
    return _Prepared(run, lambda: _peak_of(run))


def _exported(
    network: nn.Layer, engine: str, size: tuple[int, ...], threads: int, prefix: Path
) -> _Prepared:
    network.eval()
    path = export(network, prefix, ENGINES[engine].format, size, dynamic="batch")
    predict = load(path, engine, threads, size)
    x = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    return _Prepared(lambda: predict(x), lambda: peak_memory(path, engine, threads, size))


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


def _peak_of(run: Callable[[], Any]) -> int:
    """Return the peak of the bytes that Paddle's allocator hands out in a run, above its start."""
    before = allocated_bytes()
    reset_peak_of_allocated()
    run()
    return peak_of_allocated() - before
