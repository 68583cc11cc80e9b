import io
import lzma
import os
import pickle
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle.vision.datasets import Cifar10, Cifar100
from PIL import Image
from sklearn import datasets as sklearn_datasets

from paddle_oct.training import Recipe, evaluate, fit, load_data, read_image
from paddle_oct.training.data.cifar import _CIFAR100_CLASSES

SHARED = Path(__file__).parents[3] / "shared" / "cifar10"


def write_cifar10(path, train, test):
    """Write ``(images [N, 3072] uint8, labels)`` in the layout of the published archive."""
    parts = {f"data_batch_{k + 1}": tuple(part[k::5] for part in train) for k in range(5)}
    parts["test_batch"] = test
    with tarfile.open(path, "w:gz") as archive:
        for name, (images, labels) in parts.items():
            data = pickle.dumps({b"data": images, b"labels": list(labels)}, protocol=2)
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


@pytest.fixture
def cifar10(tmp_path):
    random = np.random.RandomState(0)
    images = random.randint(0, 256, (60, 3072), dtype="uint8")
    labels = random.randint(0, 10, 60).tolist()
    path = tmp_path / "cifar-10-python.tar.gz"
    write_cifar10(path, (images[:50], labels[:50]), (images[50:], labels[50:]))
    return path, images, labels


def denormalised(data, x):
    """Undo the normalisation; return uint8 [H, W, 3]."""
    mean, std = np.array(data.preprocessing.mean), np.array(data.preprocessing.std)
    return ((x.transpose(1, 2, 0) * std + mean) * 255).round().astype("uint8")


def test_digits_are_scikit_learns():
    data = load_data("digits", image_size=8)
    original = sklearn_datasets.load_digits()
    held_out = np.arange(1797) % 5 == 0
    assert (len(data.train), len(data.test)) == (1437, 360)
    for split, chosen in ((data.train, ~held_out), (data.test, held_out)):
        images = np.stack([np.asarray(image) for image, _ in split])
        labels = [label for _, label in split]
        np.testing.assert_array_equal(labels, original.target[chosen])
        for channel in range(3):
            values = (images[..., channel] / 255 * 16).round()
            np.testing.assert_array_equal(values, original.images[chosen])


def test_inputs_are_normalised_with_the_training_sets_statistics():
    data = load_data("digits", image_size=8)
    inputs = np.stack([x for x, _ in data.train_set("none")])
    assert inputs.dtype == np.float32
    np.testing.assert_allclose(inputs.mean(axis=(0, 2, 3)), 0, atol=1e-3)
    np.testing.assert_allclose(inputs.std(axis=(0, 2, 3)), 1, atol=1e-3)


def test_the_test_set_is_whole_in_order_and_not_augmented():
    data = load_data("digits", image_size=8)
    test_set = data.test_set()
    assert len(test_set) == 360
    for index in (0, 7, 359):
        x, label = test_set[index]
        image, expected = data.test[index]
        np.testing.assert_array_equal(denormalised(data, x), np.asarray(image))
        assert label == expected
        np.testing.assert_array_equal(x, test_set[index][0])


def test_training_images_are_shifted_and_digits_never_mirrored():
    data = load_data("digits", image_size=32)
    plain = data.train_set("none")[0][0]
    background = plain.min()
    # Every augmented image must be the plain one shifted by at most four pixels.
    padded = np.pad(plain[0], 4, constant_values=background)
    shifts = [padded[i : i + 32, j : j + 32] for i in range(9) for j in range(9)]
    found = set()
    augmented = data.train_set("auto")
    for _ in range(30):
        x = augmented[0][0][0]
        found.add(next(k for k, shift in enumerate(shifts) if np.allclose(shift, x, atol=1e-5)))
    assert len(found) > 10


def test_mirroring_is_random(cifar10):
    path, *_ = cifar10
    data = load_data("cifar10", data_file=str(path))
    sums = {data.train_set("auto")[0][0][:, :, :16].sum().round(2) for _ in range(20)}
    assert len(sums) > 5


def test_cifar10_reads_the_published_layout(cifar10):
    path, images, labels = cifar10
    data = load_data("cifar10", data_file=str(path))
    assert (len(data.train), len(data.test)) == (50, 10)
    assert data.classes[3] == "cat"
    assert len(data.classes) == 10
    for index, (x, label) in enumerate(data.test_set()):
        expected = images[50 + index].reshape(3, 32, 32).transpose(1, 2, 0)
        np.testing.assert_array_equal(denormalised(data, x), expected)
        assert label == labels[50 + index]


