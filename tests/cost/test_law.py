"""The laws of the paper's Table 1, against its printed percentages."""

import pytest

from paddle_oct.cost import macs_law, memory_law


@pytest.mark.parametrize(
    ("alpha", "macs", "memory"),
    [(0, 100, 100), (0.125, 82, 91), (0.25, 67, 81), (0.5, 44, 63), (0.75, 30, 44), (1, 25, 25)],
)
def test_table_1(alpha, macs, memory):
    assert int(100 * macs_law(alpha) + 0.5) == macs
    assert int(100 * memory_law(alpha) + 0.5) == memory
