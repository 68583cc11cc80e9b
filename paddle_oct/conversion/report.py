"""The report: what was converted, what was not and why, and the multiply-accumulates."""

from __future__ import annotations

from dataclasses import dataclass

from tabulate import tabulate

from paddle_oct.base.private import ConvSettings
from paddle_oct.cost import Profile

from .follow import Node
from .network import Network
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
        macs_before, macs_after: its multiply-accumulates for the whole batch, in all its calls.
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
        merged: where a pair is merged to one tensor, as ``"call -> call"``.
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
        """The convolutions that stayed as they were."""
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


def make_report(network: Network, plan: Plan, before: Profile, after: Profile) -> OctavizeReport:
    """Return the report on a conversion.

    Args:
        network: what was known about the network.
        plan: what became of it.
        before, after: its costs before and after.
    """
    macs_before = {layer.name: layer.macs for layer in before.layers}
    macs_after = {layer.name: layer.macs for layer in after.layers}
    called: dict[str, Node] = {}
    for node in network.graph.nodes:
        if node.kind == "layer" and node.target in network.conv_layers:
            called.setdefault(node.target, node)
    own_forward = {node.scope for node in network.graph.nodes}
    unused = [name for name in network.conv_layers if name not in called]
    convs: list[ConvReport] = []
    for name in [*called, *unused]:
        node = called.get(name)
        layouts = plan.convs.get(node) if node else None
        if layouts is not None:
            reason = ""
        elif node is not None:
            reason = plan.kept.get(name, "its input is no map [N, C, H, W]")
        elif name in own_forward:
            reason = "its class has a forward of its own"
        else:
            reason = "the forward does not call it"
        convs.append(
            ConvReport(
                name,
                _in_words(network.conv_layers[name]),
                layouts[0].alpha if layouts else None,
                layouts[1].alpha if layouts else None,
                reason,
                macs_before.get(name, 0),
                macs_after.get(name, 0),
            )
        )
    merged = [
        f"{value.node.name if value.node else 'the input'} -> {node.name if node else 'the output'}"
        for value, node in plan.merges
    ]
    return OctavizeReport(
        before.name,
        tuple(before.input_size),
        tuple(convs),
        tuple(dict.fromkeys(merged)),
        before.macs,
        after.macs,
    )


def _in_words(conv: ConvSettings) -> str:
    """Return a convolution in words, such as ``3x3, 64 -> 128, stride 2``."""
    kernel = "x".join(str(size) for size in conv.kernel_size)
    words = [f"{kernel}, {conv.in_channels} -> {conv.out_channels}"]
    if conv.stride != [1, 1]:
        equal = conv.stride[0] == conv.stride[1]
        words.append(f"stride {conv.stride[0] if equal else conv.stride}")
    if conv.is_depthwise:
        words.append("depthwise")
    elif conv.groups > 1:
        words.append(f"{conv.groups} groups")
    return ", ".join(words)
