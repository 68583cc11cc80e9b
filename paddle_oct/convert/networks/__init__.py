"""A vanilla network, followed through its forward and built again with octave layers."""

from .conversion import octavize
from .report import ConvReport, OctavizeReport

__all__ = ["ConvReport", "OctavizeReport", "octavize"]
