"""The MAC counter against paddle.flops, against formulas, and against the paper's table."""

import paddle
import pytest
from helpers import slow_but
from paddle import nn

from paddle_oct import OctaveConv
from paddle_oct.base.private import is_hooked
from paddle_oct.cost import count_macs

COUNTED = (nn.Conv2D, nn.Linear)


def flops_of_convolutions(net, size):
    """paddle.flops with everything but convolutions and linear layers counted as nothing."""
    others = {type(layer) for layer in net.sublayers() if not isinstance(layer, COUNTED)}
    return paddle.flops(net, size, custom_ops={kind: lambda *_: None for kind in others})


class Split(nn.Layer):
    """Feed one octave layer; its cost depends on sizes alone."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        high, low = self.layer.in_bands
        return self.layer(
            (x[:, :high] if high else None, x[:, :low, ::2, ::2] if low else None),
        )


# Networks without biases on their convolutions, which paddle.flops counts.
@pytest.mark.parametrize(
    "name",
    slow_but(
        ["mobilenet_v1", "resnet18"],
        ["mobilenet_v1", "mobilenet_v2", "resnet18", "shufflenet_v2_x0_25"],
    ),
)
def test_as_paddle_flops(name):
    net = getattr(paddle.vision.models, name)(num_classes=7)
    for size in ([1, 3, 64, 64], [2, 3, 65, 97]):
        assert count_macs(net, size) == flops_of_convolutions(net, size) > 0


@pytest.mark.parametrize(
    ("layer", "size", "expected"),
    [
        (nn.Conv2D(3, 8, 3, padding=1), (1, 3, 10, 10), 100 * 8 * 3 * 9),
        (nn.Conv2D(3, 8, 3), (2, 3, 10, 10), 2 * 64 * 8 * 3 * 9),
        (nn.Conv2D(4, 8, (1, 3), groups=2, stride=2), (1, 4, 9, 9), 5 * 4 * 8 * 2 * 3),
        (nn.Conv2D(8, 8, 3, padding=2, dilation=2, groups=8), (1, 8, 5, 5), 25 * 8 * 9),
        (nn.Conv1D(2, 4, 3), (1, 2, 12), 10 * 4 * 2 * 3),
        (nn.Linear(5, 7), (1, 5), 35),
        (nn.Linear(5, 7, bias_attr=False), (2, 3, 5), 6 * 35),
        (nn.Sequential(nn.Conv2D(3, 4, 1), nn.BatchNorm2D(4), nn.ReLU()), (1, 3, 5, 5), 25 * 12),
    ],
    ids=lambda v: type(v).__name__,
)
def test_formulas(layer, size, expected):
    assert count_macs(layer, size) == expected


def test_a_layer_that_runs_twice_counts_twice():
    conv = nn.Conv2D(4, 4, 3, padding=1)
    assert count_macs(nn.Sequential(conv, nn.ReLU(), conv), (1, 4, 6, 6)) == 2 * 36 * 16 * 9


@pytest.mark.parametrize(
    ("alpha", "percent"),
    [(0, 100), (0.125, 82), (0.25, 67), (0.5, 44), (0.75, 30), (0.875, 26), (1, 25)],
)
@pytest.mark.parametrize("kernel", [1, 3])
def test_cost_of_one_octave_convolution(alpha, percent, kernel):
    """Table 1 of the paper, and its formula without rounding."""
    layer = OctaveConv(16, 32, kernel, alpha, alpha, padding=kernel // 2)
    macs = count_macs(Split(layer), (1, 16, 8, 8))
    vanilla = 64 * 16 * 32 * kernel**2
    assert macs == vanilla * (1 - 0.75 * alpha * (2 - alpha))
    assert int(100 * macs / vanilla + 0.5) == percent


def test_the_model_is_left_as_it_was():
    net = nn.Sequential(nn.Conv2D(3, 4, 3), nn.BatchNorm2D(4), nn.Dropout(0.5))
    net.train()
    net[1].eval()  # frozen statistics, as in fine-tuning
    before = {n: v.numpy().copy() for n, v in net.state_dict().items()}
    count_macs(net, (2, 3, 8, 8))
    assert [net.training, *(layer.training for layer in net)] == [True, True, False, True]
    assert all((before[n] == v.numpy()).all() for n, v in net.state_dict().items())
    assert not any(is_hooked(layer) for layer in net.sublayers(include_self=True))
    assert count_macs(net, (2, 3, 8, 8)) == 2 * 36 * 12 * 9  # not twice that


def test_the_model_is_left_as_it_was_after_a_failure():
    net = nn.Sequential(nn.Conv2D(3, 4, 3), nn.Linear(1, 1))
    with pytest.raises(ValueError, match=r"."):
        count_macs(net, (1, 5, 8, 8))
    assert all(layer.training for layer in net.sublayers(include_self=True))
    assert not any(is_hooked(layer) for layer in net.sublayers(include_self=True))


@pytest.mark.parametrize("size", [(8, 8), (56, 56)], ids=str)
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("groups", [1, 16])
def test_the_kernels_of_eager_mode_do_not_change_the_count(size, kernel, groups):
    """Whatever computes an octave convolution, up-sampling costs no multiply-accumulates."""
    options = {"padding": kernel // 2, "groups": groups}
    layer = OctaveConv(32, 32, kernel, 0.5, 0.5, **options)
    # h2h at the full size, h2l, l2h and l2l at a quarter of it, each from 16 channels to 16.
    expected = 16 * (16 // groups) * kernel**2 * size[0] * size[1] * 7 // 4
    assert count_macs(layer, (1, 32, *size)) == expected
    assert count_macs(nn.Sequential(Split(layer)), (1, 32, *size)) == expected
