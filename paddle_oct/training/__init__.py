"""Data sets, recipes, and training through ``paddle.Model.fit``."""

from .curves import draw_curves, read_scalars
from .data import ImageData, list_data, load_data, load_test_folder, read_class_names
from .evaluate import evaluate, predict_images, predict_logits
from .fit import Result, fit, load_network, load_run_data, prepare, resume, train
from .preprocessing import Preprocessing, read_image
from .recipe import Recipe
from .run_folder import Checkpoint, RunFolder
from .trained import Trained

__all__ = [
    "Checkpoint",
    "ImageData",
    "Preprocessing",
    "Recipe",
    "Result",
    "RunFolder",
    "Trained",
    "draw_curves",
    "evaluate",
    "fit",
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
    "read_scalars",
    "resume",
    "train",
]
