"""What the two bands of an octave feature hold: their maps and their power spectra."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from paddle import Tensor, nn

from paddle_oct.base.figures import BLUE, VERMILION, new_figure, save_figure
from paddle_oct.base.files import check_output
from paddle_oct.base.names import look_up

from .hooks import evaluation_run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HIGH, _LOW = BLUE, VERMILION
_SHOWN = 6  # maps of each band


class RadialSpectrum(NamedTuple):
    """The power of maps by spatial frequency, averaged over all directions.

    Attributes:
        frequency: ``[rings]``, the middle of every ring, in cycles per unit of length.
        power: ``[rings]``, the mean power of a ring's frequencies.
        count: ``[rings]``, how many frequencies there are in a ring. By Parseval's theorem
            ``(power * count).sum()`` is the mean square of the maps.
    """

    frequency: np.ndarray
    power: np.ndarray
    count: np.ndarray  # pyright: ignore[reportIncompatibleMethodOverride]


def radial_power_spectrum(maps: np.ndarray, spacing: float = 1.0) -> RadialSpectrum:
    """Return the radially averaged power spectrum of maps, the mean over all of them.

    Args:
        maps: ``[..., H, W]``.
        spacing: the distance between neighbouring cells, in the unit of length of the frequencies.

    Returns:
        The spectrum in rings of width ``1 / min(H, W) / spacing``, the first around frequency 0.

    Raises:
        ValueError: the maps have fewer than two dimensions, or no cells.

    Examples:
        >>> import numpy as np
        >>> from paddle_oct.views import radial_power_spectrum
        >>> wave = np.cos(2 * np.pi * 3 / 16 * np.arange(16)) * np.ones([16, 1])
        >>> spectrum = radial_power_spectrum(wave)
        >>> float(spectrum.frequency[spectrum.power.argmax()])  # 3 cycles in 16 cells
        0.1875
    """
    maps = np.asarray(maps, dtype="float64")
    if maps.ndim < 2 or maps.size == 0:
        raise ValueError(
            f"radial_power_spectrum: expected maps [..., H, W] with cells, got {list(maps.shape)}"
        )
    height, width = maps.shape[-2:]
    power = np.abs(np.fft.fft2(maps) / (height * width)) ** 2
    power = power.reshape(-1, height * width).mean(axis=0)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)).ravel()
    shorter = min(height, width)
    ring = np.rint(radius * shorter).astype(int)
    count = np.bincount(ring)
    mean = np.bincount(ring, weights=power) / np.maximum(count, 1)
    return RadialSpectrum(np.arange(len(count)) / shorter / spacing, mean, count)


def octave_bands(network: nn.Layer, layer: str, x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Run a network and return the two bands that one of its layers returns.

    Args:
        network: any network that takes one Tensor; it is left unchanged.
        layer: the name of a sub-layer, as in ``network.named_sublayers()``.
        x: the network's input, ``[N, C, H, W]``.

    Returns:
        ``high`` ``[N, C - C_l, H, W]`` and ``low`` ``[N, C_l, ceil(H / 2), ceil(W / 2)]``.

    Raises:
        ValueError: there is no such layer (the message suggests the nearest names), it does not
            run, or it does not return a pair of two bands.
    """
    found = look_up(layer, dict(network.named_sublayers()), f"layer of {type(network).__name__}")
    seen: dict[int, Any] = {}

    def keep(where: nn.Layer, _: Any, output: Any) -> None:
        if where is found:
            seen[0] = output

    evaluation_run(network, x, keep)
    if not seen:
        raise ValueError(f"layer {layer!r} of {type(network).__name__} did not run")
    output = seen[0]
    kind = f"layer {layer!r} ({type(found).__name__})"
    if not isinstance(output, (tuple, list)) or len(output) != 2:
        raise ValueError(f"{kind} gives no pair (high, low) but {type(output).__name__}")
    for band, name, other in zip(output, ("high", "low"), ("low", "high")):
        if not isinstance(band, Tensor):
            raise ValueError(f"{kind} gives no {name} band here, only a {other} one")
    high, low = output
    return high.astype("float32").numpy(), low.astype("float32").numpy()


