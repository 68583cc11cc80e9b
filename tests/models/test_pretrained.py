"""Weights by name: downloaded from a server on this machine, converted once, or refused."""

import dataclasses
import functools
import hashlib
import http.server
import os
import threading
import zipfile
from pathlib import Path

import golden
import numpy as np
import paddle
import pytest
from paddle.utils import download

from paddle_oct import (
    create_model,
    models,
    oct_mobilenet,
    oct_mobilenet_v1,
    oct_resnet18,
    oct_resnet50,
)
from paddle_oct.models import list_models, preprocessing, pretrained, published_weights
from paddle_oct.models.vanilla_models import VANILLA_WEIGHTS

SMALL = {"alpha": 0.375, "scale": 0.75}
FILE = "mobilenet_v1_075_alpha-0.375.params"
CONVERTED = "paddle_oct-mobilenet_v1_075_alpha-0.375.pdparams"


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; keeps a list of what was asked for, and can break off half-way."""

    def do_GET(self):
        self.server.asked.append(self.path)
        if not self.server.breaks_off:
            return super().do_GET()
        content = Path(self.translate_path(self.path)).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        return None

    def log_message(self, *_):
        pass


def move_published(monkeypatch, address):
    """Let the published weights lie somewhere else."""
    moved = [dataclasses.replace(w, folder=address) for w in published_weights()]
    monkeypatch.setattr(pretrained, "_PUBLISHED", moved)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server in the place of the authors', and an empty cache."""
    (tmp_path / "served").mkdir()
    handler = functools.partial(Handler, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.asked, server.breaks_off = [], False
        server.folder, server.cache = tmp_path / "served", tmp_path / "cache"
        server.address = f"http://127.0.0.1:{server.server_port}/"
        move_published(monkeypatch, server.address)
        monkeypatch.setattr(download, "WEIGHTS_HOME", str(server.cache))
        monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
        yield server
        server.shutdown()


@pytest.fixture
def published(server):
    (server.folder / FILE).write_bytes(golden.params_file("mobilenet_v1_075"))
    return server


def cached(server):
    return sorted(os.listdir(server.cache)) if server.cache.is_dir() else []


def test_published_weights_are_downloaded_and_converted_once(published):
    network = create_model("oct_mobilenet_v1", pretrained=True, **SMALL)
    assert published.asked == [f"/{FILE}"]
    assert cached(published) == [FILE, FILE + ".sha256", CONVERTED, CONVERTED + ".sha256"]
    golden.assert_the_authors_outputs(network, "mobilenet_v1_075", ["y192x256"])

    (published.cache / FILE).unlink()  # the converted one will do
    again = create_model("oct_mobilenet", pretrained=True, alpha=[0.375] * 4, scale=0.75)
    assert len(published.asked) == 1
    np.testing.assert_array_equal(again.fc.weight.numpy(), network.fc.weight.numpy())
    paddle_s = paddle.load(str(published.cache / CONVERTED))  # an ordinary file
    np.testing.assert_array_equal(paddle_s["fc.weight"].numpy(), network.fc.weight.numpy())

    whole = (published.cache / CONVERTED).read_bytes()
    (published.cache / CONVERTED).write_bytes(whole[:1000])  # damaged: converted again
    create_model("oct_mobilenet_v1", pretrained=True, **SMALL)
    assert len(published.asked) == 2
    assert (published.cache / CONVERTED).read_bytes() == whole


def test_another_number_of_classes_keeps_a_fresh_classifier(published):
    own = golden.parameters("mobilenet_v1_075")
    paddle.seed(3)
    fresh = create_model("oct_mobilenet_v1", num_classes=10, **SMALL)
    for options in (
        {"num_classes": 10},
        {"num_classes": 0},
        {"num_classes": 0, "with_pool": False},
        {"features_only": True},
    ):
        paddle.seed(3)
        network = create_model("oct_mobilenet_v1", pretrained=True, **options, **SMALL)
        stem = network.features[0][0].weight.numpy()
        np.testing.assert_array_equal(stem, own["conv1.0.weight"])
        if options.get("num_classes") == 10:
            np.testing.assert_array_equal(network.fc.weight.numpy(), fresh.fc.weight.numpy())
    assert [name for name in cached(published) if "sha256" not in name] == [FILE, CONVERTED]
    whole = create_model("oct_mobilenet_v1", pretrained=True, **SMALL)  # the cache has it all
    np.testing.assert_array_equal(whole.fc.bias.numpy(), own["classifer.bias"])


def test_a_backbone_without_the_last_convolution(server):
    file = server.folder / "mobilenet_v2_100_alpha-0.375.params"
    file.write_bytes(golden.params_file("mobilenet_v2_100"))
    options = {"alpha": 0.375, "pretrained": True}
    backbone = create_model("oct_mobilenet_v2", features_only=True, **options)
    features = create_model("oct_mobilenet_v2", num_classes=0, **options)
    last = golden.parameters("mobilenet_v2_100")["tail.0.weight"]
    np.testing.assert_array_equal(features.last[0].weight.numpy(), last)
    assert not hasattr(backbone, "last")


def message_of(*arguments, **options):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        create_model(*arguments, pretrained=True, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("kind", ["offline", "no such file", "breaks off", "another page"])
def test_a_download_that_fails_says_where_the_file_belongs(server, monkeypatch, kind):
    content = b"x" * 100_000 if kind == "breaks off" else b"<!DOCTYPE html> please log in"
    if kind != "no such file":
        (server.folder / FILE).write_bytes(content)
    server.breaks_off = kind == "breaks off"
    if kind == "offline":
        move_published(monkeypatch, "http://127.0.0.1:9/")
    message = message_of("oct_mobilenet_v1", **SMALL)
    assert published_weights("oct_mobilenet_v1")[0].address in message
    assert str(server.cache / FILE) in message
    if kind == "another page":
        assert "not an MXNet parameter file (it begins with b'<!DOCTYP')" in message
    else:
        assert "could not be downloaded" in message
    # Nothing that would be taken for the weights next time.
    assert not {FILE, CONVERTED} & set(cached(server))


def test_a_file_put_there_by_hand(server):
    server.cache.mkdir()
    place = server.cache / FILE
    place.write_bytes(b"something else")
    message = message_of("oct_mobilenet_v1", **SMALL)
    assert f"{place}: not an MXNet" in message
    assert "delete it, or put another there" in message
    assert place.exists()
    place.write_bytes(golden.params_file("mobilenet_v1_075"))
    create_model("oct_mobilenet_v1", pretrained=True, **SMALL)
    assert server.asked == []
    assert (server.cache / f"{FILE}.sha256").is_file()


def test_a_file_that_was_changed_since_its_first_use_is_noticed(published):
    def load():
        return create_model("oct_mobilenet_v1", pretrained=True, **SMALL)

    stem = load().features[0][0].weight.numpy()
    digest = hashlib.sha256((published.cache / FILE).read_bytes()).hexdigest()
    assert (published.cache / f"{FILE}.sha256").read_text() == f"{digest}  {FILE}\n"
    for name in (FILE, CONVERTED):  # one bit of a weight, which no reader of the format sees
        content = bytearray((published.cache / name).read_bytes())
        content[len(content) // 2] ^= 1
        (published.cache / name).write_bytes(content)
    message = message_of("oct_mobilenet_v1", **SMALL)
    assert f"{published.cache / FILE} was changed since its first use" in message
    (published.cache / FILE).write_bytes((published.folder / FILE).read_bytes())
    np.testing.assert_array_equal(load().features[0][0].weight.numpy(), stem)  # converted again
    assert published.asked == [f"/{FILE}"]


def test_a_published_sum_is_checked(published, monkeypatch):
    (weights,) = [w for w in published_weights("oct_mobilenet_v1") if w.options == SMALL]
    digest = hashlib.sha256((published.folder / FILE).read_bytes()).hexdigest()
    for sha256 in ("0" * 64, digest):
        known = dataclasses.replace(weights, sha256=sha256)
        monkeypatch.setattr(pretrained, "_PUBLISHED", [known])
        if sha256 != digest:
            message = message_of("oct_mobilenet_v1", **SMALL)
            assert f"its sha256 is not {sha256}" in message
            assert cached(published) == []
    create_model("oct_mobilenet_v1", pretrained=True, **SMALL)
    assert cached(published) == [FILE, CONVERTED, CONVERTED + ".sha256"]


def test_what_a_killed_download_left_is_removed(published):
    old, new = (published.cache / f".download-{age}" for age in ("old", "new"))
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / FILE).write_bytes(b"half of it")
    os.utime(old, (0, 0))
    create_model("oct_mobilenet_v1", pretrained=True, **SMALL)
    assert not old.exists()
    assert new.exists()  # another process may still be at it


def test_a_cache_that_cannot_be_written_does_no_harm(published, monkeypatch):
    from paddle_oct.base import files

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    create_model("oct_mobilenet_v1", pretrained=True, **SMALL)
    assert not [name for name in cached(published) if name.startswith((".", "paddle_oct"))]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "oct_mobilenet_v1",
            {"alpha": 0.25},
            "no published weights of oct_mobilenet_v1 with alpha=0.25, scale=1.0, only of "
            "oct_mobilenet_v1 with alpha=0.375, scale=0.75; oct_mobilenet_v1 with alpha=0.5",
        ),
        ("oct_mobilenet_v1", {"alpha": [0.5, 0.5, 0.5, 0.25]}, "alpha=[0.5, 0.5, 0.5, 0.25]"),
        ("oct_mobilenet_v1", {"l2h": False}, "alpha=0.5, scale=1.0, l2h=False, only of"),
        ("oct_mobilenet_v1", {"downsample": "strided_conv"}, "downsample='strided_conv', only of"),
        ("oct_resnet152_v1f", {}, "oct_resnet152_v1f with alpha=0.5, only of"),
        ("oct_resnet50", {}, "no published weights of oct_resnet50, only of oct_mobilenet_v1 with"),
        ("mobilenet_v1", {"scale": 0.25}, "no ImageNet weights for mobilenet_v1 with scale=0.25"),
    ],
)
def test_a_combination_without_weights(server, name, options, message):
    assert message in message_of(name, **options)
    assert server.asked == []


