"""Writing a network for the engines that people deploy on."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import warnings
from pathlib import Path
from typing import Iterator, Sequence

import numpy as np
import paddle
from paddle import nn
from paddle.static import InputSpec

from paddle_oct.base.extras import need
from paddle_oct.base.files import check_output, write_atomically
from paddle_oct.base.names import look_up

from .engines.loading import INPUT_AXES, SEPARABLE, load
from .folding import example, fold, outputs, rounding, run
from .onnx_graph import tidy_graph
from .programs import old_programs, tidy_program

FORMATS = {"paddle": (".pdmodel", ".pdiparams"), "onnx": (".onnx",)}
_OPSET = 13
_TOLERANCE = 1e-4


def export(
    model: nn.Layer,
    path: str | Path,
    format: str = "paddle",
    input_size: Sequence[int] = (1, 3, 224, 224),
    dynamic: bool | str = True,
    force: bool = False,
) -> Path:
    """Fold a network, write it, and check that what was written returns what the network returns.

    The files need nothing of this package: Paddle Inference reads one format, ONNX Runtime,
    OpenVINO and others the other. :func:`load` runs them all.

    Args:
        model: any network that takes one Tensor; it is exported as in evaluation mode.
        path: of the file. Its suffix, ``.onnx`` or ``.pdmodel``, is added where it is missing; the
            Paddle format has a second file beside it, ``.pdiparams``.
        format: ``"paddle"`` or ``"onnx"``.
        input_size: ``[N, C, H, W]`` of the input, or of an example of it.
        dynamic: True if the file shall take any batch, height and width, ``"batch"`` for any batch
            of one height and width, False for ``input_size`` alone.
        force: whether to replace existing files.

    Returns:
        The path of the file that :func:`load` takes.

    Raises:
        ValueError: there is no such format, the file exists or can't be written there, a package is
            missing (the message names the extra), or the network can't be exported.
        RuntimeError: the exported network returns other values, by more than 1e-4 of the largest
            and more than rounding explains. Nothing was written then.

    Note:
        The Paddle format is Paddle's older program format: the newer one, which ``paddle.jit.save``
        writes (``.json``), can't hold nearest-neighbour up-sampling for oneDNN in Paddle 3.3.

    Examples:
        >>> import tempfile
        >>> from paddle_oct import oct_mobilenet_v1
        >>> from paddle_oct.deploy import export, load
        >>> model = oct_mobilenet_v1(scale=0.25, num_classes=10)
        >>> _ = model.eval()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = export(model, f"{folder}/model", input_size=(1, 3, 64, 64))
        ...     predict = load(path)
        >>> print(path.name, predict(np.zeros([2, 3, 48, 65], np.float32)).shape)
        model.pdmodel (2, 10)
    """
    suffixes = look_up(format, FORMATS, "format")
    if dynamic not in (True, False, "batch"):
        raise ValueError(f"dynamic must be True, 'batch' or False, got {dynamic!r}")
    size = _check_size(input_size)
    path = Path(path)
    if path.suffix not in suffixes:
        path = path.with_name(path.name + suffixes[0])
    targets = [path.with_suffix(suffix) for suffix in suffixes]
    for target in targets:
        check_output(target, force)
    if format == "onnx":
        for package in ("paddle2onnx", "onnx", "onnxruntime"):
            need(package, "exporting to ONNX")
    if getattr(model, "training", False):
        warnings.warn(
            f"{type(model).__name__} is in training mode; it is exported as in evaluation mode "
            f"(running statistics, no dropout), and is itself left as it was",
            stacklevel=2,
        )
    network = fold(model, size)
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder) / "model"
        spec = _spec(size, dynamic)
        if format == "onnx":
            _write_onnx(network, prefix, spec, size)
        else:
            _save_program(network, prefix, spec, old=True)
            tidy_program(prefix.with_suffix(".pdmodel"))
        written = prefix.with_suffix(suffixes[0])
        _check(network, written, [size, *_other_sizes(network, size, spec)])
        for suffix, target in zip(suffixes, targets):
            _place(prefix.with_suffix(suffix), target)
    return path


def _check_size(size: Sequence[int]) -> tuple[int, ...]:
    if isinstance(size, (str, bytes)) or not hasattr(size, "__len__"):
        raise TypeError(f"input_size must be [N, C, H, W], got {size!r}")
    if len(size) < 2 or not all(isinstance(n, (int, np.integer)) and n > 0 for n in size):
        raise ValueError(f"input_size must be positive integers [N, C, H, W], got {list(size)}")
    return tuple(int(n) for n in size)


def _spec(size: tuple[int, ...], dynamic: bool | str) -> list[int]:
    """Return the shape of the input with -1 for what may be of any length."""
    if not dynamic:
        return list(size)
    any_size = dynamic != "batch" and len(size) == 4
    return [-1, size[1], -1, -1] if any_size else [-1, *size[1:]]


def _other_sizes(
    network: nn.Layer, size: tuple[int, ...], spec: list[int]
) -> list[tuple[int, ...]]:
    """A second input that a dynamic file must take: another batch and, if it can, an odd size."""
    if spec[0] > 0:
        return []
    if spec[-1] > 0:
        return [(size[0] + 1, *size[1:])]
    other = (size[0] + 1, size[1], size[2] | 1, (size[3] + 32) | 1)
    try:
        run(network, example(other))
    except ValueError:  # a classifier that wants one size alone
        other = (size[0] + 1, *size[1:])
    return [other]


def _save_program(network: nn.Layer, prefix: Path, spec: list[int], old: bool) -> None:
    with contextlib.ExitStack() as stack:
        if old:
            stack.enter_context(old_programs())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        try:
            paddle.jit.save(network, str(prefix), input_spec=[InputSpec(spec, "float32", "x")])
        except Exception as error:
            raise ValueError(
                f"{type(network).__name__} can't be made a static program: "
                f"{str(error).strip().splitlines()[-1] if str(error).strip() else error!r}"
            ) from error


def _separable(network: nn.Layer, size: tuple[int, ...]) -> bool:
    """Whether a network returns for every sample of a batch what it returns for that one alone."""
    x = example((max(2, size[0]), *size[1:]))
    together, alone = outputs(run(network, x)), outputs(run(network, x[:1]))
    return all(
        a.ndim > 0
        and a.shape[0] == x.shape[0]
        and b.shape == (1, *a.shape[1:])
        and bool(np.abs(a[:1] - b).max(initial=0) <= _TOLERANCE * np.abs(a).max(initial=0))
        for a, b in zip(together, alone)
    )


def _write_onnx(network: nn.Layer, prefix: Path, spec: list[int], size: tuple[int, ...]) -> None:
    import onnx
    import paddle2onnx

    _save_program(network, prefix, spec, old=False)
    raw = prefix.with_suffix(".raw.onnx")
    with _captured() as said:
        try:
            # Its default optimisation installs packages from the internet as it runs.
            paddle2onnx.export(
                f"{prefix}.json",
                f"{prefix}.pdiparams",
                str(raw),
                opset_version=_OPSET,
                verbose=False,
                optimize_tool="None",
            )
        except Exception as error:
            raise ValueError(
                f"{type(network).__name__} can't be exported to ONNX: {error} {said()}".strip()
            ) from error
    model = onnx.load(str(raw))
    tidy_graph(model, _resize_shapes(model, size, spec[0] < 0) if spec[-1] > 0 else None)
    if spec[0] < 0:
        dims = model.graph.input[0].type.tensor_type.shape.dim
        for dim, name, length in zip(dims, INPUT_AXES, spec):
            if length < 0:
                dim.dim_param = name
        for value in model.graph.output:
            if value.type.tensor_type.HasField("shape") and value.type.tensor_type.shape.dim:
                value.type.tensor_type.shape.dim[0].dim_param = INPUT_AXES[0]
        if _separable(network, size):
            onnx.helper.set_model_props(model, {SEPARABLE: "yes"})
    model.producer_name = "paddle_oct"
    onnx.checker.check_model(model)
    onnx.save(model, str(prefix.with_suffix(".onnx")))


def _resize_shapes(
    model, size: tuple[int, ...], any_batch: bool
) -> dict[str, tuple[int | None, ...]]:
    """Run a graph and return the shapes before and after every ``Resize``.

    The batch is None there where it may be any.
    """
    import onnx
    import onnxruntime

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.value_info[:]
    resizes = [node for node in probe.graph.node if node.op_type == "Resize"]
    names = {name for node in resizes for name in (node.input[0], node.output[0])}
    source = {n.output[0]: n.input[0] for n in probe.graph.node if n.op_type == "Identity"}
    for name in names - {value.name for value in probe.graph.output}:
        probe.graph.output.append(onnx.ValueInfoProto(name=name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    values = session.run(sorted(names), {session.get_inputs()[0].name: np.zeros(size, np.float32)})
    shapes = {
        name: (None, *value.shape[1:]) if any_batch else value.shape
        for name, value in zip(sorted(names), values)
    }
    for name in list(shapes):  # the names that remain when identities are gone
        plain = name
        while plain in source:
            plain = source[plain]
        shapes[plain] = shapes[name]
    return shapes


@contextlib.contextmanager
def _captured() -> Iterator:
    """Keep what a library prints, from C++ too, for the error message."""
    import logging
    import sys

    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as file, contextlib.ExitStack() as stack:
        text = stack.enter_context(io.TextIOWrapper(io.FileIO(os.dup(file.fileno()), "w")))
        stack.enter_context(contextlib.redirect_stdout(text))  # which need not be file 1
        stack.enter_context(contextlib.redirect_stderr(text))

        def said() -> str:
            text.flush()
            file.seek(0)
            lines = file.read().decode("utf-8", "replace").strip().splitlines()
            return " ".join(lines[-2:])

        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        logging.disable(logging.WARNING)
        try:
            yield said
        finally:
            logging.disable(logging.NOTSET)
            sys.stdout.flush()
            sys.stderr.flush()
            for number, fd in enumerate(kept, start=1):
                os.dup2(fd, number)
                os.close(fd)


def _check(network: nn.Layer, path: Path, sizes: list[tuple[int, ...]]) -> None:
    predict = load(path)
    for size in sizes:
        x = example(size)
        expected = outputs(run(network, x))
        result = predict(x.numpy())
        result = list(result) if isinstance(result, tuple) else [result]
        if len(expected) != len(result):
            raise RuntimeError(
                f"export: {type(network).__name__} returns {len(expected)} Tensors, "
                f"the exported network {len(result)}"
            )
        explained = None
        for a, b in zip(expected, result):
            off = float(np.abs(a - b).max()) if a.shape == b.shape else float("inf")
            scale = float(np.abs(a).max()) or 1.0
            if off <= _TOLERANCE * scale:
                continue
            if explained is None:
                explained = rounding(network, x, expected)
            if not off <= explained * scale:
                raise RuntimeError(
                    f"export: the exported {type(network).__name__} returns other values for an "
                    f"input of shape {list(size)} (off by {off:.2g}); nothing was written"
                )
            warnings.warn(
                f"the exported {type(network).__name__} was found equal to {off / scale:.1g} only: "
                f"its outputs change by {explained / 10:.1g} when the input does by 1e-6. Are its "
                f"weights trained?",
                stacklevel=3,
            )


def _place(source: Path, target: Path) -> None:
    try:
        write_atomically(target, source.read_bytes())
    except OSError as error:
        raise ValueError(f"{target}: can't be written ({error.strerror or error})") from error
