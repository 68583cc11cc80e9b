"""Parameters and multiply-accumulates of the octave networks beside their vanilla selves.

``docs/generate.py`` puts the tables into the READMEs and the guide.
"""

from __future__ import annotations

import contextlib
import functools
import io
from typing import NamedTuple

NETWORKS = (
    ("mobilenet_v1", "oct_mobilenet_v1"),
    ("resnet50", "oct_resnet50"),
    ("resnet101", "oct_resnet101"),
    ("resnet152", "oct_resnet152"),
)
ALPHAS = (0.125, 0.25, 0.5, 0.75)
SIZE = (1, 3, 224, 224)
HEADERS = {
    "en": ("network", "alpha", "parameters", "MACs", "of vanilla"),
    "zh": ("网络", "alpha", "参数量", "乘加次数", "与普通网络之比"),
}


class Cost(NamedTuple):
    """What a network costs with ten classes."""

    parameters: int
    macs: int


@functools.cache
def measure(name: str, alpha: float | None = None) -> Cost:
    """Return the cost of a network: parameters as ``paddle.summary`` counts them, MACs by ours."""
    import paddle
    from paddle.nn import initializer

    from paddle_oct import create_model
    from paddle_oct.cost import count_macs

    options = {} if alpha is None else {"alpha": alpha}
    initializer.set_global_initializer(initializer.Constant(0.01))  # quicker than random numbers
    try:
        network = create_model(name, num_classes=10, **options)
    finally:
        initializer.set_global_initializer(None)
    with contextlib.redirect_stdout(io.StringIO()):
        parameters = paddle.summary(network, (1, 3, 32, 32))["total_params"]
    return Cost(parameters, count_macs(network, SIZE))


def short_table(language: str) -> str:
    """Return one line a network: the share of its vanilla self's MACs, over alpha."""
    network, alpha, parameters, macs, _ = HEADERS[language]
    heads = [network, parameters, macs, f"{alpha} {ALPHAS[0]:g}", *(f"{a:g}" for a in ALPHAS[1:])]
    lines = [_line(heads), _line(["---", *["---:"] * (len(heads) - 1)])]
    lines += [short_line(*pair) for pair in NETWORKS]
    return "\n".join(lines) + "\n"


def short_line(vanilla: str, octave: str) -> str:
    """Return a network's line of the short table; its parameters are those of every alpha."""
    whole = measure(vanilla)
    shares = []
    for alpha in ALPHAS:
        own = measure(octave, alpha)
        if own.parameters != whole.parameters:
            raise ValueError(f"{octave} at alpha {alpha}: {own}, vanilla: {whole}")
        shares.append(f"{own.macs / whole.macs:.0%}")
    return _line([f"`{octave}`", f"{whole.parameters:,}", f"{whole.macs / 1e9:.3f} G", *shares])


def long_table(language: str) -> str:
    """Return a line for every network and alpha."""
    lines = [_line(HEADERS[language]), _line(["---", *["---:"] * 4])]
    for vanilla, octave in NETWORKS:
        whole = measure(vanilla)
        rows = [(f"`paddle.vision.models.{vanilla}`", "", whole, "")]
        for alpha in ALPHAS:
            own = measure(octave, alpha)
            rows.append((f"`{octave}`", f"{alpha:g}", own, f"{own.macs / whole.macs:.0%}"))
        for name, alpha, cost, share in rows:
            parameters, macs = f"{cost.parameters:,}", f"{cost.macs / 1e9:.3f} G"
            lines.append(_line([name, alpha, parameters, macs, share]))
    return "\n".join(lines) + "\n"


def _line(cells) -> str:
    return f"| {' | '.join(cells)} |"