def draw_frequencies(
    network: nn.Layer,
    layer: str,
    x: Tensor,
    path: str | Path,
    image: Any = None,
) -> None:
    """Draw what the two bands of a layer hold for one image, and their power spectra, as a PNG.

    The picture has the maps of each band that vary most, all at one size although a low map has a
    quarter of the cells, and the radially averaged power spectra. A low map can't hold frequencies
    of the upper octave, from 1/4 to 1/2 cycles per cell of the high band.

    Args:
        network: a trained network; it is left unchanged.
        layer: the name of a sub-layer that returns an octave feature.
        x: the network's input, ``[1, 3, H, W]``.
        path: the file to write, ``*.png``; one that exists is replaced.
        image: the image to show beside the maps, ``[H, W, 3]`` or a ``PIL.Image``; by default
            ``x``, scaled to [0, 1].

    Raises:
        ValueError: as :func:`octave_bands`, or there is more than one image, or the file can't be
            written.
    """
    path = check_output(path, force=True, suffixes=[".png"])
    if x.shape[0] != 1:
        raise ValueError(f"draw_frequencies: expected one image [1, C, H, W], got {x.shape}")
    high, low = octave_bands(network, layer, x)
    figure = _figure(high[0], low[0], _picture(x) if image is None else image, layer)
    try:
        save_figure(figure, path, dpi=110)
    except OSError as error:
        raise ValueError(f"{path}: can't be written ({error.strerror})") from error


def _picture(x: Tensor) -> np.ndarray:
    pixels = x[0].numpy().transpose(1, 2, 0)
    low, high = pixels.min(), pixels.max()
    pixels = (pixels - low) / max(high - low, 1e-12)
    return pixels if pixels.shape[2] == 3 else pixels.mean(axis=2)


def _figure(high: np.ndarray, low: np.ndarray, image: Any, layer: str) -> Figure:
    figure = new_figure(12, 6.6)
    figure.suptitle(f"What the two bands of {layer} hold")
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    top, bottom = parts

    grid = top.add_gridspec(2, _SHOWN + 2)
    axes = top.add_subplot(grid[:, :2])
    axes.imshow(image, cmap="gray")
    axes.set_title("image", fontsize=10)
    axes.axis("off")
    for row, maps, name, color in ((0, high, "high", _HIGH), (1, low, "low", _LOW)):
        order = np.argsort(-maps.var(axis=(1, 2)))[:_SHOWN]
        for column, channel in enumerate(order):
            axes = top.add_subplot(grid[row, 2 + column])
            axes.set(xticks=[], yticks=[])
            axes.imshow(maps[channel], cmap="gray", interpolation="nearest")
            for spine in axes.spines.values():
                spine.set(color=color, linewidth=2)
            axes.set_xlabel(f"channel {channel}", fontsize=8)
            if column == 0:
                axes.set_ylabel(f"{name}\n{'x'.join(map(str, maps.shape))}", color=color)

    _draw_spectra(bottom.subplots(), high, low)
    return figure


def _draw_spectra(axes: Any, high: np.ndarray, low: np.ndarray) -> None:
    for maps, spacing, style in (
        (high, 1, {"color": _HIGH, "marker": "o", "label": "high band"}),
        (low, 2, {"color": _LOW, "marker": "s", "label": "low band"}),
    ):
        varying = maps - maps.mean(axis=(1, 2), keepdims=True)
        varying = varying / np.sqrt(max((varying**2).mean(), 1e-24))
        frequency, power, _ = radial_power_spectrum(varying, spacing)
        density = power * maps[0].size * spacing**2
        # Frequency 0 is the mean; beyond half a cycle per cell the corners cut the rings off.
        whole = (frequency > 0) & (frequency <= 0.5 / spacing)
        # A constant band has no power, and a logarithmic axis can't show 0.
        axes.plot(frequency[whole], np.maximum(density[whole], 1e-9), markersize=4, **style)
    axes.axvspan(0.25, 0.5, color="#999999", alpha=0.25, linewidth=0)
    axes.text(
        2**-1.5, 0.96, "the upper octave:\nthe high band alone", fontsize=9,
        transform=axes.get_xaxis_transform(), ha="center", va="top",
    )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    first = int(np.floor(np.log2(1 / min(high.shape[1:]))))
    axes.set_xlim(2.0**first, 0.5)
    octaves = range(first, 0)
    axes.set_xticks([2.0**k for k in octaves], [f"1/{2**-k}" for k in octaves])
    axes.set_xlabel("spatial frequency (cycles per cell of the high band)")
    axes.set_ylabel("power density\n(variance of a band = 1)")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
