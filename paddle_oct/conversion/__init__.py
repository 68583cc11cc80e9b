"""From a vanilla network that exists to an octave one."""

from .convert import octavize
from .report import ConvReport, OctavizeReport

__all__ = ["ConvReport", "OctavizeReport", "octavize"]
