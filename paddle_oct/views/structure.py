"""What a network is made of: the tree of its layers, and its graph for VisualDL."""

from __future__ import annotations

import contextlib
import copy
import io
from pathlib import Path
from typing import Any, Iterator, Sequence

import paddle
from paddle import nn
from paddle.static import InputSpec

from paddle_oct.base.errors import first_line
from paddle_oct.base.private import old_ir

from .hooks import evaluation_run


def module_tree(
    network: nn.Layer, input_size: Sequence[int] | None = None, depth: int | None = None
) -> str:
    """Draw the tree of a network's layers.

    Args:
        network: any network.
        input_size: the shape of its input with the batch, such as ``(1, 3, 224, 224)``. With it the
            network is run once, and the shape that each layer returns is shown, without the batch;
            a ``+`` joins the high and the low band, a comma the runs of a layer that runs again.
        depth: how many levels are shown; all by default.

    Returns:
        A line per layer: its name and class, its parameters as ``paddle.summary`` counts
        them (those of its sub-layers included), and its output.

    Raises:
        ValueError: ``depth`` is negative.

    Examples:
        >>> import paddle
        >>> from paddle_oct import Conv_BN_ACT
        >>> from paddle_oct.views import module_tree
        >>> print(module_tree(Conv_BN_ACT(8, 8, 3, 0, 0.5, padding=1), (1, 8, 16, 16)))
        layer                   parameters  output
        Conv_BN_ACT                    608  4x16x16 + 4x8x8
        ├─ conv: OctaveConv            576  4x16x16 + 4x8x8
        │  ├─ conv_h2h: Conv2D         288  4x16x16
        │  └─ conv_h2l: Conv2D         288  4x8x8
        ├─ bn_h: BatchNorm2D            16  4x16x16
        ├─ bn_l: BatchNorm2D            16  4x8x8
        └─ act: ReLU                     0  4x16x16, 4x8x8
    """
    if depth is not None and depth < 0:
        raise ValueError(f"module_tree: depth must not be negative, got {depth}")
    outputs = {} if input_size is None else _record_outputs(network, input_size)
    rows = [("layer", "parameters", "output" if outputs else "")]
    for label, layer in _walk(network, type(network).__name__, "", "", depth):
        parameters = sum(int(p.size) for p in layer.parameters())
        rows.append((label, f"{parameters:,}", outputs.get(id(layer), "")))
    names, counts = (max(len(row[i]) for row in rows) for i in (0, 1))
    return "\n".join(
        f"{name:<{names}}  {count:>{counts}}  {output}".rstrip() for name, count, output in rows
    )


def _walk(
    layer: nn.Layer, label: str, own: str, indent: str, depth: int | None
) -> Iterator[tuple[str, nn.Layer]]:
    yield own + label, layer
    if depth == 0:
        return
    children = [(name, child) for name, child in layer.named_children() if child is not None]
    for number, (name, child) in enumerate(children, start=1):
        last = number == len(children)
        yield from _walk(
            child,
            f"{name}: {type(child).__name__}",
            indent + ("└─ " if last else "├─ "),
            indent + ("   " if last else "│  "),
            None if depth is None else depth - 1,
        )


def _record_outputs(network: nn.Layer, input_size: Sequence[int]) -> dict[int, str]:
    outputs: dict[int, list[str]] = {}

    def record(layer: nn.Layer, _: Any, output: Any) -> None:
        outputs.setdefault(id(layer), []).append(_shape(output))

    evaluation_run(network, paddle.zeros(list(input_size)), record)
    return {layer: ", ".join(shapes) for layer, shapes in outputs.items()}


def _shape(output: Any) -> str:
    bands = output if isinstance(output, (tuple, list)) else (output,)
    shapes = [band.shape[1:] for band in bands if hasattr(band, "shape")]
    return " + ".join("x".join(map(str, shape)) for shape in shapes)


def add_graph(writer: Any, network: nn.Layer, input_size: Sequence[int]) -> None:
    """Add the graph of a network to a VisualDL record.

    Args:
        writer: a ``visualdl.LogWriter``.
        network: any network that takes one Tensor; it is left unchanged.
        input_size: the shape of that Tensor without the batch, ``(C, H, W)``.

    Raises:
        ValueError: the network can't be traced, or does not fit the input.
    """
    # VisualDL reads the program format that Paddle wrote before version 3.
    try:
        with old_ir():
            paddle.disable_static()
            traced = copy.deepcopy(network)
            traced.eval()
            with contextlib.redirect_stdout(io.StringIO()):  # VisualDL prints failures, too
                writer.add_graph(traced, [InputSpec([None, *input_size], "float32", "image")])
    except Exception as error:  # tracing a network may raise anything
        raise ValueError(
            "the graph of the network could not be drawn: "
            f"{type(network).__name__}: {first_line(error)}"
        ) from error
    finally:
        paddle.disable_static()


def write_graph(network: nn.Layer, input_size: Sequence[int], logdir: str | Path) -> Path:
    """Write the graph of a network into a new VisualDL record.

    In a notebook, or on the command line, ``visualdl --logdir LOGDIR`` then shows it under
    "Graphs - Dynamic".

    Args:
        network: any network that takes one Tensor.
        input_size: the shape of that Tensor without the batch, ``(C, H, W)``.
        logdir: the folder of the record; it is made if it does not exist.

    Returns:
        The graph's file.

    Raises:
        ValueError: the network can't be traced or does not fit the input, or the folder can't be
            written.
    """
    from visualdl import LogWriter

    logdir = Path(logdir)
    try:
        logdir.mkdir(parents=True, exist_ok=True)
        before = set(logdir.glob("*vdlgraph*"))
        writer = LogWriter(str(logdir))
    except OSError as error:
        raise ValueError(f"{logdir}: a record can't be written here ({error})") from error
    with writer:
        add_graph(writer, network, input_size)
    (graph,) = set(logdir.glob("*vdlgraph*")) - before
    return graph
