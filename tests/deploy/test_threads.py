"""One loaded file gives right results in many threads at once, on every engine."""

import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from helpers import need_engine, slow_but
from paddle import nn

from paddle_oct import OctaveConv
from paddle_oct.base.threads import available_processors
from paddle_oct.deploy import export, load
from paddle_oct.deploy.engines import ENGINES, loading
from paddle_oct.deploy.engines.opened import Opened
from paddle_oct.deploy.engines.runners import Runners

pytest.importorskip("paddle2onnx")

THREADS = 8
SIZES = ((1, 3, 32, 32), (2, 3, 33, 48), (4, 3, 32, 32))  # the last is shared out by two threads


class Small(nn.Layer):
    """Two octave convolutions: enough for a call to take a while, and exported in a second."""

    def __init__(self):
        super().__init__()
        self.first = OctaveConv(3, 32, 3, alpha_in=0, padding=1)
        self.last = OctaveConv(32, 16, 3, alpha_out=0, padding=1, bias_attr=None)

    def forward(self, x):
        high, low = self.first(x)
        return self.last((F.relu(high), F.relu(low)))[0].mean([2, 3])


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Return the paths of two networks of the same layers, in both formats."""
    folder = tmp_path_factory.mktemp("exported")
    found = {}
    for seed in (0, 1):
        paddle.seed(seed)
        network = Small()
        network.eval()
        for format in ("onnx", "paddle"):
            path = export(network, folder / f"net{seed}", format, SIZES[0])
            found.setdefault(format, []).append(path)
    return found


def inputs_of(thread):
    rng = np.random.default_rng(thread)
    return [rng.standard_normal(size).astype(np.float32) for size in SIZES]


def at_once(function):
    """Call a function with the numbers 0 to 7 in threads that start together."""
    barrier = threading.Barrier(THREADS)

    def call(number):
        barrier.wait()
        return function(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(call, range(THREADS)))


def assert_same(results, expected):
    for own, wanted in zip(results, expected):
        for y, z in zip(own, wanted):
            np.testing.assert_allclose(y, z, rtol=0, atol=1e-5 * np.abs(z).max())


@pytest.mark.parametrize("engine", ENGINES)
def test_one_callable_in_many_threads(paths, engine):
    need_engine(engine)
    path = paths[ENGINES[engine].format][0]
    predict = load(path, engine, threads=2)
    expected = [[predict(x) for x in inputs_of(k)] for k in range(THREADS)]
    predict = load(path, engine, threads=2)  # whose first runs are at once, too

    def work(number):
        return [predict(x) for _ in range(10) for x in inputs_of(number)]

    assert_same(at_once(work), [10 * own for own in expected])


@pytest.mark.parametrize("engine", ENGINES)
def test_loading_in_many_threads(paths, engine):
    need_engine(engine)
    both = paths[ENGINES[engine].format]
    x = inputs_of(0)[0]
    expected = [load(path, engine, threads=1)(x) for path in both]
    assert np.abs(expected[0] - expected[1]).max() > 1e-3 * np.abs(expected[0]).max()
    results = at_once(lambda number: [load(both[number % 2], engine, threads=1)(x)])
    assert_same(results, [[expected[number % 2]] for number in range(THREADS)])


@pytest.mark.parametrize("engine", ENGINES)
def test_two_of_the_same_file(paths, engine):
    need_engine(engine)
    path = paths[ENGINES[engine].format][0]
    x = inputs_of(0)[0]
    first = load(path, engine, threads=1)
    expected = first(x)
    second = load(path, engine, threads=1)
    assert_same([[second(x)], [first(x)]], [[expected], [expected]])
    del second
    gc.collect()
    assert_same([[first(x)], [load(path, engine, threads=1)(x)]], [[expected], [expected]])


@pytest.mark.parametrize("parallel", [True, False])
def test_a_runner_serves_one_thread_at_a_time(parallel):
    busy, most = set(), []

    def new_runner():
        own = object()

        def run(x):
            assert own not in busy
            busy.add(own)
            most.append(len(busy))
            time.sleep(0.001)
            busy.remove(own)
            return [x]

        return run

    runners = Runners(Opened((None,), new_runner, parallel))
    results = at_once(lambda k: [runners.run(np.full(2, k))[0] for _ in range(20)])
    assert_same(results, [20 * [np.full(2, k)] for k in range(THREADS)])
    assert max(most) <= (available_processors() if parallel else 1)


def test_a_runner_that_failed_is_not_used_again():
    made = []

    def new_runner():
        made.append("runner")

        def run(x):
            if not x.any():
                raise RuntimeError("nothing")
            return [x]

        return run

    runners = Runners(Opened((None,), new_runner))
    for failed in (1, 2, 3):
        with pytest.raises(RuntimeError, match="nothing"):
            runners.run(np.zeros(1))
        for _ in range(2):
            assert runners.run(np.ones(1)) == [1]
        assert len(made) == failed + 1


def test_pieces_run_at_the_same_time():
    together = threading.Barrier(2)

    def run(x):
        if x.all():
            together.wait(timeout=20)
        else:
            time.sleep(0.05)
        return [2 * x]

    runners = Runners(Opened((None,), lambda: run, lanes=2))
    at_once(lambda k: runners.run(np.zeros(1)))  # runners run alone for the first time
    assert runners.run_all([np.ones(1), np.full(1, 3)]) == [[2], [6]]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_error_in_one_thread(paths, engine):
    need_engine(engine)
    predict = load(paths[ENGINES[engine].format][0], engine, threads=1)
    x = inputs_of(0)[0]
    expected = predict(x)

    def work(number):
        results = []
        for _ in range(10):
            if number % 2:
                with pytest.raises(ValueError, match="expected an input of shape"):
                    predict(np.zeros([1, 4, 32, 32], np.float32))
            else:
                results.append(predict(x))
        return results

    assert_same(at_once(work), [10 * [expected], []] * (THREADS // 2))


def threads_of_process():
    return len(list(Path("/proc/self/task").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux tells")
@pytest.mark.parametrize("engine", slow_but(["paddle-openvino"], ENGINES))
def test_no_thread_is_left_behind(paths, engine):
    need_engine(engine)
    path = paths[ENGINES[engine].format][0]
    x = inputs_of(0)[2]
    for _ in range(3):
        load(path, engine, threads=2)(x)
    gc.collect()
    before = threads_of_process()
    for _ in range(12):
        load(path, engine, threads=2)(x)
    gc.collect()
    time.sleep(0.2)
    assert threads_of_process() <= before + 2


def test_a_file_that_is_replaced_after_loading(paths, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    path = tmp_path / "net.onnx"
    path.write_bytes(paths["onnx"][0].read_bytes())
    predict = load(path, threads=2)
    predict(inputs_of(0)[0])
    path.write_bytes(paths["onnx"][1].read_bytes())
    with pytest.raises(ValueError, match=r"net\.onnx was replaced or removed since it was read"):
        predict(inputs_of(0)[2])  # opens the file once more, for pieces of a batch

    def replacing(*arguments):
        path.write_bytes(paths["onnx"][0].read_bytes())
        return entry.open_file(*arguments)

    entry = loading.ENGINES["onnxruntime"]
    monkeypatch.setitem(loading.ENGINES, "onnxruntime", entry._replace(open_file=replacing))
    with pytest.raises(ValueError, match="was replaced or removed"):
        load(path)
