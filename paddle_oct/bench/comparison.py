"""The costs of several networks side by side, and of one network over alpha."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Callable, Sequence, Union

from paddle import nn

from paddle_oct.base.numbers import comma_separated
from paddle_oct.base.tables import human_bytes, human_count, human_percent, render
from paddle_oct.cost import (
    InputSize,
    Profile,
    check_sizes,
    make_inputs,
    measure_latency,
    profile,
)
from paddle_oct.models import create_model
from paddle_oct.nn.feature import check_alpha

ALPHAS = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Comparison:
    """Several profiles and their ratios to the first.

    Args:
        profiles: one per network.
        alphas: in a sweep, the alpha of each.
    """

    profiles: tuple[Profile, ...]
    alphas: tuple[float, ...] | None = None

    def rows(self) -> list[dict[str, Any]]:
        """Return a dict of plain numbers for each network, ratios to the first included."""
        return [self._row(index) for index in range(len(self.profiles))]

    def _row(self, index: int) -> dict[str, Any]:
        p, first = self.profiles[index], self.profiles[0]
        row: dict[str, Any] = {"network": p.name}
        if self.alphas is not None:
            row["alpha"] = self.alphas[index]
        row["parameters"] = p.parameters
        for name, key, value, reference in (
            ("macs", "macs", p.macs, first.macs),
            ("features", "features_bytes", p.memory.features, first.memory.features),
            ("inference", "inference_bytes", p.memory.inference, first.memory.inference),
            ("training", "training_bytes", p.memory.training, first.memory.training),
        ):
            if value is not None and reference is not None:
                row[key] = value
                row[f"{name}_ratio"] = _ratio(value, reference)
        if p.latency is not None and first.latency is not None:
            row["milliseconds"] = p.latency.milliseconds
            row["spread"] = p.latency.spread
            row["images_per_second"] = p.latency.images_per_second
            row["time_ratio"] = _ratio(p.latency.milliseconds, first.latency.milliseconds)
        return row

    def table(self, format: str = "table") -> str:
        """Return the comparison as text: ``"table"``, ``"markdown"``, ``"csv"`` or ``"json"``.

        The last two hold the plain numbers of :meth:`rows`.
        """
        rows = self.rows()
        if format in ("csv", "json"):
            return render(rows, format)
        headers = ["network", "parameters", "MACs", "", "features", "", "inference", ""]
        if "training_bytes" in rows[0]:
            headers += ["training", ""]
        if "milliseconds" in rows[0]:
            headers += ["forward", "images/s", ""]
        return render([self._cells(row) for row in rows], format, headers)

    @staticmethod
    def _cells(row: dict[str, Any]) -> list[str]:
        cells = [row["network"], f"{row['parameters']:,}"]
        cells += [human_count(row["macs"]), human_percent(row["macs_ratio"])]
        for key in ("features", "inference", "training"):
            if f"{key}_bytes" in row:
                cells += [human_bytes(row[f"{key}_bytes"]), human_percent(row[f"{key}_ratio"])]
        if "milliseconds" in row:
            cells += [
                f"{row['milliseconds']:.1f} ± {row['spread']:.1f} ms",
                f"{row['images_per_second']:.1f}",
                human_percent(row["time_ratio"]),
            ]
        return cells

    def to_dict(self) -> dict[str, Any]:
        """Return everything as nested dicts and lists of plain numbers."""
        return {
            "alphas": None if self.alphas is None else list(self.alphas),
            "rows": self.rows(),
            "profiles": [p.to_dict() for p in self.profiles],
        }

    def __repr__(self) -> str:
        return self.table()


def _ratio(value: float, reference: float) -> float:
    return value / reference if reference else float("nan")


def compare(
    *models: Union[str, nn.Layer],
    input_size: InputSize = (1, 3, 224, 224),
    labels: Sequence[str] | None = None,
    training: bool = True,
    repeats: int = 0,
    **options: Any,
) -> Comparison:
    """Set the costs of networks side by side, with ratios to the first.

    Args:
        *models: networks, or their names as :func:`model_by_name` takes them.
        input_size: as in :func:`~paddle_oct.cost.profile`, the same for all.
        labels: their names in tables; by default the given name, or the class of a network.
        training: whether to compute the memory of training too.
        repeats: how often to measure the forward pass of each, in turns; 0: not at all.
        **options: options of :func:`~paddle_oct.create_model` for models given by name.

    Raises:
        TypeError, ValueError: as ``profile``; there is no model; a name is unknown (the message
            suggests the nearest); or there are more or fewer labels than models.

    Examples:
        >>> from paddle_oct.bench import compare
        >>> result = compare("mobilenet_v1", "oct_mobilenet_v1@0.5", input_size=(1, 3, 32, 32))
        >>> [p.name for p in result.profiles]
        ['mobilenet_v1', 'oct_mobilenet_v1@0.5']
    """
    if not models:
        raise ValueError("compare: name at least one model")
    names = list(labels) if labels is not None else [_label(model) for model in models]
    if len(names) != len(models):
        raise ValueError(f"compare: there are {len(models)} models but {len(names)} labels")
    sizes = check_sizes(input_size)
    networks = [model_by_name(m, **options) if isinstance(m, str) else m for m in models]
    return _compare(networks, names, sizes, training, repeats, None)


def sweep(
    model: Union[str, Callable[[float], nn.Layer]],
    alphas: Sequence[float] = ALPHAS,
    *,
    input_size: InputSize = (1, 3, 224, 224),
    training: bool = True,
    repeats: int = 0,
    **options: Any,
) -> Comparison:
    """Set the costs of one network at several alphas side by side.

    Args:
        model: a name that :func:`~paddle_oct.create_model` knows, of a network with an alpha; or a
            function that makes a network or a layer from its alpha.
        alphas: in [0, 1]. Alpha 0, to which the ratios refer, comes first in any case.
        input_size, training, repeats: as in :func:`compare`.
        **options: other options of the network, if it is given by name.

    Raises:
        TypeError, ValueError: as :func:`compare`; or an alpha is out of range.

    Examples:
        >>> from paddle_oct import OctaveConv
        >>> from paddle_oct.bench import sweep
        >>> def layer(alpha):
        ...     return OctaveConv(64, 64, 3, alpha, alpha, padding=1)
        >>> result = sweep(layer, [0, 0.25, 0.5], input_size=(1, 64, 56, 56))
        >>> [(row["macs_ratio"], row["features_ratio"]) for row in result.rows()]
        [(1.0, 1.0), (0.671875, 0.8125), (0.4375, 0.625)]
    """
    values = [check_alpha(alpha, f"sweep: alphas[{i}]") for i, alpha in enumerate(alphas)]
    values = [0.0, *(alpha for alpha in dict.fromkeys(values) if alpha)]
    sizes = check_sizes(input_size)
    if isinstance(model, str):
        networks = [create_model(model, alpha=alpha, **options) for alpha in values]
        label = model
    elif callable(model) and not isinstance(model, nn.Layer):
        networks = [model(alpha) for alpha in values]
        label = type(networks[0]).__name__
    else:
        raise TypeError("sweep: model must be a name, or a function that makes one from its alpha")
    names = [f"{label}@{alpha:g}" for alpha in values]
    return _compare(networks, names, sizes, training, repeats, tuple(values))


def _compare(
    networks: Sequence[nn.Layer],
    names: Sequence[str],
    sizes: list[list[int]],
    training: bool,
    repeats: int,
    alphas: tuple[float, ...] | None,
) -> Comparison:
    profiles = [
        profile(network, sizes, name=name, training=training)
        for network, name in zip(networks, names)
    ]
    if repeats:
        contenders = [(network, make_inputs(network, sizes, "float32")) for network in networks]
        times = measure_latency(contenders, repeats)
        profiles = [dataclasses.replace(p, latency=t) for p, t in zip(profiles, times)]
    return Comparison(tuple(profiles), alphas)


def _label(model: str | nn.Layer) -> str:
    return model if isinstance(model, str) else type(model).__name__


def model_by_name(text: str, **options: Any) -> nn.Layer:
    """Build a network from its name, which may be followed by its alpha.

    Args:
        text: ``"resnet50"``, ``"oct_resnet50@0.25"``, or one alpha per stage:
            ``"oct_resnet50@.5,.25,.125"``.
        **options: other options of :func:`~paddle_oct.create_model`.

    Raises:
        TypeError, ValueError: as ``create_model``; or what follows the ``@`` is no list of numbers.
    """
    name, at, alpha = text.partition("@")
    if not at:
        return create_model(name, **options)
    try:
        alphas = comma_separated(alpha, float)
    except ValueError:
        raise ValueError(
            f"{text!r}: after the @ comes alpha, such as {name}@0.5, or one per stage"
        ) from None
    return create_model(name, **{**options, "alpha": alphas if len(alphas) > 1 else alphas[0]})
