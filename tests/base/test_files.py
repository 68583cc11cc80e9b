"""Files are written whole or not at all."""

import errno
import os

import pytest

from paddle_oct.base.files import check_output, sync_folder, write_atomically


def test_text_and_bytes(tmp_path):
    path = tmp_path / "file"
    for content, expected in (("ä\n", b"\xc3\xa4\n"), (b"\x00\xff", b"\x00\xff")):
        write_atomically(path, content)
        assert path.read_bytes() == expected
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"No space left on device: '.*/file'"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_new_name_is_on_the_disk_too(tmp_path, monkeypatch):
    synced = []
    fsync = os.fsync

    def note(descriptor):
        synced.append((os.fstat(descriptor).st_ino, sorted(os.listdir(tmp_path))))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write_atomically(tmp_path / "file", "new")
    content, name = synced
    assert content[0] == (tmp_path / "file").stat().st_ino
    assert "file" not in content[1]
    assert name == (tmp_path.stat().st_ino, ["file"])


def test_a_folder_that_cannot_be_synced(tmp_path, monkeypatch):
    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    number = errno.EINVAL  # what some file systems answer
    sync_folder(tmp_path)
    number = errno.EIO
    with pytest.raises(OSError, match="Input/output error"):
        sync_folder(tmp_path)


def test_an_output_that_can_be_written(tmp_path):
    path = tmp_path / "a.PNG"
    assert check_output(str(path), suffixes=[".png"]) == path
    assert not list(tmp_path.iterdir())  # the trial is gone
    path.touch()
    assert check_output(path, force=True) == path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.jpg", r"the file's name must end in \.png or \.svg"),
        ("folder", "is a folder; name a file in it"),
        ("there.png", "already exists; choose another name, or overwrite with --force"),
        ("none/a.png", "there is no folder"),
        ("there.png/a.png", "there is no folder"),
    ],
)
def test_outputs_that_can_not(tmp_path, name, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "there.png").touch()
    with pytest.raises(ValueError, match=message):
        check_output(tmp_path / name, suffixes=[".png", ".svg"])


def test_a_folder_that_is_closed(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.touch", refuse)
    with pytest.raises(ValueError, match=r"can't be written \(Permission denied\)"):
        check_output(tmp_path / "a.png")
