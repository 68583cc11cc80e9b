"""From other people's models and weights to ours."""

from .load import import_weights, load_weights, read_weights, save_weights

__all__ = [
    "import_weights",
    "load_weights",
    "read_weights",
    "save_weights",
]