def test_what_pretrained_may_be(tmp_path):
    with pytest.raises(TypeError, match="pretrained must be True, False, 'vanilla' or a file, got"):
        create_model("oct_mobilenet_v1", pretrained=0.5)
    with pytest.raises(ValueError, match=r"nowhere\.params': no such file"):
        create_model("oct_mobilenet_v1", pretrained=tmp_path / "nowhere.params")
    create_model("oct_mobilenet_v1", pretrained=None, scale=0.25)
    create_model("oct_mobilenet_v1", False, scale=0.25)


def test_vanilla_weights_are_the_start_of_an_octave_network(server, monkeypatch):
    vanilla = paddle.vision.models.mobilenet_v1()
    paddle.save(vanilla.state_dict(), str(server.folder / "mobilenetv1.pdparams"))
    address = f"{server.address}mobilenetv1.pdparams"
    md5 = hashlib.md5((server.folder / "mobilenetv1.pdparams").read_bytes()).hexdigest()
    monkeypatch.setitem(VANILLA_WEIGHTS, "mobilenet_v1", (address, md5))
    octave = create_model("oct_mobilenet_v1", pretrained="vanilla", alpha=0.25, num_classes=10)
    again = create_model("oct_mobilenet_v1", pretrained="vanilla", alpha=0)
    same = create_model("mobilenet_v1", pretrained=True)
    assert server.asked == ["/mobilenetv1.pdparams"]
    stem = vanilla.conv1[0].weight.numpy()
    for network in (octave, again):
        np.testing.assert_array_equal(network.features[0][0].weight.numpy(), stem)
    assert octave.fc.weight.shape == [1024, 10]
    for network in (again, same):
        np.testing.assert_array_equal(network.fc.weight.numpy(), vanilla.fc.weight.numpy())


