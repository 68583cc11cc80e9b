"""What each operation of an octave convolution costs in several equivalent implementations.

    python benchmarks/alternatives.py eager        # Paddle's eager mode, forward and with gradients
    python benchmarks/alternatives.py openvino     # the up-sampling between two convolutions
    python benchmarks/alternatives.py fold         # when to up-sample before a 1x1 convolution
    python benchmarks/alternatives.py together     # how many images a thread takes at a time

Two threads; all implementations of an operation run in turns. An asterisk marks the one that the
package uses, in ``paddle_oct/nn/fast`` and in ``folded.py`` and ``engines/predictor.py`` of
``paddle_oct/deploy``. In eager mode that is the one without a gradient; with one, a dense 3x3 and a
single image use ``conv2d``.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("GLOG_minloglevel", "2")
warnings.filterwarnings("ignore", module=r"paddle\.")

import numpy as np
import paddle
import paddle.nn.functional as F
from tabulate import tabulate

from paddle_oct import create_model
from paddle_oct.base.private import set_threads
from paddle_oct.base.timing import interleave
from paddle_oct.deploy import export, folded, load
from paddle_oct.deploy.engines import predictor
from paddle_oct.nn.fast import add_up2, up2
from paddle_oct.nn.fast.convolutions import case_of
from paddle_oct.nn.fast.table import CONVOLUTION_KERNELS

REPEATS = 20
MAKER = paddle.nn.Conv2D(1, 1, 1)  # what it returned may be written over
KERNEL_NAMES = {
    "channels_at_once": "one product for all channels",
    "one_image": "whole batch as one image",
    "row_per_pixel": "a row per pixel",
    "unfolded_batch": "whole batch unfolded at once",
}


def as_one_image(x, weight):
    """Convolve a whole batch as one tall image."""
    batch, channels, height, width = x.shape
    gap = weight.shape[2] // 2
    padded = F.pad(x, [0, 0, 0, gap]) if gap else x
    image = padded.transpose([1, 0, 2, 3]).reshape([1, channels, batch * (height + gap), width])
    y = F.conv2d(image, weight, padding=gap)
    y = y.reshape([weight.shape[0], batch, height + gap, width]).transpose([1, 0, 2, 3])
    return (y[:, :, :height] if gap else y).contiguous()


def per_sample_product(x, weight):
    batch, channels, height, width = x.shape
    kernel = weight.reshape([weight.shape[0], channels])
    product = paddle.matmul(kernel, x.reshape([batch, channels, height * width]))
    return product.reshape([batch, -1, height, width])


def row_per_pixel(x, weight):
    """Convolve a single image, 1x1 or 3x3, by a product of few rows."""
    height, width = x.shape[2:]
    columns = F.unfold(x, 3, paddings=1) if weight.shape[2] > 1 else x
    columns = columns.reshape([-1, height * width])
    kernel = weight.reshape([weight.shape[0], -1])
    product = paddle.matmul(columns, kernel, transpose_x=True, transpose_y=True)
    return product.t().contiguous().reshape([1, -1, height, width])


def unfolded_at_once(x, weight):
    batch, _, height, width = x.shape
    product = paddle.matmul(weight.reshape([weight.shape[0], -1]), F.unfold(x, 3, paddings=1))
    return product.reshape([batch, -1, height, width])


def all_channels_at_once(x, weight):
    """Convolve depthwise, 3x3, by one product for all samples and channels."""
    batch, channels, height, width = x.shape
    columns = F.unfold(x, 3, paddings=1).reshape([batch, channels, 9, height * width])
    return paddle.matmul(weight.reshape([1, channels, 1, 9]), columns).reshape(x.shape)


def mean_by_interpolation(x):
    height, width = x.shape[2:]
    return F.interpolate(x, [height // 2, width // 2], mode="bilinear")


def mean_by_slices(x):
    columns = x[:, :, :, ::2] + x[:, :, :, 1::2]
    return (columns[:, :, ::2] + columns[:, :, 1::2]) / 4


def mean_by_reshape(x):
    batch, channels, height, width = x.shape
    return x.reshape([batch, channels, height // 2, 2, width // 2, 2]).mean([3, 5])


def doubled(x):
    return F.interpolate(x, scale_factor=2)


def doubled_as_one(x):
    batch, channels, height, width = x.shape
    y = F.interpolate(x.reshape([1, batch * channels, height, width]), scale_factor=2)
    return y.reshape([batch, channels, 2 * height, 2 * width])


def doubled_by_expand(x):
    batch, channels, height, width = x.shape
    y = x.reshape([batch, channels, height, 1, width, 1])
    y = y.expand([batch, channels, height, 2, width, 2])
    return y.reshape([batch, channels, 2 * height, 2 * width])


def sum_by_interpolation(x, y):
    return (2 * y).add_(doubled(x))


def doubled_by_complex(x):
    """Return what the package computes: a complex number holds every value twice."""
    return up2(x)


def sum_by_pairs(x, y):
    """Return what the package computes: added to pairs in place, or with gradients apart."""
    return add_up2(2 * y, x, MAKER, None)


def sum_by_product(x, y):
    """Add a product with zeros and ones, which makes the row of an infinite value NaN."""
    width = x.shape[3]
    twice = paddle.eye(width).reshape([width, width, 1]).expand([width, width, 2])
    twice = paddle.tile(twice.reshape([width, 2 * width]), [1, 2])
    product = paddle.matmul(x.reshape([-1, width]), twice)
    return (2 * y).add_(product.reshape(y.shape))


def sum_by_broadcast(x, y):
    batch, channels, height, width = x.shape
    total = (2 * y).reshape([batch, channels, height, 2, width, 2])
    total = total + x.reshape([batch, channels, height, 1, width, 1])
    return total.reshape(y.shape)


def chosen_for(conv, shape):
    """Return the name of the implementation that the package uses without a gradient."""
    with paddle.no_grad():
        case = case_of(conv, paddle.zeros(shape), halved=False)
    kernel = next((kernel for kernel in CONVOLUTION_KERNELS if kernel.applies(case)), None)
    return "conv2d" if kernel is None else KERNEL_NAMES[kernel.name]


def convolutions(samples, channels, size, out, kernel):
    """Return a case: its name, the shapes of its inputs, its implementations, the chosen one."""
    shapes = [(samples, channels, size, size), (out, channels, kernel, kernel)]
    candidates = {"conv2d": lambda x, w: F.conv2d(x, w, padding=w.shape[2] // 2)}
    if samples == 1:
        candidates["a row per pixel"] = row_per_pixel
    else:
        candidates["whole batch as one image"] = as_one_image
    if kernel == 1:
        candidates["matmul per sample"] = per_sample_product
    else:
        candidates["whole batch unfolded at once"] = unfolded_at_once
    name = f"{kernel}x{kernel}, {samples}x{channels}x{size}x{size} to {out}"
    conv = paddle.nn.Conv2D(channels, out, kernel, padding=kernel // 2)
    return name, shapes, candidates, chosen_for(conv, shapes[0])


def depthwise(samples, channels, size):
    """Return a case, as :func:`convolutions`."""
    shapes = [(samples, channels, size, size), (channels, 1, 3, 3)]
    candidates = {
        "conv2d": lambda x, w: F.conv2d(x, w, padding=1, groups=w.shape[0]),
        "one product for all channels": all_channels_at_once,
    }
    conv = paddle.nn.Conv2D(channels, channels, 3, padding=1, groups=channels)
    name = f"3x3 depthwise, {samples}x{channels}x{size}x{size}"
    return name, shapes, candidates, chosen_for(conv, shapes[0])


def eager_cases():
    yield convolutions(16, 512, 2, 2048, 1)
    yield convolutions(8, 512, 7, 2048, 1)
    yield convolutions(8, 256, 14, 1024, 1)
    yield convolutions(8, 128, 56, 32, 1)
    yield convolutions(16, 512, 2, 512, 3)
    yield convolutions(8, 512, 7, 512, 3)
    yield convolutions(8, 128, 14, 128, 3)
    yield convolutions(8, 64, 28, 64, 3)
    yield convolutions(8, 32, 56, 32, 3)
    yield convolutions(1, 512, 7, 2048, 1)
    yield convolutions(1, 128, 7, 512, 1)
    yield convolutions(1, 256, 14, 1024, 1)
    yield convolutions(1, 512, 7, 512, 3)
    yield convolutions(1, 128, 7, 128, 3)
    yield convolutions(1, 128, 14, 128, 3)
    yield convolutions(1, 32, 56, 32, 3)
    yield depthwise(16, 256, 2)
    yield depthwise(16, 128, 8)
    yield depthwise(8, 256, 7)
    yield depthwise(8, 256, 14)
    yield depthwise(1, 256, 14)
    yield depthwise(1, 64, 28)
    means = {
        "avg_pool2d": lambda x: F.avg_pool2d(x, 2),
        "bilinear": mean_by_interpolation,
        "reshape, mean": mean_by_reshape,
        "sums of slices": mean_by_slices,
    }
    for channels, size in ((128, 56), (512, 14)):
        shape = (8, channels, size, size)
        name = "mean of 2x2, " + "x".join(map(str, shape))
        yield name, [shape], means, "bilinear"
    ups = {
        "interpolate": doubled,
        "interpolate, maps as one": doubled_as_one,
        "expand": doubled_by_expand,
        "complex": doubled_by_complex,
    }
    for shape in ((8, 128, 28, 28), (16, 256, 4, 4)):
        yield f"up2, {'x'.join(map(str, shape))}", [shape], ups, "complex"
    shapes = [(8, 128, 56, 56)] * 2
    fresh = {"+": lambda x, y: 2 * x + y, "add_": lambda x, y: (2 * x).add_(y)}
    yield "2 x, and a sum, 8x128x56x56", shapes, fresh, "add_"
    sums = {
        "interpolate, add_": sum_by_interpolation,
        "pairs": sum_by_pairs,
        "product": sum_by_product,
        "broadcast +": sum_by_broadcast,
    }
    for batch, channels, size in ((8, 128, 28), (8, 256, 7), (16, 128, 8), (1, 256, 14)):
        shapes = [(batch, channels, size, size), (batch, channels, 2 * size, 2 * size)]
        name = f"2 y, and up2(x) to it, {batch}x{channels}x{size}x{size}"
        yield name, shapes, sums, "pairs"


def eager():
    """Print the implementations in eager mode."""
    set_threads(2)
    rows = []
    for name, shapes, candidates, chosen in eager_cases():
        paddle.seed(0)
        inputs = [paddle.randn(shape) for shape in shapes]
        functions = list(candidates.values())
        expected = functions[0](*inputs)
        with paddle.no_grad():
            for function in functions:
                difference = float((function(*inputs) - expected).abs().max())
                assert difference <= 1e-4 * float(expected.abs().max())
            forward = interleave([lambda f=f, x=inputs: f(*x) for f in functions], REPEATS)
        for value in inputs:
            value.stop_gradient = False

        def step(function, inputs=inputs):
            function(*inputs).sum().backward()
            for value in inputs:
                value.clear_grad()

        backward = interleave([lambda f=f: step(f) for f in functions], REPEATS)
        for label, once, both in zip(candidates, forward, backward):
            mark = "*" if label == chosen else ""
            times = (f"{1e3 * timing.median:.2f}" for timing in (once, both))
            rows.append([name, label + mark, *times])
    headers = ["operation", "implementation", "forward, ms", "forward and backward, ms"]
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))


def openvino():
    """Print the implementations of the up-sampling in a small network for OpenVINO."""
    import openvino as ov
    import openvino.opset13 as ops

    rng = np.random.default_rng(0)
    core_, options = ov.Core(), {"INFERENCE_NUM_THREADS": 2, "INFERENCE_PRECISION_HINT": "f32"}

    def scaled(x, target, **keywords):
        return ops.interpolate(
            x, ops.constant(np.array(target)), axes=ops.constant(np.array([2, 3])), mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor", **keywords,
        )  # fmt: skip

    def transposed(x, channels):
        ones = ops.constant(np.ones((channels, 1, 1, 2, 2), np.float32))
        return ops.group_convolution_backprop_data(
            x, ones, strides=[2, 2], pads_begin=[0, 0], pads_end=[0, 0], dilations=[1, 1]
        )

    def broadcast(x, shape):
        n, c, h, w = shape
        x = ops.reshape(x, ops.constant(np.array([n, c, h, 1, w, 1])), False)
        x = ops.broadcast(x, ops.constant(np.array([n, c, h, 2, w, 2])))
        return ops.reshape(x, ops.constant(np.array([n, c, 2 * h, 2 * w])), False)

    rows = []
    for shape, kernel in (((8, 128, 28, 28), 1), ((8, 64, 14, 14), 3), ((1, 64, 14, 14), 3)):
        n, c, h, w = shape

        def conv(x, size, c=c):
            weight = ops.constant(rng.standard_normal((c, c, size, size)).astype(np.float32))
            pad = [size // 2] * 2
            return ops.convolution(x, weight, [1, 1], pad, pad, [1, 1])

        candidates = {
            "none at all": None,
            "nearest, by scales*": lambda x: scaled(
                x, np.float32([2, 2]), shape_calculation_mode="scales"
            ),
            "nearest, by sizes": lambda x, h=h, w=w: scaled(
                x, [2 * h, 2 * w], shape_calculation_mode="sizes"
            ),
            "transposed depthwise convolution": lambda x, c=c: transposed(x, c),
            "depth to space": lambda x: ops.depth_to_space(
                ops.concat([x] * 4, 1), "blocks_first", 2
            ),
            "broadcast": lambda x, shape=shape: broadcast(x, shape),
        }
        runs = []
        for up in candidates.values():
            high = ops.parameter([n, c, 2 * h, 2 * w], np.float32)
            low = ops.parameter([n, c, h, w], np.float32)
            total = conv(ops.relu(conv(high, 1)), kernel)
            given = [high]
            if up is not None:
                total = ops.add(total, up(conv(ops.relu(conv(low, 1)), kernel)))
                given = [high, low]
            model = ov.Model([ops.relu(conv(ops.relu(total), 1))], given)
            request = core_.compile_model(model, "CPU", options).create_infer_request()
            inputs = [rng.standard_normal(p.shape).astype(np.float32) for p in model.inputs]
            runs.append(lambda request=request, inputs=inputs: request.infer(inputs))
        for label, timing in zip(candidates, interleave(runs, 3 * REPEATS)):
            name = f"{kernel}x{kernel}, {'x'.join(map(str, shape))}"
            rows.append([name, label, f"{1e3 * timing.median:.2f}"])
    headers = ["l2h and the layers around it", "up-sampling", "ms"]
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))


def fold():
    """Print times of Oct-ResNet-50 by the widest low input that a widening 1x1 up-samples."""
    size = (8, 3, 224, 224)
    x = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    limits, rows = (0, folded.NARROW, 64, 128), []
    with tempfile.TemporaryDirectory() as folder:
        for format, engines in (("onnx", ("openvino", "onnxruntime")), ("paddle", ("paddle",))):
            paths = []
            for limit in limits:
                folded.NARROW = limit
                paddle.seed(0)
                network = create_model("oct_resnet50")
                network.eval()
                path = Path(folder) / f"up-to-{limit}"
                paths.append(export(network, path, format, size, dynamic="batch"))
            for engine in engines:
                runs = [load(path, engine, 2, size) for path in paths]
                timings = interleave([lambda run=run: run(x) for run in runs], REPEATS)
                rows.append([engine, *(f"{1e3 * timing.median:.1f}" for timing in timings)])
    headers = ["batch 8, ms", "never", *(f"up to {limit}" for limit in limits[1:])]
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))


def together():
    """Print times of the networks by how many images a thread takes at a time."""
    size = (8, 3, 224, 224)
    x = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    chosen, rows = predictor.IMAGES_AT_A_TIME, []
    with tempfile.TemporaryDirectory() as folder:
        for pair in (("oct_resnet50", "resnet50"), ("oct_mobilenet_v1", "mobilenet_v1")):
            paths = []
            for name in pair:
                paddle.seed(0)
                network = create_model(name)
                network.eval()
                paths.append(export(network, Path(folder) / name, "onnx", size, dynamic="batch"))
            for engine in ("openvino", "onnxruntime"):
                numbers, runs = (4, 2, 1), []
                for images in numbers:
                    predictor.IMAGES_AT_A_TIME = images
                    both = [load(path, engine, 2, size) for path in paths]
                    runs += [lambda run=run, n=images: run_together(run, x, n) for run in both]
                ms = [f"{1e3 * timing.median:.1f}" for timing in interleave(runs, 2 * REPEATS)]
                for i, images in enumerate(numbers):
                    shown = f"{images}*" if images == chosen else f"{images}"
                    rows.append([engine, " / ".join(pair), shown, *ms[2 * i : 2 * i + 2]])
    headers = ["engine", "networks, batch 8", "at a time", "octave, ms", "vanilla, ms"]
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))


def run_together(run, x, images):
    """Run a loaded network with this number of images at a time."""
    predictor.IMAGES_AT_A_TIME = images
    return run(x)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("eager", "openvino", "fold", "together"))
    chosen = parser.parse_args().what
    {"eager": eager, "openvino": openvino, "fold": fold, "together": together}[chosen]()
