"""Deploying a trained network: folding it, exporting it, and running the exported file.

The public names are imported when they are first used: running an exported file imports nothing
that folds or exports networks.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .engines import Predictor, load
    from .exporting import export
    from .folding import fold

_HOME = {"Predictor": ".engines", "load": ".engines", "export": ".exporting", "fold": ".folding"}

__all__ = ["Predictor", "export", "fold", "load"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name], __name__), name)
