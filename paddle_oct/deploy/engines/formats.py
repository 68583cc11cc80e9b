"""The formats of exported files: what their writer and their readers agree on."""

from __future__ import annotations

from typing import Mapping, Tuple

#: The files of each format by their suffixes; the first is the one that is named.
FORMATS: Mapping[str, Tuple[str, ...]] = {
    "paddle": (".pdmodel", ".pdiparams"),
    "onnx": (".onnx",),
}

#: What the axes of an ONNX file's input are called where they are of any length.
INPUT_AXES = ("batch", "channels", "height", "width")

#: The key by which an ONNX file of any batch says that it returns for every sample of a batch what
#: it returns for that sample alone.
SEPARABLE = "paddle_oct.separable"
