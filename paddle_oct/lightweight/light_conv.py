"""What the lightweight convolutions share: arguments, padding, and how weights are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, get_args

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from paddle_oct.base.names import unknown_name
from paddle_oct.base.private import eager_mode
from paddle_oct.nn.arguments import (
    FromArray,
    Size2,
    as_array,
    derive_attr,
    padding_sides,
    positive_int,
    size2,
)

if TYPE_CHECKING:
    from paddle.nn.initializer.initializer import Initializer

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


class ConvArguments(NamedTuple):
    """The arguments of ``paddle.nn.Conv2D`` that all lightweight convolutions take."""

    in_channels: int
    out_channels: int
    kernel_size: Size2
    stride: Size2
    padding: Any
    dilation: Size2
    padding_mode: PaddingMode


class LightConv2D(nn.Layer):
    """The base of lightweight convolutions: checks the arguments of ``nn.Conv2D`` and shows them.

    Raises:
        TypeError, ValueError: an argument is out of range.
    """

    def __init__(self, arguments: ConvArguments) -> None:
        super().__init__()
        name = type(self).__name__
        self.in_channels = positive_int(arguments.in_channels, f"{name}: in_channels")
        self.out_channels = positive_int(arguments.out_channels, f"{name}: out_channels")
        self.kernel_size = size2(arguments.kernel_size, f"{name}: kernel_size")
        self.stride = size2(arguments.stride, f"{name}: stride")
        self.dilation = size2(arguments.dilation, f"{name}: dilation")
        self.padding = arguments.padding
        self.padding_mode: PaddingMode = arguments.padding_mode
        if self.padding_mode not in get_args(PaddingMode):
            raise unknown_name(self.padding_mode, get_args(PaddingMode), f"padding_mode of {name}")

    def _part_attr(
        self, weight_attr: Any, suffix: str, initializer: Initializer | None = None
    ) -> Any:
        """Return ``weight_attr`` for a part of the weights; arguments as of :func:`derive_attr`."""
        name = f"{type(self).__name__}: weight_attr"
        return derive_attr(weight_attr, name, suffix=suffix, initializer=initializer)

    def _fail(self, message: str) -> NoReturn:
        raise ValueError(f"{type(self).__name__}({self.extra_repr()}): {message}")

    @paddle.jit.not_to_static
    def _check_input(self, x: Tensor) -> None:
        shape = list(x.shape)
        if len(shape) != 4 or shape[1] not in (-1, self.in_channels):
            self._fail(f"expected [N, {self.in_channels}, H, W], got {shape}")

    def _own_options(self) -> str:
        """Return what ``repr`` shows beside the arguments of every convolution."""
        return ""

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}{self._own_options()}"]
        parts.append(f"kernel_size={self.kernel_size}")
        if self.stride != [1, 1]:
            parts.append(f"stride={self.stride}")
        if self.padding != 0:
            parts.append(f"padding={self.padding!r}")
        if self.dilation != [1, 1]:
            parts.append(f"dilation={self.dilation}")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode!r}")
        return ", ".join(parts)


class MixedConv2D(LightConv2D):
    """The base of convolutions with k x k and 1x1 kernels over one map.

    The 1x1 kernels lie in the middle of the k x k ones.

    Raises:
        TypeError, ValueError: as :class:`LightConv2D`, or ``kernel_size`` is even, or the padding
            is not valid.
    """

    def __init__(self, arguments: ConvArguments) -> None:
        super().__init__(arguments)
        if any(size % 2 == 0 for size in self.kernel_size):
            self._fail("kernel_size must be odd: its 1x1 kernels lie in the middle")
        self._margins = [d * (k - 1) // 2 for k, d in zip(self.kernel_size, self.dilation)]
        same = [margin for margin in self._margins for _ in range(2)]
        sides = padding_sides(self.padding, f"{type(self).__name__}: padding")
        if sides is None:
            valid = self.padding.upper() == "VALID"
            if not valid and self.stride != [1, 1]:
                self._fail(
                    "with a stride, 'SAME' moves the middle with the size of the map; "
                    f"use padding={self._margins}"
                )
            sides = [0] * 4 if valid else same
        top, bottom, left, right = sides
        # The k x k convolution itself adds zeros around a map that keeps its size.
        self._pads_itself = sides == same and (self.padding_mode == "zeros" or not any(same))
        self._border = None if self._pads_itself or not any(sides) else [left, right, top, bottom]

    def _draw(self, weights: list[int], weight_attr: Any) -> list[np.ndarray]:
        """Draw all weights at once, so that the fan-in is that of a whole filter.

        Args:
            weights: for each part of the layer, how many weights of a filter it holds.
            weight_attr: how to initialise them.

        Returns:
            ``[out_channels, n]`` for each n of ``weights``.
        """
        with eager_mode():
            whole = nn.Conv2D(
                sum(weights),
                self.out_channels,
                1,
                weight_attr=self._part_attr(weight_attr, ""),
                bias_attr=False,
            )
            drawn = as_array(whole.weight)
            expected = [self.out_channels, sum(weights), 1, 1]
            if list(drawn.shape) != expected:  # Assign gives a parameter whatever shape it holds
                raise ValueError(
                    f"{type(self).__name__}: the initialiser of weight_attr holds "
                    f"{list(drawn.shape)}, the weights are {expected}"
                )
            drawn = drawn[:, :, 0, 0]
        return np.split(drawn, np.cumsum(weights)[:-1], axis=1)

    def _wide(
        self, channels: int, kernels: np.ndarray, groups: int, weight_attr: Any, bias_attr: Any
    ) -> nn.Conv2D:
        """Make a k x k convolution of the weights ``[filters, channels / groups * k^2]``."""
        kernels = kernels.reshape([len(kernels), channels // groups, *self.kernel_size])
        return nn.Conv2D(
            channels,
            len(kernels),
            self.kernel_size,
            stride=self.stride,
            padding=self._margins if self._pads_itself else 0,
            dilation=self.dilation,
            groups=groups,
            weight_attr=self._part_attr(weight_attr, "wide", FromArray(kernels)),
            bias_attr=bias_attr,
        )

    def _pad(self, x: Tensor) -> Tensor:
        if self._border is None:
            return x
        if self.padding_mode == "zeros":
            return F.pad(x, self._border)
        return F.pad(x, self._border, mode=self.padding_mode)

    def _middles(self, x: Tensor) -> Tensor:
        """Return the cells of a padded map that lie under the middles of the kernels."""
        if self._pads_itself:
            if self.stride == [1, 1]:
                return x
            return x[:, :, :: self.stride[0], :: self.stride[1]]
        rows, columns = (
            slice(margin, -margin if margin else None, stride)
            for margin, stride in zip(self._margins, self.stride)
        )
        return x[:, :, rows, columns]
