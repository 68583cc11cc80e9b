"""Writing a network for the engines that people deploy on."""

from __future__ import annotations

import tempfile
import threading
import warnings
from pathlib import Path
from typing import Sequence

import numpy as np
from paddle import nn

from paddle_oct.base.extras import need
from paddle_oct.base.files import check_output, errors_naming
from paddle_oct.base.names import look_up

from .engines import load
from .engines.digests import Files, seal
from .engines.formats import FORMATS
from .folding import fold
from .onnx_writing import write_onnx
from .paddle_writing import write_paddle
from .placing import place
from .probing import NOISE, example, outputs, relative_difference, rounding, run

_WRITERS = {"paddle": write_paddle, "onnx": write_onnx}
_TOLERANCE = 1e-4
_EXPORTING = threading.Lock()


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
    OpenVINO and others the other. :func:`~paddle_oct.deploy.load` runs them all.

    The file carries its SHA-256, in the Paddle format that of the weights beside it, too; by these
    ``load`` knows damaged and mixed files. If the process is killed or the disk is full, ``load``
    finds the old files or the new ones. Rename both files of a pair alike.

    Args:
        model: any network that takes one Tensor; it is exported as in evaluation mode.
        path: the file to write. Its suffix, ``.onnx`` or ``.pdmodel``, is added if it is missing;
            in the Paddle format there is a second file beside it, ``.pdiparams``.
        format: ``"paddle"`` or ``"onnx"``.
        input_size: the shape ``[N, C, H, W]`` of the input, or of an example.
        dynamic: True if the file must take any batch, height and width (if the network does),
            ``"batch"`` for any batch of this height and width, False for ``input_size`` alone.
        force: whether to replace existing files.

    Returns:
        The path of the file that ``load`` takes.

    Raises:
        TypeError: ``model`` is not a ``paddle.nn.Layer``, or ``input_size`` is not a sequence.
        ValueError: there is no such format, the file exists or can't be written there, a package is
            missing (the message names the extra), or the network can't be exported.
        RuntimeError: the exported network returns other values, by more than 1e-4 of the largest
            and more than rounding explains. Nothing is written then.

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
    targets = _targets(Path(path), suffixes, force)
    if format == "onnx":
        for package in ("paddle2onnx", "onnx", "onnxruntime"):
            need(package, "exporting to ONNX")
    if getattr(model, "training", False):
        warnings.warn(
            f"{type(model).__name__} is in training mode; it is exported as in evaluation mode "
            f"(running statistics, no dropout), and is itself left as it was",
            stacklevel=2,
        )
    try:
        # One export at a time: Paddle writes programs in modes that the whole process shares.
        with _EXPORTING, tempfile.TemporaryDirectory() as folder:
            network = fold(model, size)
            shape, sizes = _shape_and_sizes(network, size, dynamic)
            prefix = Path(folder) / "model"
            written = tuple(prefix.with_suffix(suffix) for suffix in suffixes)
            with errors_naming(folder):
                _WRITERS[format](network, prefix, shape, size)
                seal(written)
            _check_file(network, written[0], sizes)
            place(written, targets)
    except OSError as error:
        where, why = error.filename or targets[0], error.strerror or error
        raise ValueError(f"{where}: can't be written ({why})") from error
    return targets[0]


def _check_size(size: Sequence[int]) -> tuple[int, ...]:
    if isinstance(size, (str, bytes)) or not hasattr(size, "__len__"):
        raise TypeError(f"input_size must be [N, C, H, W], got {size!r}")
    if len(size) < 2 or not all(isinstance(n, (int, np.integer)) and n > 0 for n in size):
        raise ValueError(f"input_size must be positive integers [N, C, H, W], got {list(size)}")
    return tuple(int(n) for n in size)


def _targets(path: Path, suffixes: Sequence[str], force: bool) -> Files:
    """Return the files to write, after checking that they can be written."""
    if path.suffix not in suffixes:
        path = path.with_name(path.name + suffixes[0])
    targets = tuple(check_output(path.with_suffix(suffix), force) for suffix in suffixes)
    for target in targets:
        if target.exists() and not target.is_file():
            raise ValueError(f"{target} is not a regular file")
    return targets


def _shape_and_sizes(
    network: nn.Layer, size: tuple[int, ...], dynamic: bool | str
) -> tuple[list[int], list[tuple[int, ...]]]:
    """Return the shape of the input, with -1 for any length, and the sizes to check the file on."""
    if not dynamic:
        return list(size), [size]
    batch = size[0] + 1
    if dynamic != "batch" and len(size) == 4:
        height, width = size[2:]
        for other in ((height | 1, (width + 32) | 1), (height + 32, width + 32)):
            sizes = [size, (batch, size[1], *other)]
            try:
                run(network, example(sizes[-1]))
            except ValueError:
                continue
            return [-1, size[1], -1, -1], sizes
        warnings.warn(  # or OpenVINO would return something for other sizes
            f"{type(network).__name__} takes no other height and width than {list(size[2:])}, and "
            f"so does the exported file",
            stacklevel=3,
        )
    return [-1, *size[1:]], [size, (batch, *size[1:])]


def _check_file(network: nn.Layer, path: Path, sizes: list[tuple[int, ...]]) -> None:
    """Raise a ``RuntimeError`` if a file returns other values than the network."""
    predict = load(path)
    name = type(network).__name__
    for size in sizes:
        x = example(size)
        expected = outputs(run(network, x))
        returned = predict(x.numpy())
        result = list(returned) if isinstance(returned, tuple) else [returned]
        if len(expected) != len(result):
            raise RuntimeError(
                f"export: {name} returns {len(expected)} Tensors, "
                f"the exported network {len(result)}"
            )
        off = relative_difference(expected, result, smallest=0)
        if off <= _TOLERANCE:
            continue
        explained = rounding(network, x, expected, smallest=0)
        if not off <= explained:
            raise RuntimeError(
                f"export: the exported {name} returns other values for an input of shape "
                f"{list(size)} (off by {off:.2g} of the largest); nothing was written"
            )
        warnings.warn(
            f"the exported {name} equals the network only to {off:.1g} of the largest output: its "
            f"outputs change by {explained:.1g} when those of its layers change by {NOISE} times "
            f"what rounding may do. Are its weights trained?",
            stacklevel=3,
        )
