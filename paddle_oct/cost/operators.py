"""The multiply-accumulates of Paddle's operators, from the shapes that go in and come out.

A function of the table is called with the arguments of the operator of ``paddle._C_ops`` that has
its name, and with what that returned.
"""

from __future__ import annotations

from math import prod
from typing import Any, Callable, Mapping, Sequence, Union

from paddle import Tensor, nn

#: The name of an operator, or a class of layers.
Operator = Union[str, "type[nn.Layer]"]

#: Returns the multiply-accumulates of a call, from its arguments and from what it returned.
Count = Callable[[Sequence[Any], Any], int]


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


def _dot(args: Sequence[Any], _: Tensor) -> int:
    return prod(args[0].shape)


def _einsum(args: Sequence[Any], _: Any) -> int:
    """Count the terms of the sum, if two operands are multiplied."""
    operands, equation = args[:2]
    if len(operands) != 2:
        return 0
    sizes: dict[str, int] = {}
    for labels, operand in zip(equation.split("->")[0].split(","), operands):
        before, dots, after = labels.strip().partition("...")
        shape = list(operand.shape)
        # The dimensions of an ellipsis are aligned at the right, as in broadcasting.
        hidden = len(shape) - len(before) - len(after) if dots else 0
        names = [*before, *(f"...{-place}" for place in range(-hidden, 0)), *after]
        for name, size in zip(names, shape):
            sizes[name] = max(size, sizes.get(name, 1))
    return prod(sizes.values())


_TABLE: dict[Operator, Count] = {
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
    "dot": _dot,
    "addmm": _addmm,
    "baddbmm": _addmm,
    "rnn": _recurrent,
    "einsum": _einsum,
}


def register_operator(operator: Operator, count: Count) -> None:
    """Set how many multiply-accumulates an operator needs, for all profiles from now on.

    Args:
        operator: its name, as ``Profile.uncounted`` shows it: that of the function in
            ``paddle._C_ops`` without a final underscore, or that of a custom operator in C++. Or a
            class of layers: the formula then counts everything in such a layer, which makes one
            row. A new formula replaces the earlier one.
        count: the formula, which returns the number; 0 for an operator that multiplies nothing.
            For an operator it is called with a list of the operator's arguments in their order
            (those given by name last) and with what it returned (a list if it is a custom
            operator). For a layer it is called with a tuple of the layer and the arguments of its
            ``forward``, and with what that returned.

    Raises:
        TypeError: ``operator`` is neither a name nor a class of layers, or ``count`` can't be
            called.

    Examples:
        >>> import paddle
        >>> from paddle_oct.cost import profile, register_operator
        >>> class Kronecker(paddle.nn.Layer):
        ...     def forward(self, x):
        ...         return paddle.kron(x, x)
        >>> profile(Kronecker(), (4, 8)).uncounted
        {'kron': 1}
        >>> register_operator("kron", lambda args, output: output.size)
        >>> profile(Kronecker(), (4, 8)).macs
        1024
    """
    _TABLE.update(_checked({operator: count}))


def table_with(operators: Mapping[Operator, Count]) -> dict[Operator, Count]:
    """Return the table of formulas with further ones, which replace those of the same operators.

    Raises:
        TypeError: as :func:`register_operator`.
    """
    return {**_TABLE, **_checked(operators)}


def _checked(operators: Mapping[Operator, Count]) -> Mapping[Operator, Count]:
    for operator, count in operators.items():
        is_layer = isinstance(operator, type) and issubclass(operator, nn.Layer)
        if not isinstance(operator, str) and not is_layer:
            raise TypeError(f"expected an operator's name or a kind of layer, got {operator!r}")
        if not callable(count):
            raise TypeError(f"expected a function that counts {operator!r}, got {count!r}")
    return operators


# The names of the operators' first arguments, for those that people call by name.
_NAMES = {
    "matmul": (("x", "input"), ("y", "other"), ("transpose_x",), ("transpose_y",)),
    "bmm": (("x", "input"), ("y", "mat2")),
    "mv": (("x", "input"), ("vec",)),
    "addmm": (("input",), ("x", "mat1"), ("y", "mat2")),
    "baddbmm": (("input",), ("x", "batch1"), ("y", "batch2")),
}


def by_position(name: str, args: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
    """Return an operator's arguments in their order, whether given by name or not.

    If the order is not known, those given by name come last.
    """
    if name not in _NAMES:
        return [*args, *named.values()]
    missing = _NAMES[name][len(args) :] if named else ()
    return [*args, *(next((named[n] for n in names if n in named), None) for names in missing)]


# The position of the dilation among the arguments: it differs between the operators.
_DILATION = {"conv2d": 5, "conv3d": 6, "depthwise_conv2d": 6}


def check_kernel_fits(name: str, args: Sequence[Any]) -> None:
    """Refuse a convolution whose kernel is larger than its padded input.

    Paddle 3.3.1 on the CPU would compute an output of negative size, and hang or crash.

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
