"""Regular files alone are opened, and a budget ends."""

import os

import pytest

from paddle_oct.base.reading import Budget, most_inflated, open_regular, read_regular, size_of


def test_a_regular_file_is_read_also_through_a_link(tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "link").symlink_to("a")
    for name in ("a", "link"):
        assert read_regular(tmp_path / name) == b"content"
        with open_regular(str(tmp_path / name)) as file:
            assert size_of(file) == 7
            assert file.read(3) == b"con"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "x: no such file"),
        (lambda path: path.mkdir(), "x: is a folder, no file"),
        (os.mkfifo, "x: is a pipe or a device, no regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "x: is a pipe or a device"),
        (lambda path: path.symlink_to("x"), r"x: can't be read \("),
        (lambda path: path.symlink_to("nowhere"), "x: no such file"),
    ],
)
def test_anything_else_is_refused(tmp_path, make, message):
    make(tmp_path / "x")
    with pytest.raises(ValueError, match=message):
        open_regular(tmp_path / "x")
    with pytest.raises(ValueError, match=message):
        read_regular(str(tmp_path / "x"))


def test_names_that_no_file_can_have(tmp_path):
    for name in ("a\0b", "n" * 100_000):
        with pytest.raises(ValueError, match="can't be read") as error:
            open_regular(name)
        assert len(str(error.value)) < 500


def test_files_of_the_system_are_read_up_to_the_size_that_they_have():
    assert read_regular("/proc/self/status") == b""  # its size is 0, whatever can be read from it


def test_a_budget_ends():
    budget = Budget(10, factor=3, least=5)
    budget.charge(35)
    with pytest.raises(ValueError, match="it unfolds to far more than its size"):
        budget.charge(1)


def test_what_a_compressed_file_may_hold():
    assert most_inflated(0) == most_inflated(2**20) == 2**26
    assert most_inflated(2**24) == 2**29
    assert most_inflated(2**24, 8) == 2**27
