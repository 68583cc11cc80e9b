"""The golden files are what they say."""

import importlib.util
import json

import numpy as np
import pytest

import golden

NAMES = sorted(path.name.split(".names")[0] for path in golden.HERE.glob("*.names.json.gz"))


def test_they_are_all_here():
    assert set(golden.NETWORKS) < set(NAMES)
    assert len(NAMES) == 14
    assert len(list(golden.HERE.glob("*.npz"))) == 5


@golden.needs_shared
@pytest.mark.parametrize("name", NAMES)
def test_nothing_was_changed_on_the_way_here(name):
    assert golden.shapes(name) == json.loads((golden.SHARED / f"{name}.names.json").read_text())
    if (golden.SHARED / f"{name}.npz").exists():
        with (
            np.load(golden.SHARED / f"{name}.npz") as theirs,
            np.load(golden.HERE / f"{name}.npz") as ours,
        ):
            assert set(theirs) == {"y", "y192x256"}
            for key in theirs:
                np.testing.assert_array_equal(ours[key], theirs[key])


@golden.needs_shared
def test_parameters_of_the_symbol_api_are_made_up_as_there():
    spec = importlib.util.spec_from_file_location("make", golden.SHARED / "make_params.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    for name, array in golden.parameters("a02_resnet-26_alpha-0.250").items():
        np.testing.assert_array_equal(array, make.value(name.split(":")[1], array.shape))
