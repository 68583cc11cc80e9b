"""Initialising the four convolutions as blocks of one draw of the whole kernel (paper, Fig. 2b)."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

import numpy as np
from paddle import nn
from paddle.nn.initializer import KaimingNormal
from paddle.nn.initializer.initializer import Initializer

from paddle_oct.base.private import eager_mode

from .arguments import FromArray, Scaled, as_array, derive_attr
from .plan import OctavePlan, PathPlan


class PathAttributes(NamedTuple):
    """``weight_attr`` and ``bias_attr`` of the convolution of one path."""

    weight: Any
    bias: Any


def path_attributes(
    plan: OctavePlan, weight_attr: Any, bias_attr: Any, conv_layer: Callable[..., nn.Layer]
) -> dict[str, PathAttributes]:
    """Split the attributes of one ordinary convolution into those of the paths.

    Args:
        plan: of the octave convolution.
        weight_attr, bias_attr, conv_layer: as in :class:`~paddle_oct.OctaveConv`.

    Returns:
        The attributes of every path of the plan by its name. The bias of an output band belongs to
        the path from the same band, or to the only path that leads into it.

    Raises:
        TypeError, ValueError: an attribute is nothing that ``paddle.nn.Conv2D`` takes, or its
            initialiser holds an array of another shape.
    """
    if len(plan.paths) == 1:
        return {plan.paths[0].name: PathAttributes(weight_attr, bias_attr)}
    kernel, bias = _draw_whole(plan, weight_attr, bias_attr, conv_layer)
    initializer = _initializer_of(weight_attr)
    attributes = {}
    for path in plan.paths:
        if conv_layer is nn.Conv2D:
            block: Initializer = FromArray(block_of_kernel(plan, path, kernel))
        else:
            share = path.in_channels / plan.arguments.in_channels
            block = Scaled(initializer, share**0.5)
        weight = derive_attr(
            weight_attr, "OctaveConv: weight_attr", suffix=path.name, initializer=block
        )
        bias_of_path: Any = False
        if bias is not None and _holds_bias(plan, path):
            bias_of_path = derive_attr(
                bias_attr,
                "OctaveConv: bias_attr",
                suffix="hl"[path.target],
                initializer=FromArray(bias[_rows(plan, path)]),
            )
        attributes[path.name] = PathAttributes(weight, bias_of_path)
    return attributes


def block_of_kernel(plan: OctavePlan, path: PathPlan, kernel: np.ndarray) -> np.ndarray:
    """Cut one path's block out of a whole kernel, high channels first (paper, Fig. 2b).

    Args:
        plan: of the octave convolution.
        path: one of its paths.
        kernel: ``[out_channels, in_channels / groups, height, width]``.
    """
    rows = kernel[_rows(plan, path)]
    if plan.arguments.is_depthwise:
        return rows
    high = plan.in_bands[0] // plan.arguments.groups
    return rows[:, :high] if path.source == 0 else rows[:, high:]


def _rows(plan: OctavePlan, path: PathPlan) -> slice:
    high = plan.out_bands[0]
    return slice(0, high) if path.target == 0 else slice(high, None)


def _holds_bias(plan: OctavePlan, path: PathPlan) -> bool:
    into_band = [other for other in plan.paths if other.target == path.target]
    return path.source == path.target or len(into_band) == 1


def _initializer_of(weight_attr: Any) -> Initializer:
    attr = derive_attr(weight_attr, "OctaveConv: weight_attr")
    return getattr(attr, "initializer", None) or KaimingNormal()


def _draw_whole(
    plan: OctavePlan, weight_attr: Any, bias_attr: Any, conv_layer: Callable[..., nn.Layer]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Make the ordinary convolution once, and return its kernel and its bias."""
    wanted = plan.arguments
    attr = derive_attr(weight_attr, "OctaveConv: weight_attr")
    with eager_mode():
        whole = nn.Conv2D(
            wanted.in_channels,
            wanted.out_channels,
            list(wanted.kernel_size),
            groups=wanted.groups,
            weight_attr=attr if conv_layer is nn.Conv2D else None,  # others don't use this kernel
            bias_attr=derive_attr(bias_attr, "OctaveConv: bias_attr"),
        )
        kernel = as_array(whole.weight)
        bias = None if whole.bias is None else as_array(whole.bias)
    expected = (wanted.out_channels, wanted.in_channels // wanted.groups, *wanted.kernel_size)
    if kernel.shape != expected:  # Assign gives the parameter whatever shape it holds
        raise ValueError(
            f"OctaveConv: the initialiser of weight_attr holds {list(kernel.shape)}, the "
            f"whole kernel is {list(expected)}"
        )
    return kernel, bias
