"""The private names of Paddle's that say what SOT, the bytecode tracer of ``to_static``, reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

from paddle import nn

Layer = TypeVar("Layer", bound=nn.Layer)


class _OfThisPackage:
    """An attribute of a class that only those of its subclasses have that are in this package."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __get__(self, instance: Any, owner: type) -> Any:
        if owner.__module__.partition(".")[0] != __name__.partition(".")[0]:
            raise AttributeError
        return self.value


def called_whole(layer_class: type[Layer]) -> type[Layer]:
    """Have SOT (``to_static``'s bytecode tracer) call a layer as it does those of ``paddle.nn``.

    It does not read the bytecode of such a layer. Python runs it while a program is being built,
    so that ``paddle.in_dynamic_mode()`` tells the truth, whatever the version of Python. What SOT
    traces it may cut into pieces, of which it runs some eagerly, and uses a piece that was traced
    for inference in training.

    This is also so for the layer's subclasses in this package. Those that a user writes are traced;
    ``paddle.jit.marker.unified`` makes no difference. An older Paddle may have nothing of the kind.
    """
    try:
        from paddle.jit.dy2static.utils import TransformOptions
    except ImportError:
        return layer_class
    options = TransformOptions(TransformOptions.ToStaticMode.SOT)
    name = TransformOptions.TRANSFORM_OPTIONS_ATTR_NAME
    setattr(layer_class, name, _OfThisPackage(options))
    return layer_class


def never_traced(folder: Path) -> None:
    """Keep SOT from translating the functions in a folder that Python itself calls.

    So it does with Paddle's own. No public function tells it: ``paddle.jit.ignore_module`` is for
    the other tracer.
    """
    from paddle.base import core

    core.eval_frame_skip_file_prefix((f"{folder}{os.sep}",))
