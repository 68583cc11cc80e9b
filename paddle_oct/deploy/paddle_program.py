"""Tidying programs in Paddle's older format, so that Paddle Inference fuses more of them.

Paddle 3.3 writes programs, of any network, in which its own passes for oneDNN no longer find their
patterns. Each function is one step and changes a block in place; :func:`tidy_program` takes all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .engines.program_file import read_program_file


def tidy_program(path: Path) -> None:
    """Tidy a ``.pdmodel`` file in place; it computes the same."""
    program = read_program_file(path)
    block = program.block(0)
    double_then_cut(block)
    biases_along_channels(block)
    shortcuts_first_in_sums(block)
    path.write_bytes(program.serialize_to_string())


def _ops(block: Any) -> list[Any]:
    return [block.op(i) for i in range(block.op_size())]


def _makers(ops: list[Any]) -> dict[str, Any]:
    return {name: op for op in ops for name in op.output_arg_names()}


def _reads(ops: list[Any]) -> dict[str, int]:
    reads: dict[str, int] = {}
    for op in ops:
        for name in op.input_arg_names():
            reads[name] = reads.get(name, 0) + 1
    return reads


def double_then_cut(block: Any) -> None:
    """Up-sample to an odd size ``2 n - 1`` by doubling and cutting off the last row or column.

    oneDNN takes the nearest neighbour of a pixel's centre: another pixel, unless the size doubles.
    """
    for i in reversed(range(block.op_size())):
        op = block.op(i)
        if op.type() != "nearest_interp_v2" or op.input("SizeTensor") or op.input("OutSize"):
            continue
        (small,), (result,) = op.input("X"), op.output("Out")
        shape = list(block.find_var(small.encode()).shape())
        doubled = [2 * n for n in shape[2:]]
        wanted = [op.attr("out_h"), op.attr("out_w")]
        if wanted == doubled or not all(n in (m, m - 1) for n, m in zip(wanted, doubled)):
            continue
        whole = block.var(f"{result}.doubled".encode())
        whole.set_dtype(block.find_var(result.encode()).dtype())
        whole.set_shape([*shape[:2], *doubled])
        op.set_output("Out", [whole.name()])
        op._set_attr("out_h", doubled[0])
        op._set_attr("out_w", doubled[1])
        cut = block._insert_op(i + 1)
        cut.set_type("slice")
        cut.set_input("Input", [whole.name()])
        cut.set_output("Out", [result])
        for name, value in (("axes", [2, 3]), ("starts", [0, 0]), ("ends", wanted)):
            cut._set_attr(name, value)
        cut._set_attr("infer_flags", [1, 1])
        cut._set_attr("decrease_axis", [])


def biases_along_channels(block: Any) -> None:
    """Add a bias ``[C]`` along axis 1, in place of one that is reshaped to ``[1, C, 1, 1]`` first.

    Only then does Paddle Inference fuse it, and the activation after it, with the convolution.
    """
    ops = _ops(block)
    makers, reads = _makers(ops), _reads(ops)
    unused = set()
    for op in ops:
        reshape = makers.get(op.input("Y")[0]) if op.type() == "elementwise_add" else None
        if reshape is None or reshape.type() != "reshape2":
            continue
        (bias,), (reshaped,) = reshape.input("X"), reshape.output("Out")
        shape = block.find_var(bias.encode())
        wide = list(block.find_var(reshaped.encode()).shape())
        along_channels = len(wide) == 4 and wide[0] == wide[2] == wide[3] == 1
        if shape.persistable() and len(shape.shape()) == 1 and along_channels:
            op.set_input("Y", [bias])
            op._set_attr("axis", 1)
            reads[reshaped] -= 1
            unused |= {reshaped} if not reads[reshaped] else set()
    for i in reversed(range(len(ops))):
        if ops[i].type() == "reshape2" and ops[i].output("Out")[0] in unused:
            block._remove_op(i, i + 1)


def shortcuts_first_in_sums(block: Any) -> None:
    """Make ``(conv + y) + shortcut`` into ``(conv + shortcut) + y``.

    oneDNN can add a convolution to a map while it computes it, but Paddle lets it do so only for a
    map that the convolution itself was computed from.
    """
    ops = _ops(block)
    makers, reads = _makers(ops), _reads(ops)
    ancestors: dict[str, frozenset[str]] = {}
    for op in ops:
        before = frozenset().union(
            *({name} | ancestors.get(name, frozenset()) for name in op.input_arg_names())
        )
        ancestors.update(dict.fromkeys(op.output_arg_names(), before))

    def is_lone_conv(name: str) -> bool:
        op = makers.get(name)
        if op is not None and op.type() == "elementwise_add" and op.attr("axis") == 1:
            op = makers.get(op.input("X")[0])
        return op is not None and op.type() == "conv2d" and reads[name] == 1

    def is_sum(op: Any) -> bool:
        return op.type() == "elementwise_add" and op.attr("axis") == -1

    for outer in filter(is_sum, ops):
        total, shortcut = outer.input("X")[0], outer.input("Y")[0]
        inner = makers.get(total)
        if inner is None or not is_sum(inner) or reads[total] != 1:
            continue
        for conv, other in (("X", "Y"), ("Y", "X")):
            (conv_name,), (other_name,) = inner.input(conv), inner.input(other)
            if is_lone_conv(conv_name) and shortcut in ancestors[conv_name]:
                inner.set_input(other, [shortcut])
                outer.set_input("Y", [other_name])
                break