def test_the_sum_in_paddles_table_is_checked(server, monkeypatch):
    (server.folder / "resnet18.pdparams").write_bytes(b"not what was promised")
    address = f"{server.address}resnet18.pdparams"
    monkeypatch.setitem(VANILLA_WEIGHTS, "resnet18", (address, VANILLA_WEIGHTS["resnet18"][1]))
    with pytest.raises(ValueError, match=r"resnet18\.pdparams could not be downloaded"):
        create_model("oct_resnet18", pretrained="vanilla")


def test_every_builder_takes_pretrained(published, monkeypatch, tmp_path):
    """First, as those of paddle.vision.models; with the meaning that it has in create_model."""
    network = oct_mobilenet_v1(True, **SMALL)
    own = golden.parameters("mobilenet_v1_075")["conv1.0.weight"]
    np.testing.assert_array_equal(network.features[0][0].weight.numpy(), own)
    again = oct_mobilenet(pretrained=published.cache / FILE, **SMALL)
    np.testing.assert_array_equal(again.fc.bias.numpy(), network.fc.bias.numpy())
    for build, pretrained_, options, message in (
        (oct_resnet50, True, {"num_classes": 3}, "no published weights of oct_resnet50, only of"),
        (oct_resnet18, "nowhere.pdparams", {}, r"oct_resnet18: pretrained='nowhere\.pdparams'"),
        (oct_mobilenet, True, {"alpha": 0.25}, "oct_mobilenet_v1 with alpha=0.25, scale=1.0, only"),
    ):
        with pytest.raises(ValueError, match=message):
            build(pretrained_, **options)
    assert oct_mobilenet_v1(pretrained=False, scale=0.25, num_classes=3).fc.weight.shape == [256, 3]
    with pytest.raises(TypeError, match="alhpa"):
        oct_resnet18(alhpa=0.5)
    for name in list_models():
        with pytest.raises(TypeError, match="pretrained must be True, False, 'vanilla' or a file"):
            getattr(models, name)(pretrained=0.5)


