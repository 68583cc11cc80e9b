"""What was converted, what was not and why, and what that saves."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from paddle import nn
from tabulate import tabulate

from .follow.graph import Node
from .layout import Layout
from .plan import Plan


@dataclass(frozen=True)
class ConvReport:
    """One convolution of the network.

    Attributes:
        name: its name in the network.
        conv: what it is, such as ``3x3, 64 -> 128, stride 2``.
        alpha_in, alpha_out: the shares of low-frequency channels of an octave convolution; None
            for one that was left as it was.
        reason: why it was left; "" for an octave convolution.
        macs_before, macs_after: its multiply-accumulates.
    """

    name: str
    conv: str
    alpha_in: float | None
    alpha_out: float | None
    reason: str
    macs_before: int
    macs_after: int

    @property
    def is_replaced(self) -> bool:
        return self.alpha_in is not None

    def __str__(self) -> str:
        return f"{self.name} ({self.conv})"


@dataclass(frozen=True)
class OctavizeReport:
    """What :func:`octavize` did; print it to see a table.

    Attributes:
        network: the class of the network.
        input_size: the shape of the input for which multiply-accumulates are counted.
        convs: every convolution layer of the network, in the order of the forward.
        merged: where a pair is merged to one tensor, as ``"layer -> layer"``.
        macs_before, macs_after: multiply-accumulates of the whole network.
    """

    network: str
    input_size: tuple[int, ...]
    convs: tuple[ConvReport, ...]
    merged: tuple[str, ...]
    macs_before: int
    macs_after: int

    @property
    def replaced(self) -> list[ConvReport]:
        """The convolutions that became octave convolutions."""
        return [conv for conv in self.convs if conv.is_replaced]

    @property
    def left(self) -> list[ConvReport]:
        """The convolutions that stayed."""
        return [conv for conv in self.convs if not conv.is_replaced]

    def __str__(self) -> str:
        rows = [
            (
                conv.name,
                conv.conv,
                f"{conv.alpha_in:.3g} -> {conv.alpha_out:.3g}" if conv.is_replaced else "left",
                f"{conv.macs_before / 1e6:.2f}",
                f"{conv.macs_after / 1e6:.2f}",
                conv.reason,
            )
            for conv in self.convs
        ]
        headers = ("layer", "convolution", "alpha", "MMACs", "now", "why left")
        lines = [tabulate(rows, headers=headers, disable_numparse=True), ""]
        lines += [f"merged: {place}" for place in self.merged]
        size = "x".join(map(str, self.input_size))
        share = self.macs_after / self.macs_before if self.macs_before else 1.0
        lines.append(
            f"{self.network}: {len(self.replaced)} of {len(self.convs)} convolutions replaced; "
            f"multiply-accumulates at {size}: {self.macs_before / 1e6:,.1f} M before, "
            f"{self.macs_after / 1e6:,.1f} M after ({share:.1%})"
        )
        return "\n".join(lines)


def report_conv(node: Node, layer: nn.Conv2D, plan: Plan) -> ConvReport:
    """Report on a convolution that the network's forward calls."""
    before = prod(node.output.shape) * prod(layer.weight.shape[1:])
    layouts = plan.convs.get(node)
    return ConvReport(
        node.target,
        describe(layer),
        layouts[0].alpha if layouts else None,
        layouts[1].alpha if layouts else None,
        "" if layouts else plan.kept.get(node.target, "its input is no map [N, C, H, W]"),
        before,
        _octave_macs(node, layer, *layouts) if layouts else before,
    )


def report_unused(name: str, layer: nn.Conv2D) -> ConvReport:
    """Report on a convolution that the forward never calls."""
    reason = "the forward does not call it"
    return ConvReport(name, describe(layer), None, None, reason, 0, 0)


def describe(layer: nn.Conv2D) -> str:
    """Return a convolution in words."""
    kernel = "x".join(str(size) for size in layer._kernel_size)
    words = [f"{kernel}, {layer._in_channels} -> {layer._out_channels}"]
    if layer._stride != [1, 1]:
        equal = layer._stride[0] == layer._stride[1]
        words.append(f"stride {layer._stride[0] if equal else layer._stride}")
    if layer._groups == layer._in_channels > 1:
        words.append("depthwise")
    elif layer._groups > 1:
        words.append(f"{layer._groups} groups")
    return ", ".join(words)


def _octave_macs(node: Node, layer: nn.Conv2D, source: Layout, target: Layout) -> int:
    """Count the multiply-accumulates of the four paths of an octave convolution."""
    batch, _, height, width = node.output.shape
    full = batch * height * width * prod(layer._kernel_size)
    half = batch * ((height + 1) // 2) * ((width + 1) // 2) * prod(layer._kernel_size)
    high, low = len(target.high), len(target.low)
    if layer._groups == layer._in_channels > 1:
        return full * high + half * low
    # At stride 2 the low band has the size of the output's high band; nothing is up-sampled.
    from_low = full if layer._stride == [2, 2] else half
    into_high = full * len(source.high) + from_low * len(source.low)
    into_low = half * (len(source.high) + len(source.low))
    return (high * into_high + low * into_low) // layer._groups
