"""Where the time goes on an engine, by kind of operation and by the engine's own profile.

    python benchmarks/operations.py      # ResNet-50 and MobileNetV1, OpenVINO, batch 1, two threads
    python benchmarks/operations.py --engine onnxruntime --batch-size 4 --threads 1

The second is what each of two threads does of a batch of 8.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import warnings
from collections import Counter, defaultdict
from pathlib import Path

os.environ.setdefault("GLOG_minloglevel", "2")
warnings.filterwarnings("ignore", module=r"paddle\.")

import numpy as np  # noqa: E402
import paddle  # noqa: E402
from tabulate import tabulate  # noqa: E402

from paddle_oct import create_model  # noqa: E402
from paddle_oct.deploy import export  # noqa: E402

NETWORKS = ("oct_resnet50", "resnet50", "oct_mobilenet_v1", "mobilenet_v1")
KINDS = ("1x1", "wider", "depthwise", "up-sampling", "pooling", "concat, sum", "rest")
BY_TYPE = {
    **dict.fromkeys(("Interpolate", "Upsample", "Resize"), "up-sampling"),
    **dict.fromkeys(("AvgPool", "MaxPool", "AveragePool"), "pooling"),
    **dict.fromkeys(("Concat", "Add", "Sum", "Subgraph", "Eltwise"), "concat, sum"),
    "GroupConvolution": "depthwise",
}


def kind_of_conv(weight):
    if weight[1] == 1:
        return "depthwise"
    return "1x1" if tuple(weight[2:]) == (1, 1) else "wider"


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


ENGINES = {"openvino": openvino_times, "onnxruntime": onnxruntime_times}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--engine", choices=ENGINES, default="openvino")
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    size = (arguments.batch_size, 3, 224, 224)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.networks:
            paddle.seed(0)
            network = create_model(name)
            network.eval()
            path = export(network, Path(folder) / name, "onnx", size, dynamic=False)
            runs = []
            times = ENGINES[arguments.engine](path, size, arguments.threads, arguments.repeats + 3)
            for run in list(times)[3:]:
                sums = dict.fromkeys(KINDS, 0.0)
                for kind, ms in run:
                    sums[kind] += ms
                runs.append([*sums.values(), sum(sums.values())])
            counts = Counter(kind for kind, _ in run)
            middle = [statistics.median(column) for column in zip(*runs)]
            cells = [
                f"{ms:.2f} ({counts[kind]})" if counts[kind] else "-"
                for kind, ms in zip(KINDS, middle)
            ]
            rows.append([name, *cells, f"{middle[-1]:.2f}"])
    print(
        f"{arguments.engine}, batch {arguments.batch_size}, {arguments.threads} threads: "
        "median ms (operations)\n"
    )
    headers = ["network", *KINDS, "all"]
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