@pytest.mark.parametrize("python", [2, 3])
def test_cifar100_is_what_paddle_reads(tmp_path, python):
    random = np.random.RandomState(0)
    path = tmp_path / "cifar-100-python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, count in (("meta", 1), ("test", 3), ("train", 5)):
            pixels = random.randint(0, 256, (count, 3072), dtype="uint8")
            labels = random.randint(0, 100, count).tolist()
            batch = {b"data": pixels, b"fine_labels": labels, b"filenames": [b"a.png"] * count}
            data = pickle.dumps(batch, protocol=2)
            if python == 2:
                data = python_2_pickle(pixels, labels)
            info = tarfile.TarInfo(f"cifar-100-python/{name}")
            info.size, info.mtime = len(data), 0.5  # a fraction takes a header of its own
            archive.addfile(info, io.BytesIO(data))
    same_as_paddle(load_data("cifar100", data_file=str(path)), Cifar100, path)


def python_2_pickle(pixels, labels):
    """Return a batch as Python 2's cPickle wrote the published ones."""
    shape = b"M" + struct.pack("<H", len(pixels)) + b"M\x00\x0c"
    return (
        b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03"
        b"U\x0bfine_labelsq\x04]q\x05("
        + b"".join(b"K" + bytes([label]) for label in labels)
        + b"eU\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00"
        b"\x85U\x01b\x87Rq\x09(K\x01" + shape
        + b"\x86cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b("
        b"K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + struct.pack("<i", pixels.size) + pixels.tobytes() + b"tbu."
    )  # fmt: skip


def same_as_paddle(data, reader, path):
    """Compare every image and label with those of Paddle's reader."""
    for mode, split in (("train", data.train), ("test", data.test)):
        theirs = reader(data_file=str(path), mode=mode, backend="pil")
        assert len(split) == len(theirs) > 0
        for (image, label), (expected, expected_label) in zip(split, theirs):
            assert image.tobytes() == expected.tobytes()
            assert label == expected_label


def test_cifar10_is_what_paddle_reads(cifar10):
    path, *_ = cifar10
    same_as_paddle(load_data("cifar10", data_file=str(path)), Cifar10, path)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/cifar10")
