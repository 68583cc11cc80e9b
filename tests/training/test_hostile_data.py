"""Files of images, archives and lists of classes that strangers made."""

import gzip
import json
import os
import pickle
import shutil

import hostile_files
import numpy as np
import pytest
from PIL import Image

from paddle_oct.training import Recipe, load_data, read_class_names, read_image, train


def load_cifar10(path):
    return load_data("cifar10", data_file=str(path))


class Runs:
    """Pickles as a call that leaves a file behind."""

    def __reduce__(self):
        return os.system, ("touch evil",)


def evil_archive(path):
    batch = {b"data": np.zeros((1, 3072), "u1"), b"labels": [0], b"x": Runs()}
    names = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch", "train", "test"]
    members = [(f"cifar-10-batches-py/{name}", pickle.dumps(batch, 2)) for name in names]
    path.write_bytes(gzip.compress(hostile_files.tar(members)))


def test_archives_cost_little_and_are_refused(tmp_path):
    files = hostile_files.cifar_archives({})
    assert hostile_files.accepted(load_cifar10, tmp_path / "a.tar.gz", files) == []


@pytest.mark.slow
def test_pickles_in_archives_cost_little_and_are_refused(tmp_path):
    files = hostile_files.cifar_archives(hostile_files.pickles(4 * hostile_files.MIB))
    assert hostile_files.accepted(load_cifar10, tmp_path / "a.tar.gz", files) == []


def test_images_that_cost_little(tmp_path):
    files = hostile_files.images()
    harmless = ["a bomb that is small enough"]
    assert hostile_files.accepted(read_image, tmp_path / "a.png", files) == harmless


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_an_archive_runs_nothing(tmp_path, monkeypatch, run, name):
    monkeypatch.chdir(tmp_path)
    evil_archive(tmp_path / "a.tar.gz")
    with pytest.raises(ValueError, match=r"a\.tar\.gz .*refers to posix\.system.* nothing of it"):
        load_data(name, data_file="a.tar.gz")
    status, _, err = run("train", "oct_mobilenet_v1", "--data", name, "--data-file", "a.tar.gz")
    assert (status, err.count("\n")) == (2, 1)
    assert os.listdir() == ["a.tar.gz"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "run"
    recipe = Recipe(epochs=1, batch_size=10)
    options = {"model_options": {"scale": 0.25}, "data_options": {"limit": 10}}
    train("oct_mobilenet_v1", "digits", recipe, folder, **options, verbose=0)
    return folder


@pytest.mark.parametrize(
    "command",
    [["eval", "r"], ["train", "--resume", "r"], ["eval", "r", "--data-file", "a.tar.gz"]],
)
def test_the_archive_that_a_run_folder_names_runs_nothing(
    tmp_path, monkeypatch, run, trained, command
):
    monkeypatch.chdir(tmp_path)
    evil_archive(tmp_path / "a.tar.gz")
    shutil.copytree(trained, "r")
    config = json.loads((tmp_path / "r" / "config.json").read_text())
    named = {} if "--data-file" in command else {"data_file": "a.tar.gz"}
    config.update(data="cifar10", data_options=named)
    (tmp_path / "r" / "config.json").write_text(json.dumps(config))
    status, _, err = run(*command)
    assert status == 2
    assert "nothing of it was run" in err
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("read", "name"),
    [(read_image, "x.png"), (read_class_names, "x.txt"), (load_cifar10, "x.tar.gz")],
)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, read, name):
    path = tmp_path / name
    hostile_files.assert_no_pipe_is_read(read, path)


def test_postscript_is_not_handed_to_another_program(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path, "EPS")
    with pytest.raises(ValueError, match=r"a\.png: can't be read as an image"):
        read_image(path)
