"""Converting an existing network to an octave network with the same weights."""

from .convert import octavize
from .report import ConvReport, OctavizeReport

__all__ = ["ConvReport", "OctavizeReport", "octavize"]
