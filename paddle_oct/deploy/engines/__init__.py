"""Running exported files: it needs none of the other rooms, and imports an engine when it is used.

``table.py`` has the engines, each of which is a file of its own; ``loading.py`` opens a file and
``predictor.py`` runs it.
"""

from .loading import load
from .peak import peak_memory
from .predictor import Predictor
from .table import ENGINES

__all__ = ["ENGINES", "Predictor", "load", "peak_memory"]
