"""Kernels of a convolution for small maps on a CPU.

Paddle computes one matrix product of the kernel and the unfolded map per sample, or per sample and
channel if the convolution is depthwise. For small maps so many small products are slow.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Protocol

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn
from paddle.autograd import PyLayer

from paddle_oct.base.private import ConvSettings, conv2d_gradients, conv_settings, is_hooked

from .resampling import DTYPES, spread_over_means


class Case(NamedTuple):
    """What decides which kernel is fastest.

    Attributes:
        settings: of the convolution.
        batch, height, width: of the map that it is given, after halving.
        gradient: whether there will be a backward pass.
    """

    settings: ConvSettings
    batch: int
    height: int
    width: int
    gradient: bool

    @property
    def pixels(self) -> int:
        """How many pixels a map has."""
        return self.height * self.width

    @property
    def reach(self) -> int:
        """How far the kernel reaches beyond its middle: 0 for a 1x1, 1 for a 3x3."""
        return self.settings.kernel_size[0] // 2

    @property
    def is_dense(self) -> bool:
        """Whether every output channel reads every input channel."""
        return self.settings.groups == 1

    @property
    def kernel_is_larger(self) -> bool:
        """Whether channels in x channels out is at least twice what one sample's maps hold."""
        channels, outputs = self.settings.in_channels, self.settings.out_channels
        return channels * outputs >= 2 * (channels + outputs) * self.pixels


class ConvKernel(Protocol):
    """A kernel of a convolution: what it computes, and its gradients."""

    def run(self, x: Tensor, weight: Tensor, case: Case) -> Tensor:
        """Return the convolution of ``x``, without a bias."""
        ...

    def gradients(
        self, x: Tensor, weight: Tensor, gradient: Tensor, case: Case
    ) -> tuple[Tensor, Tensor]:
        """Return the gradients for ``x`` and for ``weight``."""
        ...


class Plain:
    """Paddle's own convolution."""

    def run(self, x: Tensor, weight: Tensor, case: Case) -> Tensor:
        """See :class:`ConvKernel`."""
        s = case.settings
        return F.conv2d(x, weight, None, s.stride, s.padding, s.dilation, s.groups)

    def gradients(
        self, x: Tensor, weight: Tensor, gradient: Tensor, case: Case
    ) -> tuple[Tensor, Tensor]:
        """See :class:`ConvKernel`."""
        return conv2d_gradients(x, weight, gradient, case.settings)


class OneImage(Plain):
    """All samples as one image, so that the kernel is read once and not once per sample.

    The samples are put one below the other, for a 3x3 with a row of zeros between them.
    """

    def run(self, x: Tensor, weight: Tensor, case: Case) -> Tensor:
        """See :class:`ConvKernel`."""
        batch, height, width, gap = case.batch, case.height, case.width, case.reach
        if gap:
            x = F.pad(x, [0, 0, 0, gap])
        image = x.transpose([1, 0, 2, 3]).reshape([1, -1, batch * (height + gap), width])
        y = F.conv2d(image, weight, None, padding=gap)
        y = y.reshape([-1, batch, height + gap, width]).transpose([1, 0, 2, 3])
        return (y[:, :, :height] if gap else y).contiguous()  # once here, or every reader would

    def gradients(
        self, x: Tensor, weight: Tensor, gradient: Tensor, case: Case
    ) -> tuple[Tensor, Tensor]:
        """See :class:`ConvKernel`; for a 1x1 convolution only."""
        columns, gradient_columns = _columns_of_all(x), _columns_of_all(gradient)
        matrix = weight.reshape([weight.shape[0], -1])
        for_x = paddle.matmul(matrix, gradient_columns, transpose_x=True)
        for_x = for_x.reshape([-1, case.batch, case.height, case.width]).transpose([1, 0, 2, 3])
        for_weight = paddle.matmul(gradient_columns, columns, transpose_y=True)
        return for_x.contiguous(), for_weight.reshape(weight.shape)


def _columns_of_all(x: Tensor) -> Tensor:
    """Return ``[N, C, H, W]`` as one matrix ``[C, N H W]``."""
    return x.transpose([1, 0, 2, 3]).reshape([x.shape[1], -1])


class UnfoldedBatch(Plain):
    """All samples of a 3x3 unfolded at once, then multiplied; without a gradient."""

    def run(self, x: Tensor, weight: Tensor, case: Case) -> Tensor:
        """See :class:`ConvKernel`."""
        columns = F.unfold(x, case.settings.kernel_size[0], paddings=case.reach)
        y = paddle.matmul(weight.reshape([weight.shape[0], -1]), columns)
        return y.reshape([case.batch, -1, case.height, case.width])


class RowPerPixel(Plain):
    """A single image by one product with a row per pixel; without a gradient.

    With a row per channel, as in Paddle, the product would have few columns and be slower.
    """

    def run(self, x: Tensor, weight: Tensor, case: Case) -> Tensor:
        """See :class:`ConvKernel`."""
        size = case.settings.kernel_size[0]
        columns = F.unfold(x, size, paddings=case.reach) if case.reach else x
        y = paddle.matmul(
            columns.reshape([-1, case.pixels]),
            weight.reshape([weight.shape[0], -1]),
            transpose_x=True,
            transpose_y=True,
        )
        return y.t().contiguous().reshape([1, -1, case.height, case.width])


