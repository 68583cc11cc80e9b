"""Every network of paddle.vision.models, octavized.

python benchmarks/octavize.py                      # prints the table of docs/octavize.md
python benchmarks/octavize.py --write              # writes docs/octavize.md
python benchmarks/octavize.py --export NAME...     # exports networks and compares the outputs
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

os.environ.setdefault("GLOG_minloglevel", "2")
warnings.filterwarnings("ignore", module=r"paddle\.")

import paddle
from tabulate import tabulate

from paddle_oct import octavize
from paddle_oct.nn import OctaveConv

NETWORKS = """
    resnet18 resnet34 resnet50 resnet101 resnet152 wide_resnet50_2 wide_resnet101_2
    resnext50_32x4d resnext101_32x4d mobilenet_v1 mobilenet_v2 mobilenet_v3_small
    mobilenet_v3_large vgg16 vgg16+bn densenet121 densenet169 shufflenet_v2_x1_0 squeezenet1_0
    squeezenet1_1 googlenet inception_v3 alexnet LeNet
"""
ALPHAS = (0.25, 0.5)
FIXED_SIZE = ("googlenet", "alexnet", "LeNet")
PAGE = Path(__file__).parents[1] / "docs" / "octavize.md"
TEXT = """# Networks of paddle.vision.models, octavized

What `octavize(network, alpha)` makes of them: how many of the convolutions are replaced, and the
multiply-accumulates (M) of convolutions and linear layers for one image (224x224; InceptionV3
299x299, LeNet 28x28).

"saved / formula" compares what the replaced layers save with `1 - 3/4 (a + b - ab)` of each of
them, the paper's Table 1 for a layer from alpha a to alpha b. That formula is the one of stride 1:
at stride 2 the path from low to high costs as much as in the vanilla layer, since its input is as
large as its output; and a map of odd size has a low band of more than half its size.

A network's stem and its last stage stay vanilla, as in the paper; the last column counts the other
convolutions that were left, by reason. `print(network.octave_report)` lists every one.

Made by `python benchmarks/octavize.py --write`.

"""


def build(name, **options):
    plain, _, norm = name.partition("+")
    return getattr(paddle.vision.models, plain)(**({"batch_norm": True} if norm else {}), **options)


def input_size(name):
    return {"LeNet": (1, 1, 28, 28), "inception_v3": (1, 3, 299, 299)}.get(name, (1, 3, 224, 224))


def by_formula(octave):
    layers = dict(octave.named_sublayers())
    saved = 0.0
    for conv in octave.octave_report.replaced:
        if layers[conv.name].is_depthwise:
            saved += conv.macs_before * 0.75 * conv.alpha_out
        else:
            a, b = conv.alpha_in, conv.alpha_out
            saved += conv.macs_before * 0.75 * (a + b - a * b)
    return saved


def reasons(report):
    counts = Counter(
        conv.reason.replace("(all alphas", "(").partition(", use padding")[0]
        for conv in report.left
        if not conv.reason.startswith(("stem", "last stage"))
    )
    return "; ".join(f"{count} {reason}" for reason, count in counts.items())


def rows_of(name):
    for alpha in ALPHAS:
        octave = octavize(build(name), alpha, input_size=input_size(name), inplace=True)
        report = octave.octave_report
        saved, formula = report.macs_before - report.macs_after, by_formula(octave)
        assert saved == sum(conv.macs_before - conv.macs_after for conv in report.convs)
        assert all(isinstance(layer, OctaveConv) for layer in replaced_layers(octave))
        first = alpha == ALPHAS[0]
        yield (
            f"`{name.partition('+')[0]}`{', batch_norm' if '+' in name else ''}" if first else "",
            f"{alpha:g}",
            f"{len(report.replaced)} / {len(report.convs)}",
            f"{report.macs_before / 1e6:,.1f}",
            f"{report.macs_after / 1e6:,.1f}",
            f"{report.macs_after / report.macs_before:.0%}",
            f"{saved / formula:.1%}" if formula else "",
            reasons(report) if first else "",
        )
        print(name, alpha, report.macs_after, file=sys.stderr, flush=True)


def replaced_layers(octave):
    layers = dict(octave.named_sublayers())
    return [layers[conv.name] for conv in octave.octave_report.replaced]


def table(names):
    headers = ("network", "alpha", "replaced", "before", "after", "", "saved / formula", "left")
    rows = [row for name in names for row in rows_of(name)]
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def export(name):
    size = (1, 3, 139, 139) if name == "inception_v3" else input_size(name)
    if name not in (*FIXED_SIZE, "inception_v3"):
        size = (1, 3, 64, 64)
    for alpha in ALPHAS:
        octave = octavize(build(name, num_classes=10), alpha, input_size=size, inplace=True)
        octave.eval()
        fixed = name in FIXED_SIZE
        spec = paddle.static.InputSpec([None, size[1], *(size[2:] if fixed else (None, None))])
        worst = 0.0
        with tempfile.TemporaryDirectory() as folder:
            paddle.jit.save(octave, f"{folder}/net", input_spec=[spec])
            loaded = paddle.jit.load(f"{folder}/net")
            for batch, more in ((1, 0), (3, 0 if fixed else 21)):
                x = paddle.randn([batch, size[1], size[2] + more, size[3] + more])
                with paddle.no_grad():
                    pairs = zip(paddle.utils.flatten(loaded(x)), paddle.utils.flatten(octave(x)))
                    worst = max(
                        [worst, *(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)]
                    )
        print(f"{name} {alpha}: exported and loaded, largest relative difference {worst:.0e}")
        assert worst < 1e-4


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["--export"]:
        for name in arguments[1:] or NETWORKS.split():
            export(name)
        return
    write = arguments[:1] == ["--write"]
    text = table(arguments[write:] or NETWORKS.split())
    if write:
        PAGE.write_text(f"{TEXT}{text}\n", encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
