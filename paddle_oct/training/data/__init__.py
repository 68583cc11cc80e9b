"""Data sets for classification: the embedded digits, CIFAR, and folders of images."""

from .folders import load_test_folder, read_class_names
from .image_data import ImageData, NetworkInputs
from .loading import DataOptions, list_data, load_data

__all__ = [
    "DataOptions",
    "ImageData",
    "NetworkInputs",
    "list_data",
    "load_data",
    "load_test_folder",
    "read_class_names",
]