class ChannelsAtOnce(Plain):
    """A depthwise 3x3 by one batched product in place of a product per sample and channel."""

    def run(self, x: Tensor, weight: Tensor, case: Case) -> Tensor:
        """See :class:`ConvKernel`."""
        y = paddle.matmul(self._kernels(weight, x), self._unfold(x, case))
        return y.reshape([case.batch, -1, case.height, case.width])

    def gradients(
        self, x: Tensor, weight: Tensor, gradient: Tensor, case: Case
    ) -> tuple[Tensor, Tensor]:
        """See :class:`ConvKernel`."""
        kernels = self._kernels(weight, x)
        gradient_rows = gradient.reshape([case.batch, x.shape[1], -1, case.pixels])
        for_columns = paddle.matmul(kernels, gradient_rows, transpose_x=True)
        for_x = F.fold(
            for_columns.reshape([case.batch, -1, case.pixels]),
            [case.height, case.width],
            case.settings.kernel_size[0],
            paddings=case.reach,
        )
        for_weight = paddle.matmul(gradient_rows, self._unfold(x, case), transpose_y=True).sum(0)
        return for_x, for_weight.reshape(weight.shape)

    @staticmethod
    def _kernels(weight: Tensor, x: Tensor) -> Tensor:
        return weight.reshape([1, x.shape[1], -1, weight.shape[2] * weight.shape[3]])

    @staticmethod
    def _unfold(x: Tensor, case: Case) -> Tensor:
        size = case.settings.kernel_size[0]
        columns = F.unfold(x, size, paddings=case.reach)
        return columns.reshape([case.batch, x.shape[1], size * size, case.pixels])


class _Recomputing(PyLayer):
    """A convolution of a map, or of its half, whose backward pass recomputes the halved and the
    unfolded map.

    Keeping the map itself costs nothing, as other layers keep it too; keeping what is computed from
    it would.

    Map and kernel are one argument, a list: given as two, ``paddle.grad`` for one of them refuses
    the gradient that is returned for the other. The first element of a list must need a gradient,
    or none of them gets one.
    """

    @staticmethod
    def forward(
        ctx: Any, inputs: list[Tensor], map_first: bool, kernel: ConvKernel, case: Case, halve: Any
    ) -> Tensor:
        ctx.save_for_backward(*inputs)
        ctx.map_first, ctx.kernel, ctx.case, ctx.halve = map_first, kernel, case, halve
        ctx.wanted = [not tensor.stop_gradient for tensor in inputs]
        x, weight = inputs if map_first else reversed(inputs)
        return kernel.run(x if halve is None else halve(x), weight, case)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        inputs = ctx.saved_tensor()
        x, weight = inputs if ctx.map_first else reversed(inputs)
        halved = x if ctx.halve is None else ctx.halve(x)
        for_x, for_weight = ctx.kernel.gradients(halved, weight, gradient, ctx.case)
        if ctx.halve is not None:
            for_x = spread_over_means(for_x, x.shape[2:])
        found = [for_x, for_weight] if ctx.map_first else [for_weight, for_x]
        return [grad if wanted else None for grad, wanted in zip(found, ctx.wanted)]


def run_kernel(
    conv: nn.Conv2D, x: Tensor, kernel: ConvKernel, case: Case, halve: Callable | None
) -> Tensor:
    """Convolve a map by a kernel, with the layer's bias; first halve it if ``halve`` is given."""
    weight, bias = conv.weight, conv.bias
    if case.gradient:
        map_first = weight.stop_gradient
        inputs = [x, weight] if map_first else [weight, x]
        y = _Recomputing.apply(inputs, map_first, kernel, case, halve)
    else:
        y = kernel.run(x if halve is None else halve(x), weight, case)
    return y if bias is None else y + bias.reshape([1, -1, 1, 1])


def case_of(conv: nn.Layer, x: Tensor, halved: bool) -> Case | None:
    """Return what decides the kernel; None if the layer itself must run.

    That is so if its class is not exactly ``paddle.nn.Conv2D``, if it has a forward hook (a kernel
    would not call it), or if the map is empty or has not the precision and the device that the
    kernels are for.
    """
    if type(conv) is not nn.Conv2D or is_hooked(conv):
        return None
    if x.dtype not in DTYPES or not x.place.is_cpu_place():
        return None
    batch, _, height, width = x.shape
    if halved:
        height, width = (height + 1) // 2, (width + 1) // 2
    if not batch * height * width:
        return None
    return Case(conv_settings(conv), batch, height, width, paddle.is_grad_enabled())


def has_plain_padding(case: Case) -> bool:
    """Whether the padding consists of zeros and is given as integers."""
    padding = case.settings.padding
    if isinstance(padding, (list, tuple)):
        return case.settings.padding_mode == "zeros" and all(type(p) is int for p in padding)
    return case.settings.padding_mode == "zeros" and type(padding) is int


def keeps_size(case: Case) -> bool:
    """Whether a convolution is 1x1 or 3x3 at stride 1 and its output has the size of its input."""
    s = case.settings
    return (
        s.kernel_size in ([1, 1], [3, 3])
        and s.padding in (case.reach, [case.reach, case.reach])
        and s.padding_mode == "zeros"
        and s.stride == s.dilation == [1, 1]
    )
