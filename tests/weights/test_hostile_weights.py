"""Small files of weights that would hang a careless reader, or fill the memory."""

import hostile_files
import numpy as np
import paddle
import pytest
from helpers import slow_but

from paddle_oct.weights import load_weights, read_weights

SMALL, LARGE = hostile_files.MIB // 4, 4 * hostile_files.MIB


@pytest.mark.parametrize("many", slow_but([SMALL], [SMALL, LARGE]))
def test_pickles_cost_little_and_are_refused(tmp_path, many):
    harmless = ["pushed and popped", "an empty shape that is huge"]
    files = hostile_files.pickles(many)
    assert hostile_files.accepted(read_weights, tmp_path / "a.pdparams", files) == harmless


def test_files_of_pytorch_cost_little_and_are_refused(tmp_path):
    files = hostile_files.torch_files({})
    assert hostile_files.accepted(read_weights, tmp_path / "a.pth", files) == []


@pytest.mark.slow
def test_pickles_in_files_of_pytorch_cost_little_and_are_refused(tmp_path):
    harmless = ["pushed and popped", "an empty shape that is huge"]
    files = hostile_files.torch_files(hostile_files.pickles(LARGE))
    assert hostile_files.accepted(read_weights, tmp_path / "a.pth", files) == harmless


@pytest.mark.parametrize(
    ("suffix", "make", "harmless"),
    [
        (".npz", hostile_files.npz_files, ["no member"]),
        (".params", hostile_files.mxnet_files, []),
        (".safetensors", hostile_files.safetensors_files, ["many tensors"]),
    ],
)
def test_other_files_cost_little_and_are_refused(tmp_path, suffix, make, harmless):
    assert hostile_files.accepted(read_weights, tmp_path / f"a{suffix}", make()) == harmless


@pytest.mark.parametrize(
    "suffix", [".pdparams", ".pdopt", ".pth", ".npz", ".params", ".safetensors"]
)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    hostile_files.assert_no_pipe_is_read(read_weights, path)
    path.mkdir()
    with pytest.raises(ValueError, match=rf"a{suffix}: is a folder, no file"):
        read_weights(path)


def test_messages_about_long_names_are_short(tmp_path):
    path = tmp_path / "a.params"
    path.write_bytes(hostile_files.mxnet_bytes({"n\n" * 500_000: np.ones(1, "float32")}))
    with pytest.raises(ValueError, match="left over n") as error:
        load_weights(paddle.nn.Linear(1, 1), path)
    assert len(str(error.value)) < 700
    assert "\n" not in str(error.value)
