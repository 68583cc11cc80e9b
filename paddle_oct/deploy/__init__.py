"""From a trained network to one that is fast elsewhere: folding, export, running, racing."""

from .fold import fold

__all__ = ["fold"]
