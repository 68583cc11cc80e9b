"""How far the outputs of every exported network are from those of Paddle.

    python benchmarks/exports.py 'oct_resnet*'             # ONNX Runtime and OpenVINO, two sizes
    python benchmarks/exports.py oct_resnet50 --paddle     # Paddle Inference too

Printed is the largest difference over two sizes, relative to the largest output. Paddle Inference
takes a while to load the deepest networks.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("GLOG_minloglevel", "2")
warnings.filterwarnings("ignore", module=r"paddle\.")

import click
import numpy as np
import paddle
from paddle import nn

from paddle_oct import create_model, list_models
from paddle_oct.deploy import export, load

SIZES = ((1, 3, 64, 64), (2, 3, 65, 49))


def halve_norm_scales(network):
    """Keep the sums of residual blocks from growing, as in a trained network.

    With fresh weights the deep networks with squeeze-and-excitation amplify rounding without bound,
    in Paddle too.
    """
    for layer in network.sublayers():
        if isinstance(layer, nn.BatchNorm2D) and layer.weight is not None:
            layer.weight.set_value(0.5 * layer.weight)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pattern", nargs="?", default="*")
    parser.add_argument("--paddle", action="store_true")
    arguments = parser.parse_args()
    engines = {"onnx": ("onnxruntime", "openvino")}
    if arguments.paddle:
        engines["paddle"] = ("paddle", "paddle-openvino")
    columns = [engine for own in engines.values() for engine in own]
    click.echo(f"| network | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name in list_models(arguments.pattern):
        paddle.seed(0)
        network = create_model(name, num_classes=10)
        network.eval()
        halve_norm_scales(network)
        differences = []
        with tempfile.TemporaryDirectory() as folder:
            for format, own in engines.items():
                path = export(network, Path(folder) / name, format, SIZES[0])
                for engine in own:
                    predict = load(path, engine)
                    off = 0.0
                    for size in SIZES:
                        x = np.random.default_rng(1).random(size, np.float32)
                        with paddle.no_grad():
                            expected = network(paddle.to_tensor(x)).numpy()
                        difference = np.abs(predict(x) - expected).max() / np.abs(expected).max()
                        off = max(off, float(difference))
                    differences.append(off)
        click.echo(f"| {name} | {' | '.join(f'{off:.1g}' for off in differences)} |")


if __name__ == "__main__":
    main()
