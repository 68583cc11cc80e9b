"""The multiply-accumulates of Paddle's operators, from the shapes that go in and come out.

The functions are given what the operator of ``paddle._C_ops`` with their name is given, then its
output.
"""

from __future__ import annotations

from math import prod
from typing import Any, Sequence

from paddle import Tensor


def _convolution(args: Sequence[Any], output: Tensor) -> int:
    return prod(output.shape) * prod(args[1].shape[1:])  # [out, in / groups, *kernel]


def _transposed_convolution(args: Sequence[Any], _: Tensor) -> int:
    return prod(args[0].shape) * prod(args[1].shape[1:])  # [in, out / groups, *kernel]


def _deformable_convolution(args: Sequence[Any], output: Tensor) -> int:
    return prod(output.shape) * prod(args[2].shape[1:])


def _linear(args: Sequence[Any], output: Tensor) -> int:
    return prod(output.shape) * args[1].shape[0]


def _matmul(args: Sequence[Any], output: Tensor) -> int:
    shape = args[0].shape
    transposed = len(args) > 2 and args[2] is True and len(shape) > 1
    return prod(output.shape) * shape[-2 if transposed else -1]


def _addmm(args: Sequence[Any], output: Tensor) -> int:
    return prod(output.shape) * args[1].shape[-1]


def _recurrent(args: Sequence[Any], _: Tensor) -> int:
    steps, batch = args[0].shape[:2]
    return steps * batch * sum(prod(w.shape) for w in args[2] if len(w.shape) == 2)


MACS = {
    "conv2d": _convolution,
    "conv3d": _convolution,
    "depthwise_conv2d": _convolution,
    "depthwise_conv2d_bias": _convolution,
    "depthwise_conv3d_bias": _convolution,
    "conv2d_transpose": _transposed_convolution,
    "conv2d_transpose_bias": _transposed_convolution,
    "conv3d_transpose": _transposed_convolution,
    "depthwise_conv2d_transpose": _transposed_convolution,
    "deformable_conv": _deformable_convolution,
    "linear": _linear,
    "linear_v2": _linear,
    "matmul": _matmul,
    "__matmul__": _matmul,
    "bmm": _matmul,
    "mv": _matmul,
    "addmm": _addmm,
    "baddbmm": _addmm,
    "rnn": _recurrent,
}

# The names of the operators' first arguments, for those that people call by name.
_NAMES = {
    "matmul": (("x", "input"), ("y", "other"), ("transpose_x",), ("transpose_y",)),
    "bmm": (("x", "input"), ("y", "mat2")),
    "mv": (("x", "input"), ("vec",)),
    "addmm": (("input",), ("x", "mat1"), ("y", "mat2")),
    "baddbmm": (("input",), ("x", "batch1"), ("y", "batch2")),
}


def by_position(name: str, args: Sequence[Any], named: dict[str, Any]) -> list[Any]:
    """Return an operator's first arguments in their order, whether given by name or not."""
    missing = _NAMES.get(name, ())[len(args) :] if named else ()
    return [*args, *(next((named[n] for n in names if n in named), None) for names in missing)]


# Where an operator keeps its dilation; the others have it in front of their groups.
_DILATION = {"conv2d": 5, "conv3d": 6, "depthwise_conv2d": 6}


def check_kernel_fits(name: str, args: Sequence[Any]) -> None:
    """Refuse a convolution whose kernel is larger than its padded input.

    Paddle 3.3.1 on the CPU computes an output of negative size then, and hangs or crashes.

    Raises:
        ValueError: the kernel is larger.
    """
    if name not in _DILATION or len(args) < 8:
        return
    shape, kernel = list(args[0].shape), list(args[1].shape[2:])
    padding, algorithm, dilation, data_format = args[3], args[4], args[_DILATION[name]], args[7]
    if algorithm == "SAME" or len(shape) != len(kernel) + 2:
        return
    size = shape[1:-1] if data_format in ("NHWC", "NDHWC") else shape[2:]
    spatial = len(kernel)
    sides = [padding] * spatial if isinstance(padding, int) else list(padding)
    if algorithm == "VALID":
        sides = [0] * spatial
    total = [2 * p for p in sides]
    if len(sides) == 2 * spatial:
        total = [sides[2 * i] + sides[2 * i + 1] for i in range(spatial)]
    dilation = [dilation] * spatial if isinstance(dilation, int) else dilation
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    if any(s + p < r for s, p, r in zip(size, total, reach)):
        raise ValueError(
            f"a kernel that reaches over {reach} does not fit into an input of {size} "
            f"with {total} of padding"
        )
