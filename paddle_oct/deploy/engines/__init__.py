"""Running exported files. This needs no other room, and imports an engine when it is used.

``table.py`` lists the engines, each of which has a file of its own; ``loading.py`` opens a file and
``predictor.py`` runs it.
"""

from .loading import load
from .peak import peak_memory
from .predictor import Predictor
from .table import ENGINES

__all__ = ["ENGINES", "Predictor", "load", "peak_memory"]
