"""Data sets, recipes, and training through ``paddle.Model.fit``."""

from .by_name import load_network, load_run_data, resume, train
from .checkpoint import Checkpoint, CheckpointState, Row
from .classify import classify
from .config import Origin
from .curves import draw_curves
from .data import (
    DataOptions,
    ImageData,
    NetworkInputs,
    list_data,
    load_data,
    load_test_folder,
    read_class_names,
)
from .evaluate import evaluate, predict_images, predict_logits
from .finding import find_network
from .fit import Result, fit
from .inputs import read_input
from .prepare import prepare
from .preprocessing import Preprocessing, read_image
from .processes import from_first_process, is_first_process
from .recipe import Recipe
from .run_folder import RunFolder
from .scalars import read_scalars
from .trained import Trained

__all__ = [
    "Checkpoint",
    "CheckpointState",
    "DataOptions",
    "ImageData",
    "NetworkInputs",
    "Origin",
    "Preprocessing",
    "Recipe",
    "Result",
    "Row",
    "RunFolder",
    "Trained",
    "classify",
    "draw_curves",
    "evaluate",
    "find_network",
    "fit",
    "from_first_process",
    "is_first_process",
    "list_data",
    "load_data",
    "load_network",
    "load_run_data",
    "load_test_folder",
    "predict_images",
    "predict_logits",
    "prepare",
    "read_class_names",
    "read_image",
    "read_input",
    "read_scalars",
    "resume",
    "train",
]
