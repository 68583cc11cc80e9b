"""Install paddle_oct: ``pip install .``; what there is to say stands in pyproject.toml."""

from setuptools import setup

setup()
