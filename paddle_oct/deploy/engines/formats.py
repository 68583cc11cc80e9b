"""The formats of exported files: what their writer and their readers agree on."""

from __future__ import annotations

from typing import Mapping, Tuple

#: The suffixes of the files of each format; the first is that of the file that ``load`` takes.
FORMATS: Mapping[str, Tuple[str, ...]] = {
    "paddle": (".pdmodel", ".pdiparams"),
    "onnx": (".onnx",),
}

#: The names of the axes of an ONNX file's input, where they may be of any length.
INPUT_AXES = ("batch", "channels", "height", "width")

#: The metadata key by which an ONNX file of any batch says that its outputs for a sample do not
#: depend on the other samples of the batch.
SEPARABLE = "paddle_oct.separable"
