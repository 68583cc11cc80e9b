"""Figures without a screen."""

import matplotlib
import numpy as np
import pytest
from PIL import Image

from paddle_oct.base import figures


def test_a_picture(tmp_path):
    figure = figures.new_figure(4, 2)
    figure.subplots().plot([0, 1], color=figures.BLUE, linewidth=5)
    figures.save_figure(figure, tmp_path / "a.png", dpi=100)
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    assert pixels.shape == (200, 400, 3)
    blue = [int(figures.BLUE[i : i + 2], 16) for i in (1, 3, 5)]
    assert (pixels == blue).all(axis=2).sum() > 100
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".PDF", b"%PDF")])
def test_formats(suffix, start, tmp_path):
    assert suffix.lower() in figures.PICTURES
    path = tmp_path / f"a{suffix}"
    figures.save_figure(figures.new_figure(2, 2), path)
    assert path.read_bytes().startswith(start)


def test_colours_differ():
    names = ("BLUE", "VERMILION", "GREEN", "ORANGE", "SKY", "PURPLE", "YELLOW", "BLACK")
    colours = {matplotlib.colors.to_rgb(getattr(figures, name)) for name in names}
    assert len(colours) == len(names)
