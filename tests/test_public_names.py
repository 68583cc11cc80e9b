"""The package's public names, which are imported when they are first used."""

import subprocess
import sys

import pytest

import paddle_oct

QUICK = """
import sys
import paddle_oct
assert "paddle" not in sys.modules
from paddle_oct import *
assert OctaveConv is paddle_oct.nn.OctaveConv
assert octavize is paddle_oct.conversion.octavize
assert paddle_oct.training.fit
"""


def test_paddle_is_imported_when_a_name_is_used():
    subprocess.run([sys.executable, "-W", "ignore", "-c", QUICK], check=True)


@pytest.mark.parametrize("name", paddle_oct.__all__)
def test_names(name):
    """Each stands in the list of a room, which is where type checkers find it."""
    value = getattr(paddle_oct, name)
    rooms = [getattr(paddle_oct, room) for room in ("nn", "lightweight", "models", "conversion")]
    homes = [room for room in rooms if name in room.__all__]
    assert len(homes) == (0 if name == "__version__" else 1)
    assert all(getattr(room, name) is value for room in homes)
    assert name in dir(paddle_oct)


def test_other_names():
    with pytest.raises(AttributeError, match="'paddle_oct' has no attribute 'OctaveConv3D'"):
        paddle_oct.OctaveConv3D  # noqa: B018
    assert not hasattr(paddle_oct, "_nn")
