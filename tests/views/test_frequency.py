"""The power spectrum against waves whose spectrum is known, and the picture of two bands."""

import numpy as np
import paddle
import pytest
from paddle import nn
from PIL import Image

from paddle_oct import OctaveConv, create_model
from paddle_oct.base.private import is_hooked
from paddle_oct.views import draw_frequencies, octave_bands, radial_power_spectrum


def wave(height, width, down, across, phase=0.4):
    rows, columns = np.mgrid[:height, :width]
    return np.cos(2 * np.pi * (down * rows / height + across * columns / width) + phase)


@pytest.mark.parametrize(
    ("down", "across", "frequency"),
    [(0, 3, 3 / 32), (5, 0, 5 / 32), (3, 4, 5 / 32), (12, 9, 15 / 32), (0, 16, 16 / 32)],
)
def test_a_wave_has_its_power_in_one_ring(down, across, frequency):
    spectrum = radial_power_spectrum(wave(32, 32, down, across))
    ring = spectrum.power.argmax()
    assert spectrum.frequency[ring] == pytest.approx(frequency)
    whole = spectrum.power * spectrum.count
    assert whole[ring] == pytest.approx(whole.sum(), rel=1e-12)


@pytest.mark.parametrize("spacing", [1, 2])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (16, 24), (15, 22), (1, 8)])
def test_parseval(height, width, spacing):
    maps = np.random.default_rng(0).standard_normal([3, 5, height, width]) + 0.7
    spectrum = radial_power_spectrum(maps, spacing)
    assert (spectrum.power * spectrum.count).sum() == pytest.approx((maps**2).mean(), rel=1e-12)
    assert spectrum.count.sum() == height * width
    mean_square_of_means = (maps.mean(axis=(2, 3)) ** 2).mean()
    if min(height, width) > 1:
        assert spectrum.power[0] == pytest.approx(mean_square_of_means)
        assert spectrum.frequency[1] == pytest.approx(1 / min(height, width) / spacing)


def test_white_noise_is_flat_and_a_blurred_map_falls():
    noise = np.random.default_rng(1).standard_normal([200, 32, 32])
    density = radial_power_spectrum(noise).power * 32 * 32
    np.testing.assert_allclose(density[1:17], 1, rtol=0.1)
    blurred = (noise + np.roll(noise, 1, 2)) / 2  # |1 + exp(-i w)|^2 / 4 = cos(w / 2)^2 across
    along = np.abs(np.fft.fft(blurred, axis=2)) ** 2
    expected = np.cos(np.pi * np.fft.fftfreq(32)) ** 2 * 32
    np.testing.assert_allclose(along.mean(axis=(0, 1)), expected, rtol=0.2, atol=0.1)
    assert radial_power_spectrum(blurred).power[16] < 0.7 * radial_power_spectrum(noise).power[16]


def test_errors_of_the_spectrum():
    for maps in (np.zeros(5), np.zeros([3, 0, 4])):
        with pytest.raises(ValueError, match=r"expected maps \[..., H, W\] with cells"):
            radial_power_spectrum(maps)


@pytest.fixture(scope="module")
def network():
    paddle.seed(0)
    return create_model("oct_mobilenet_v1", scale=0.25, num_classes=10)


def test_bands_are_what_the_layer_returns(network):
    x = paddle.randn([2, 3, 40, 36])
    network.train()
    high, low = octave_bands(network, "features.2", x)
    assert network.training
    assert network.features[2][0].bn_h.training
    network.eval()
    y = network.features[0](x)
    for layer in (network.features[1], network.features[2]):
        y = layer(y)
    np.testing.assert_allclose(high, y[0].numpy(), atol=1e-6)
    np.testing.assert_allclose(low, y[1].numpy(), atol=1e-6)
    assert not any(is_hooked(layer) for layer in network.sublayers())


def test_the_picture(network, tmp_path):
    path = tmp_path / "bands.png"
    draw_frequencies(network, "features.1.1", paddle.randn([1, 3, 33, 48]), path)
    picture = np.asarray(Image.open(path).convert("RGB"))
    assert min(picture.shape[:2]) > 500
    for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):  # both spectra are drawn
        assert (picture == colour).all(axis=2).sum() > 500
    assert list(tmp_path.iterdir()) == [path]
    draw_frequencies(network, "features.1.1", paddle.zeros([1, 3, 32, 32]), path)  # flat maps


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            "features.1.l",
            r"unknown layer of OctMobileNetV1 'features.1.l'; did you mean features.1",
        ),
        ("features.0", r"layer 'features.0' \(Sequential\) gives no pair .* but Tensor"),
        ("features.13", "gives no low band here, only a high one"),
    ],
)
def test_layers_without_two_bands(network, tmp_path, layer, message):
    with pytest.raises(ValueError, match=message):
        draw_frequencies(network, layer, paddle.randn([1, 3, 32, 32]), tmp_path / "no.png")
    assert not list(tmp_path.iterdir())


def test_a_layer_that_does_not_run():
    class Unused(nn.Layer):
        def __init__(self):
            super().__init__()
            self.octave = OctaveConv(3, 4, 1, 0, 0.5)

        def forward(self, x):
            return x

    with pytest.raises(ValueError, match="layer 'octave' of Unused did not run"):
        octave_bands(Unused(), "octave", paddle.zeros([1, 3, 4, 4]))


def test_pictures_that_can_not_be_written(network, tmp_path):
    x = paddle.randn([1, 3, 32, 32])
    for path, message in (
        (tmp_path / "nowhere" / "a.png", "there is no folder"),
        (tmp_path, "is a folder"),
        (tmp_path / "a.jpg", "must end in .png"),
    ):
        with pytest.raises(ValueError, match=message):
            draw_frequencies(network, "features.1", x, path)
    with pytest.raises(ValueError, match=r"expected one image \[1, C, H, W\]"):
        draw_frequencies(network, "features.1", paddle.randn([2, 3, 32, 32]), tmp_path / "a.png")
