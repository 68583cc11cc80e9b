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
from typing import Any, Iterator, Sequence

os.environ.setdefault("GLOG_minloglevel", "2")
warnings.filterwarnings("ignore", module=r"paddle\.")

import paddle
from paddle import nn
from tabulate import tabulate

from paddle_oct import OctavizeReport, octavize
from paddle_oct.cost.law import macs_law, memory_law
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


def build(name: str, **options: Any) -> nn.Layer:
    """Return a network of paddle.vision.models; ``vgg16+bn`` is ``vgg16`` with norms."""
    plain, _, norm = name.partition("+")
    return getattr(paddle.vision.models, plain)(**({"batch_norm": True} if norm else {}), **options)


def input_size(name: str) -> tuple[int, ...]:
    return {"LeNet": (1, 1, 28, 28), "inception_v3": (1, 3, 299, 299)}.get(name, (1, 3, 224, 224))


def saved_by_formula(octave: Any) -> float:
    """Return the multiply-accumulates that the replaced layers would save by the paper's Table 1.

    A depthwise layer has no paths between the bands: its cost is in proportion to its output.
    """
    saved = 0.0
    for conv, layer in zip(octave.octave_report.replaced, replaced_layers(octave)):
        a, b = conv.alpha_in, conv.alpha_out
        share = memory_law(b) if layer.is_depthwise else macs_law(a, b)
        saved += conv.macs_before * (1 - share)
    return saved


def reasons(report: OctavizeReport) -> str:
    """Return why convolutions other than those of stem and last stage were left, with counts."""
    counts = Counter(
        conv.reason.replace("(all alphas", "(").partition(", use padding")[0]
        for conv in report.left
        if not conv.reason.startswith(("stem", "last stage"))
    )
    return "; ".join(f"{count} {reason}" for reason, count in counts.items())


def rows_of(name: str) -> Iterator[tuple[str, ...]]:
    """Yield a network's rows of the table, one per alpha."""
    for alpha in ALPHAS:
        octave = octavize(build(name), alpha, input_size=input_size(name), inplace=True)
        report = octave.octave_report
        saved, formula = report.macs_before - report.macs_after, saved_by_formula(octave)
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


def replaced_layers(octave: Any) -> list[nn.Layer]:
    layers = dict(octave.named_sublayers())
    return [layers[conv.name] for conv in octave.octave_report.replaced]


def table(names: Sequence[str]) -> str:
    headers = ("network", "alpha", "replaced", "before", "after", "", "saved / formula", "left")
    rows = [row for name in names for row in rows_of(name)]
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def tensors(output: Any) -> list[paddle.Tensor]:
    """Return the outputs of a network as a list; some networks have auxiliary heads."""
    return list(output) if isinstance(output, (tuple, list)) else [output]


def export(name: str) -> None:
    """Export a network with every alpha, and compare what the file returns with the network."""
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
                    pairs = zip(tensors(loaded(x)), tensors(octave(x)))
                    worst = max(
                        [worst, *(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)]
                    )
        print(f"{name} {alpha}: exported and loaded, largest relative difference {worst:.0e}")
        assert worst < 1e-4


def main() -> None:
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