def test_an_archive_is_not_unpacked(server, monkeypatch):
    """As the download of Paddle's would do with whatever looks like one."""
    with zipfile.ZipFile(server.folder / FILE, "w") as archive:
        archive.writestr("evil/file", "content")
    assert "not an MXNet parameter file" in message_of("oct_mobilenet_v1", **SMALL)
    assert cached(server) == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("oct_mobilenet_v1", {"scale": 0.5}, "no ImageNet weights for oct_mobilenet_v1 with scale"),
        ("oct_resnet200", {}, "no ImageNet weights for oct_resnet200"),
        ("oct_mobilenet_v2", {}, "no way from the weights of its vanilla network to its own"),
        ("oct_densenet121", {}, "no way from the weights of its vanilla network to its own"),
    ],
)
def test_networks_without_vanilla_weights(server, name, options, message):
    with pytest.raises(ValueError, match=message):
        create_model(name, pretrained="vanilla", **options)
    assert server.asked == []


def test_what_is_published():
    published = published_weights()
    assert len(published) == 6
    assert {weights.model for weights in published} < set(list_models())
    assert [w.file for w in published_weights("*mobilenet_v2")] == [
        "mobilenet_v2_100_alpha-0.375.params",
        "mobilenet_v2_1125_alpha-0.5.params",
    ]
    assert pretrained.AUTHORS_ADDRESS == "https://dl.fbaipublicfiles.com/octconv/others/"


def test_the_preprocessing_is_that_of_the_authors():
    assert preprocessing("oct_se_resnet152_v1e") == {
        "size": 224,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "short_side": 256,
    }
    with pytest.raises(ValueError, match="did you mean oct_mobilenet_v1"):
        preprocessing("oct_mobilnet_v1")
