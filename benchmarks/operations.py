"""Where the time goes on an engine, by kind of operation, as the engine's own profile says.

    python benchmarks/operations.py      # ResNet-50 and MobileNetV1, OpenVINO, batch 1, two threads
    python benchmarks/operations.py --engine onnxruntime --batch-size 2 --threads 1
    python benchmarks/operations.py --engine eager

The second runs what one of two threads computes at a time of a batch of 8. In Paddle's eager mode
every call of an operator from Python is timed; the rest of the whole time is Python's.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from pathlib import Path

os.environ.setdefault("GLOG_minloglevel", "2")
warnings.filterwarnings("ignore", module=r"paddle\.")

import numpy as np
import paddle
from tabulate import tabulate

from paddle_oct import create_model
from paddle_oct.base.private import operators, set_threads
from paddle_oct.deploy import export

NETWORKS = ("oct_resnet50", "resnet50", "oct_mobilenet_v1", "mobilenet_v1")
KINDS = ("1x1", "wider", "depthwise", "convolutions", "up-sampling", "pooling", "concat, sum")
KINDS += ("norms", "activations", "rest", "Python")
BY_TYPE = {
    **dict.fromkeys(("Interpolate", "Upsample", "Resize"), "up-sampling"),
    **dict.fromkeys(("AvgPool", "MaxPool", "AveragePool"), "pooling"),
    **dict.fromkeys(("Concat", "Add", "Sum", "Subgraph", "Eltwise"), "concat, sum"),
    "GroupConvolution": "depthwise",
}
EAGER = {  # some convolutions run as unfold, reshape and matmul; up-sampling as addmm_
    **dict.fromkeys(("conv2d", "depthwise_conv2d", "unfold", "matmul"), "convolutions"),
    **dict.fromkeys(("reshape", "transpose", "pad"), "convolutions"),
    **dict.fromkeys(("addmm_", "nearest_interp"), "up-sampling"),
    **dict.fromkeys(("pool2d", "bilinear_interp"), "pooling"),
    **dict.fromkeys(("concat", "add", "add_", "__add__"), "concat, sum"),
    "batch_norm": "norms",
    **dict.fromkeys(("relu", "relu_"), "activations"),
}


def kind_of_conv(weight):
    if weight[1] == 1:
        return "depthwise"
    return "1x1" if tuple(weight[2:]) == (1, 1) else "wider"


def exported(times_of_file):
    """Make a function of a network from a function of its ONNX file."""

    def times(network, size, threads, repeats):
        with tempfile.TemporaryDirectory() as folder:
            path = export(network, Path(folder) / "network", "onnx", size, dynamic=False)
            yield from times_of_file(path, size, threads, repeats)

    return times


@exported
def openvino_times(path, size, threads, repeats):
    """Return for every run the milliseconds of its operations, as (kind, ms)."""
    import openvino

    core = openvino.Core()
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERF_COUNT": True,
    }
    compiled = core.compile_model(core.read_model(str(path)), "CPU", options)
    request = compiled.create_infer_request()
    x = np.random.default_rng(0).standard_normal(size).astype(np.float32)

    def kind(node):
        if node.node_type == "Convolution":
            return "1x1" if "1x1" in node.exec_type else "wider"
        return BY_TYPE.get(node.node_type, "rest")

    for _ in range(repeats):
        request.infer([x])
        yield [
            (kind(node), node.real_time.total_seconds() * 1e3)
            for node in request.get_profiling_info()
            if node.real_time.total_seconds()
        ]


@exported
def onnxruntime_times(path, size, threads, repeats):
    """Return for every run the milliseconds of its operations, as (kind, ms)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.enable_profiling = True
    options.profile_file_prefix = str(path.with_suffix(""))
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    for _ in range(repeats):
        session.run(None, {session.get_inputs()[0].name: x})

    def kind(arguments):
        if arguments["op_name"] in ("Conv", "FusedConv"):
            return kind_of_conv(next(iter(arguments["input_type_shape"][1].values())))
        return BY_TYPE.get(arguments["op_name"], "rest")

    by_node = defaultdict(list)
    for event in json.loads(Path(session.end_profiling()).read_text()):
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            by_node[event["name"]].append((kind(event["args"]), event["dur"] / 1e3))
    return zip(*by_node.values())


def eager_times(network, size, threads, repeats):
    """Return for every run the milliseconds of its operations, as (kind, ms)."""
    set_threads(threads)
    calls = []

    def timed(name, operator):
        def run(*args, **kwargs):
            start = time.perf_counter()
            y = operator(*args, **kwargs)
            calls.append((EAGER.get(name, "rest"), 1e3 * (time.perf_counter() - start)))
            return y

        return run

    table, add = operators(), paddle.Tensor.__add__
    originals = {name: f for name, f in table.items() if callable(f) and name[0] != "_"}
    x = paddle.rand(size)
    table.update({name: timed(name, operator) for name, operator in originals.items()})
    paddle.Tensor.__add__ = timed("__add__", add)
    try:
        for _ in range(repeats):
            calls.clear()
            start = time.perf_counter()
            with paddle.no_grad():
                network(x)
            whole = 1e3 * (time.perf_counter() - start)
            yield [*calls, ("Python", whole - sum(ms for _, ms in calls))]
    finally:
        table.update(originals)
        paddle.Tensor.__add__ = add


ENGINES = {"openvino": openvino_times, "onnxruntime": onnxruntime_times, "eager": eager_times}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--engine", choices=ENGINES, default="openvino")
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    size = (arguments.batch_size, 3, 224, 224)
    middles, counts = {}, {}
    for name in arguments.networks:
        paddle.seed(0)
        network = create_model(name)
        network.eval()
        runs = []
        times = ENGINES[arguments.engine](network, size, arguments.threads, arguments.repeats + 3)
        for run in list(times)[3:]:
            sums = dict.fromkeys(KINDS, 0.0)
            for kind, ms in run:
                sums[kind] += ms
            runs.append([*sums.values(), sum(sums.values())])
        counts[name] = Counter(kind for kind, _ in run)
        middles[name] = [statistics.median(column) for column in zip(*runs)]
    shown = [kind for kind in KINDS if any(count[kind] for count in counts.values())]
    rows = []
    for name, (*of_kinds, whole) in middles.items():
        row = [name]
        for kind, ms in zip(KINDS, of_kinds):
            count = counts[name][kind]
            if kind in shown:
                row.append(f"{ms:.2f} ({count})" if count else "-")
        rows.append([*row, f"{whole:.2f}"])
    print(
        f"{arguments.engine}, batch {arguments.batch_size}, {arguments.threads} threads: "
        "median ms (operations)\n"
    )
    print(tabulate(rows, ["network", *shown, "all"], tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
