"""What :func:`profile` returns: plain values, and how they are printed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from paddle_oct.base.tables import human_bytes, human_count, render


@dataclass(frozen=True)
class LayerCost:
    """What one layer costs.

    Args:
        name: its name in the network, as in ``named_sublayers``.
        kind: the name of its class.
        output_shapes: the different shapes of the Tensors that it returned.
        calls: how often it ran.
        parameters: how many parameters it has; those of sub-layers only if they have no rows.
        macs: multiply-accumulates of all its calls.
        output_bytes: memory of the feature maps that it computed.
        kept_bytes: memory of the feature maps that training keeps for it and that are not already
            kept for an earlier layer.
    """

    name: str
    kind: str
    output_shapes: list[list[int]]
    calls: int
    parameters: int
    macs: int
    output_bytes: int
    kept_bytes: int


@dataclass(frozen=True)
class MemoryCost:
    """Memory in bytes.

    Args:
        weights: parameters and buffers, running means and variances among them.
        gradients: of the trainable parameters.
        features: the feature maps that all layers compute, added up; the paper's Table 1 compares
            this for one layer.
        inference: the feature maps alive at the same time, input included, at the peak of a run
            in evaluation mode without gradients.
        training: the feature maps that autograd keeps from the forward pass for the backward pass,
            input included. None if it was not asked for.
        step: the peak of a training step without weights, their gradients and the optimiser:
            ``training``, and the gradients of feature maps that the backward pass holds. None if it
            was not asked for.
    """

    weights: int
    gradients: int
    features: int
    inference: int
    training: int | None = None
    step: int | None = None

    def optimizer(self, slots: int) -> int:
        """Return the bytes of an optimiser's state of ``slots`` numbers per parameter.

        ``slots`` is 0 for SGD, 1 for Momentum and 2 for Adam.
        """
        return slots * self.gradients

    def training_total(self, slots: int = 1) -> int:
        """Return the bytes that training holds at its peak; ``slots`` as in :meth:`optimizer`.

        Raises:
            ValueError: the profile was made without the training memory.
        """
        if self.step is None:
            raise ValueError("the profile was made with training=False")
        return self.weights + self.gradients + self.optimizer(slots) + self.step


@dataclass(frozen=True)
class Latency:
    """Measured time of a forward pass in Paddle's eager mode.

    Args:
        milliseconds: the median.
        spread: half the distance between the quartiles, in milliseconds.
        images_per_second: batch size over median.
        repeats: how many runs it is the median of.
    """

    milliseconds: float
    spread: float
    images_per_second: float
    repeats: int


@dataclass(frozen=True)
class Profile:
    """What a network costs; :func:`profile` returns it.

    Args:
        name: what to call the network.
        input_size: the shape of its input, or the shapes.
        parameters: how many it has, running means and variances included, as ``paddle.summary``
            counts them.
        trainable: how many of them training changes.
        macs: multiply-accumulates of convolutions and matrix products, of the whole batch.
        memory: what it needs.
        latency: the measured time, if asked for.
        layers: a row per layer that ran, in the order of the run.
        uncounted: how often operators ran that may multiply and that ``macs`` knows no formula for.
    """

    name: str
    input_size: list[Any]
    parameters: int
    trainable: int
    macs: int
    memory: MemoryCost
    latency: Latency | None
    layers: tuple[LayerCost, ...]
    uncounted: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as nested dicts and lists of plain numbers, as for JSON."""
        plain = dataclasses.asdict(self)
        plain["layers"] = list(plain["layers"])
        return plain

    def table(self, format: str = "table") -> str:
        """Return the layers as a table.

        Args:
            format: ``"table"``, ``"markdown"``, ``"csv"`` or ``"json"``.

        Raises:
            ValueError: there is no such format.
        """
        headers = ("layer", "kind", "output", "parameters", "MACs", "output", "kept")
        if format in ("csv", "json"):
            return render([dataclasses.asdict(layer) for layer in self.layers], format)
        rows = [
            (
                layer.name or "(the network itself)",
                layer.kind + (f", {layer.calls} times" if layer.calls > 1 else ""),
                " + ".join("x".join(map(str, shape)) for shape in layer.output_shapes),
                f"{layer.parameters:,}",
                f"{layer.macs:,}",
                human_bytes(layer.output_bytes),
                human_bytes(layer.kept_bytes),
            )
            for layer in self.layers
        ]
        return render(rows, format, headers)

    def __repr__(self) -> str:
        m = self.memory
        rows = [
            ("parameters", f"{self.parameters:,} ({self.trainable:,} trainable)"),
            ("MACs", f"{self.macs:,} ({human_count(self.macs)})"),
            *([("not counted", self._uncounted_calls())] if self.uncounted else []),
            ("weights", human_bytes(m.weights)),
            ("feature maps, inference", f"{human_bytes(m.inference)} at the peak"),
        ]
        if m.training is not None:
            rows += [
                ("feature maps, training", f"{human_bytes(m.training)} kept for the backward pass"),
                ("training step", f"{human_bytes(m.training_total())} at the peak, with momentum"),
            ]
        if self.latency is not None:
            t = self.latency
            speed = f"{t.images_per_second:.1f} images/s"
            rows.append(("forward, eager", f"{t.milliseconds:.1f} ± {t.spread:.1f} ms, {speed}"))
        width = max(len(name) for name, _ in rows)
        lines = [f"{self.name} on {self.input_size}, {len(self.layers)} layers"]
        return "\n".join(lines + [f"  {name:<{width}}  {text}" for name, text in rows])

    def _uncounted_calls(self) -> str:
        return ", ".join(
            name if calls == 1 else f"{name} ({calls} times)"
            for name, calls in self.uncounted.items()
        )
