"""Running exported files: needs none of the other rooms."""

from .loading import load
from .predictor import Predictor

__all__ = ["Predictor", "load"]
