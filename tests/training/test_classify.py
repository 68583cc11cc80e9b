"""What a trained network answers about image files."""

import numpy as np
import paddle
import pytest
from paddle import nn
from PIL import Image

from paddle_oct import create_model
from paddle_oct.training import Preprocessing, Trained, classify, find_network, read_input

HALF = Preprocessing(size=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.25, 0.5))


@pytest.fixture
def images(tmp_path):
    paths = [tmp_path / f"{name}.png" for name in "ab"]
    for path in paths:
        Image.fromarray(np.random.randint(0, 256, (32, 32, 3), "uint8")).save(path)
    return paths


def test_an_input_is_the_normalised_pixels(images):
    pixels = np.asarray(Image.open(images[0]), "float32") / 255
    expected = ((pixels - HALF.mean) / HALF.std).transpose(2, 0, 1)[None]
    np.testing.assert_allclose(read_input(images[0], HALF).numpy(), expected, atol=1e-5)


def test_the_most_probable_classes_come_first(images):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 5))
    weight, bias = (tensor.numpy() for tensor in network[1].parameters())
    answers = classify(Trained(network, HALF, tuple("abcde"), True, ""), images, top=3)
    for path, answer in zip(images, answers):
        exponentials = np.exp(read_input(path, HALF).numpy().reshape(-1) @ weight + bias)
        probabilities = (exponentials / exponentials.sum()).tolist()
        best = sorted(zip(probabilities, "abcde"), reverse=True)[:3]
        assert [name for name, _ in answer] == [name for _, name in best]
        np.testing.assert_allclose([p for _, p in answer], [p for p, _ in best], rtol=1e-4)


def test_a_name_with_weights_from_a_file(tmp_path):
    saved = create_model("oct_mobilenet_v1", scale=0.25, num_classes=5)
    paddle.save(saved.state_dict(), str(tmp_path / "some.pdparams"))
    options = {"scale": 0.25, "num_classes": 5}
    network, size = find_network(
        "oct_mobilenet_v1", options, weights=str(tmp_path / "some.pdparams")
    )
    assert size == 224
    for key, tensor in saved.state_dict().items():
        np.testing.assert_array_equal(network.state_dict()[key].numpy(), tensor.numpy())
    assert find_network("oct_mobilenet_v1", options, image_size=32)[1] == 32
