"""Install paddle_oct: ``pip install .``, or ``pip install ".[test]"`` to run its tests."""

from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
version: dict = {}
exec((here / "paddle_oct" / "version.py").read_text(encoding="utf-8"), version)

onnx = ["paddle2onnx>=2.0", "onnxruntime>=1.17"]
openvino = ["openvino>=2024.0"]
safetensors = ["safetensors>=0.4"]
notebook = ["nbclient>=0.7", "nbformat>=5.7", "ipykernel>=6", "scikit-learn>=1.2"]
test = [*notebook, *onnx, *openvino, *safetensors, "pytest>=7", "pytest-xdist>=3.2"]

setup(
    name="paddle_oct",
    version=version["__version__"],
    description="Octave convolution for PaddlePaddle: layers, networks, training",
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The paddle_oct authors",
    license="Apache-2.0",
    license_files=["LICENSE", "paddle_oct/training/digits/LICENSE.txt"],
    packages=find_packages(include=["paddle_oct", "paddle_oct.*"]),
    package_data={"paddle_oct": ["py.typed", "training/digits/*"]},
    python_requires=">=3.9",
    install_requires=[
        "paddlepaddle>=3.0",
        "visualdl>=2.5",
        "numpy<2.4",  # paddle.flops fails with 2.4: int() of an array of one element
        "pillow",  # reads images, as paddle.vision does
        "matplotlib",  # draws the curves of a run; visualdl needs it too
        "click>=8.0",  # the command line; visualdl's server needs it too
        "tabulate>=0.9",  # tables for terminals and Markdown, no dependencies
    ],
    extras_require={
        "notebook": [*notebook, "jupyterlab"],
        "onnx": onnx,
        "openvino": [*onnx, *openvino],
        "safetensors": safetensors,
        "torch": ["torch>=2.0"],
        "test": test,
        "dev": [*test, "ruff~=0.17.0"],
    },
    entry_points={"console_scripts": ["paddle-oct = paddle_oct.cli:main"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.9",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
