"""What the kinds of convolution cost, by the formulas of their papers."""

import pytest

from paddle_oct.cost import compare_convolutions


@pytest.mark.parametrize("stride", [1, 2])
def test_formulas(stride):
    m, n, k, size, groups, p = 32, 48, 3, 28, 4, 8
    rows = compare_convolutions(m, n, k, size, stride, groups, p, alpha=0.5)
    dense = k * k * m * n
    expected = {
        "standard": dense,
        "grouped, 4 groups": dense // groups,
        "depthwise separable": k * k * m + m * n,
        "HetConv, p = 8": dense // p + m * n - m * n // p,
        "DualConv, 4 groups": dense // groups + m * n,
        "octave, alpha = 0.5": dense,
        "octave of HetConv": dense // p + m * n - m * n // p,
        "octave of DualConv": dense // groups + m * n,
    }
    assert {row.name: row.parameters for row in rows} == expected
    cells = (size // stride) ** 2
    for row in rows:
        # 1 - 3/4 a (2 - a); at stride 2 l2h runs at the high band's size: 1 - 3/4 a
        share = (0.4375 if stride == 1 else 0.625) if "octave" in row.name else 1
        assert row.macs == expected[row.name] * cells * share
        assert row.parameter_ratio == pytest.approx(row.parameters / dense)
        assert row.mac_ratio == pytest.approx(row.macs / (dense * cells))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"p": 3}, "p must divide"),
        ({"groups": 3}, "groups must divide"),
        ({"size": 0}, "size must be a positive integer, got 0"),
        ({"kernel_size": 4}, "kernel_size must be odd"),
        ({"alpha": 2}, r"alpha_in must be in \[0, 1\], got 2"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        compare_convolutions(64, 64, **arguments)


def test_octaves_of_a_kind_need_bands_that_divide():
    names = [row.name for row in compare_convolutions(6, 4, groups=2, p=3)]
    assert names[-1] == "octave of HetConv"  # bands of 3 and 2 channels: p = 3 divides, 2 does not
