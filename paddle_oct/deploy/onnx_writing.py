"""Writing a network as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

import numpy as np
from paddle import nn

from paddle_oct.base.errors import first_line

from .captured import captured
from .engines.formats import INPUT_AXES, SEPARABLE
from .onnx_graph import Shape, tidy_graph
from .paddle_writing import save_program
from .probing import example, outputs, run

_OPSET = 13
_SAME = 1e-4  # largest difference of a sample in a batch and alone, relative to the largest value


def write_onnx(network: nn.Layer, prefix: Path, shape: Sequence[int], size: Sequence[int]) -> None:
    """Write ``prefix.onnx``, tidied for ONNX Runtime and OpenVINO.

    Args:
        network: a network in evaluation mode.
        prefix: the path of the file, without a suffix; other files are left beside it.
        shape: the shape of the input, -1 for an axis of any length.
        size: the shape of an example input.

    Raises:
        ValueError: the network can't be made a static program, or the program can't be converted.
    """
    import onnx
    from onnx.helper import set_model_props

    save_program(network, prefix, shape)
    model = _converted(network, prefix)
    any_batch, any_size = shape[0] < 0, shape[-1] < 0
    tidy_graph(model, None if any_size else _resize_shapes(model, size, any_batch))
    if any_batch:
        _name_axes(model, shape)
        if _is_separable(network, size):
            set_model_props(model, {SEPARABLE: "yes"})
    model.producer_name = "paddle_oct"
    onnx.checker.check_model(model)
    onnx.save(model, str(prefix.with_suffix(".onnx")))


def _converted(network: nn.Layer, prefix: Path) -> Any:
    """Return the ``onnx.ModelProto`` that paddle2onnx makes of a program."""
    import onnx
    import paddle2onnx

    raw = prefix.with_suffix(".raw.onnx")
    with captured() as said:
        try:
            # paddle2onnx's default optimisation installs packages from the internet.
            paddle2onnx.export(
                f"{prefix}.json",
                f"{prefix}.pdiparams",
                str(raw),
                opset_version=_OPSET,
                verbose=False,
                optimize_tool="None",
            )
        except OSError:  # no room
            raise
        except Exception as error:
            raise ValueError(
                f"{type(network).__name__} can't be exported to ONNX: "
                f"{first_line(error)} {said()}".strip()
            ) from error
    return onnx.load(str(raw))


def _name_axes(model: Any, shape: Sequence[int]) -> None:
    """Name the axes of any length, so that an engine can fix their lengths by these names."""
    dims = model.graph.input[0].type.tensor_type.shape.dim
    for dim, name, length in zip(dims, INPUT_AXES, shape):
        if length < 0:
            dim.dim_param = name
    for value in model.graph.output:
        if value.type.tensor_type.HasField("shape") and value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = INPUT_AXES[0]


def _is_separable(network: nn.Layer, size: Sequence[int]) -> bool:
    """Whether the outputs for a sample do not depend on the others of its batch (tried on one)."""
    x = example((max(2, size[0]), *size[1:]))
    together, alone = outputs(run(network, x)), outputs(run(network, x[:1]))
    return all(
        a.ndim > 0
        and a.shape[0] == x.shape[0]
        and b.shape == (1, *a.shape[1:])
        and bool(np.abs(a[:1] - b).max(initial=0) <= _SAME * np.abs(a).max(initial=0))
        for a, b in zip(together, alone)
    )


def _resize_shapes(model: Any, size: Sequence[int], any_batch: bool) -> dict[str, Shape]:
    """Run a graph and return the shapes of what every ``Resize`` reads and writes.

    If ``any_batch``, the batch is None in these shapes.
    """
    import onnx

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.value_info[:]
    resizes = [node for node in probe.graph.node if node.op_type == "Resize"]
    names = {name for node in resizes for name in (node.input[0], node.output[0])}
    for name in names - {value.name for value in probe.graph.output}:
        probe.graph.output.append(onnx.ValueInfoProto(name=name))
    shapes: dict[str, Shape] = {
        name: (None, *value.shape[1:]) if any_batch else value.shape
        for name, value in _values_of(probe, sorted(names), size).items()
    }
    origins = {n.output[0]: n.input[0] for n in probe.graph.node if n.op_type == "Identity"}
    for name in list(shapes):  # the names that remain once identities are dropped
        origin = name
        while origin in origins:
            origin = origins[origin]
        shapes[origin] = shapes[name]
    return shapes


def _values_of(model: Any, names: list[str], size: Sequence[int]) -> dict[str, Any]:
    """Run a graph on zeros and return some of its outputs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    x = {session.get_inputs()[0].name: np.zeros(size, np.float32)}
    return dict(zip(names, session.run(names, x)))