def test_the_whole_cifar10_is_what_paddle_reads(tmp_path):
    path = tmp_path / "cifar-10-python.tar.gz"
    subprocess.run([sys.executable, SHARED / "make_archive.py", path], check=True)
    same_as_paddle(load_data("cifar10", data_file=str(path)), Cifar10, path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/cifar10")
def test_real_cifar10_comes_out_normalised(tmp_path):
    with lzma.open(SHARED / "cifar10_test.npz.xz") as file:
        packed = np.load(io.BytesIO(file.read()))
    jpegs, ends, labels = packed["jpeg"], packed["offsets"], packed["labels"].tolist()
    pixels = np.stack(
        [
            np.asarray(Image.open(io.BytesIO(jpegs[ends[i] : ends[i + 1]].tobytes())))
            for i in range(0, 10_000, 10)  # they are sorted by class
        ]
    )
    rows = pixels.transpose(0, 3, 1, 2).reshape(1000, -1)
    write_cifar10(tmp_path / "a.tar.gz", (rows[:5], labels[:5]), (rows, labels[::10]))
    test_set = load_data("cifar10", data_file=str(tmp_path / "a.tar.gz")).test_set()
    inputs = np.stack([x for x, _ in test_set])
    np.testing.assert_allclose(inputs.mean(axis=(0, 2, 3)), 0, atol=0.1)
    np.testing.assert_allclose(inputs.std(axis=(0, 2, 3)), 1, atol=0.05)


def test_a_limit_takes_the_same_images_every_time(cifar10):
    path, *_ = cifar10
    first, second = (load_data("cifar10", data_file=str(path), limit=7) for _ in range(2))
    assert (len(first.train), len(first.test)) == (7, 7)
    for a, b in zip(first.train, second.train):
        assert a[0].tobytes() == b[0].tobytes()
    assert len(load_data("digits", limit=10**6).train) == 1437


def write_folder(root, classes, count, size=(20, 30)):
    random = np.random.RandomState(0)
    for name in classes:
        (root / name).mkdir(parents=True)
        for i in range(count):
            pixels = random.randint(0, 256, (*size, 3), dtype="uint8")
            Image.fromarray(pixels).save(root / name / f"{i:02d}.png")


def test_a_folder_of_classes_is_split(tmp_path):
    write_folder(tmp_path, ["cat", "dog"], 10)
    data = load_data("folder", data_file=str(tmp_path), image_size=16)
    assert data.classes == ("cat", "dog")
    assert sorted(label for _, label in data.train) == [0] * 8 + [1] * 8
    assert sorted(label for _, label in data.test) == [0] * 2 + [1] * 2
    assert data.train_set()[0][0].shape == data.test_set()[0][0].shape == (3, 16, 16)
    pixels = np.stack([np.asarray(image) for image, _ in data.train]) / 255
    np.testing.assert_allclose(data.preprocessing.mean, pixels.mean(axis=(0, 1, 2)), atol=1e-3)
    np.testing.assert_allclose(data.preprocessing.std, pixels.std(axis=(0, 1, 2)), atol=1e-3)


def test_a_folder_may_hold_its_own_split(tmp_path):
    write_folder(tmp_path / "train", ["a", "b", "c"], 3)
    write_folder(tmp_path / "val", ["a", "b", "c"], 2)
    data = load_data("folder", data_file=str(tmp_path))
    assert (len(data.train), len(data.test)) == (9, 6)
    (tmp_path / "val" / "c").rename(tmp_path / "val" / "d")
    with pytest.raises(ValueError, match="hold different classes"):
        load_data("folder", data_file=str(tmp_path))


def test_a_broken_image_is_named(tmp_path):
    write_folder(tmp_path, ["cat", "dog"], 3)
    broken = tmp_path / "cat" / "01.png"
    broken.write_bytes(broken.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"01\.png: can't be read as an image"):
        load_data("folder", data_file=str(tmp_path))


def test_a_broken_archive_is_named(tmp_path, cifar10):
    path, *_ = cifar10
    whole = path.read_bytes()
    truncated = tmp_path / "truncated.tar.gz"
    for length in (0, 10, 1000, len(whole) // 2, len(whole) - 5000):
        truncated.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"truncated\.tar\.gz"):
            load_data("cifar10", data_file=str(truncated))
    text = tmp_path / "notes.txt"
    text.write_text("no archive")
    with pytest.raises(ValueError, match=r"notes\.txt is truncated or not a cifar10 archive"):
        load_data("cifar10", data_file=str(text))
    with pytest.raises(ValueError, match="holds no train images of cifar100"):
        load_data("cifar100", data_file=str(path))
    with pytest.raises(ValueError, match="nowhere: no such file"):
        load_data("cifar10", data_file="nowhere")


def test_a_failed_download_says_what_to_do(monkeypatch):
    def offline(*args, **kwargs):
        raise RuntimeError("Downloading failed")

    monkeypatch.setattr(paddle.dataset.common, "download", offline)
    with pytest.raises(ValueError, match=r"--data-file .*Downloading failed"):
        load_data("cifar10")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "cifar"}, "unknown data set 'cifar'; did you mean cifar10 or cifar100"),
        ({"name": "digits", "data_file": "x"}, "option of digits 'data_file'"),
        ({"name": "digits", "limit": 0}, "limit must be at least 1, got 0"),
        ({"name": "digits", "image_size": -1}, "image_size must be at least 1, got -1"),
        ({"name": "folder"}, "name the folder"),
        ({"name": "folder", "data_file": os.devnull}, "no such folder"),
    ],
)
def test_a_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_data(**arguments)


def test_images_of_sixteen_bits_and_turned_ones_are_read_as_they_look(tmp_path):
    grey = np.arange(0, 65536, 257, dtype="uint16").reshape(16, 16)
    Image.fromarray(grey).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(
        np.asarray(read_image(tmp_path / "deep.png"))[..., 0], np.arange(256).reshape(16, 16)
    )
    upright = Image.fromarray(np.arange(6, dtype="uint8").reshape(2, 3) * 40)
    exif = Image.Exif()
    exif[0x0112] = 6  # lying on its side: to be turned by 90 degrees clockwise
    upright.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(
        np.asarray(read_image(tmp_path / "turned.png"))[..., 0],
        np.rot90(np.asarray(upright), -1),
    )


def test_cifar100_has_its_hundred_classes_in_order():
    classes = _CIFAR100_CLASSES.split()
    assert len(set(classes)) == 100
    assert classes == sorted(classes)
    assert (classes[0], classes[33], classes[99]) == ("apple", "forest", "worm")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_test_image_stops_the_run_and_is_named(tmp_path, workers):
    write_folder(tmp_path, ["a", "b"], 6)
    broken = tmp_path / "a" / "00.png"  # every fifth is in the test set
    broken.write_bytes(broken.read_bytes()[:60])
    network = paddle.nn.Sequential(paddle.nn.Flatten(), paddle.nn.Linear(3 * 16 * 16, 2))
    data = load_data("folder", data_file=str(tmp_path), image_size=16)
    recipe = Recipe(epochs=1, batch_size=4, workers=workers)
    with pytest.raises(ValueError, match=r"0\.png: can't be read as an image"):
        fit(network, data, recipe, tmp_path / "run", verbose=0)
    with pytest.raises(ValueError, match=r"0\.png: can't be read as an image"):
        evaluate(network, data)
