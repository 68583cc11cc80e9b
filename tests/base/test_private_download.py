"""Paddle's downloads, by its private names."""

import hashlib
from pathlib import Path

import pytest
from paddle.dataset import common as datasets
from paddle.utils import download as paddle_s
from paddle.vision.datasets import cifar

from paddle_oct.base.private import download, download_cifar, weights_folder


def test_the_folder_is_where_paddle_puts_its_weights(monkeypatch, tmp_path):
    assert weights_folder() == Path(paddle_s.WEIGHTS_HOME)
    monkeypatch.setattr(paddle_s, "WEIGHTS_HOME", str(tmp_path))
    assert weights_folder() == tmp_path


def test_a_file_that_is_there_is_not_downloaded_again(monkeypatch, tmp_path):
    monkeypatch.setattr(paddle_s.time, "sleep", lambda seconds: None)
    nowhere = "http://127.0.0.1:9/file.pdparams"
    with pytest.raises(Exception, match=r"http://127\.0\.0\.1:9/file\.pdparams failed"):
        download(nowhere, tmp_path)
    (tmp_path / "file.pdparams").write_bytes(b"content")
    download(nowhere, tmp_path)


@pytest.mark.parametrize("classes", [10, 100])
def test_cifar_is_taken_from_where_paddle_keeps_it(monkeypatch, tmp_path, classes):
    name = f"cifar-{classes}-python.tar.gz"
    monkeypatch.setattr(datasets, "DATA_HOME", str(tmp_path))
    monkeypatch.setattr(cifar, f"CIFAR{classes}_MD5", hashlib.md5(b"content").hexdigest())
    (tmp_path / "cifar").mkdir()
    (tmp_path / "cifar" / name).write_bytes(b"content")
    assert download_cifar(classes) == tmp_path / "cifar" / name
    assert getattr(cifar, f"CIFAR{classes}_URL").endswith(f"/{name}")
