"""The private settings of Paddle's batch-norms, against what the norms compute."""

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_oct.base.private import norm_settings


@pytest.mark.parametrize(
    ("norm", "act", "of_batch"),
    [
        (lambda: nn.BatchNorm2D(3, epsilon=0.1), None, False),
        (lambda: nn.BatchNorm2D(3, epsilon=0.1, use_global_stats=True), None, False),
        (lambda: nn.BatchNorm2D(3, epsilon=0.1, use_global_stats=False), None, True),
        (lambda: nn.BatchNorm(3, epsilon=0.1, act="relu"), "relu", False),
        (lambda: nn.BatchNorm(3, epsilon=0.1, trainable_statistics=True), None, True),
    ],
    ids=["2D", "2D, global", "2D, batch", "older", "older, batch"],
)
def test_norm_settings(norm, act, of_batch):
    norm = norm()
    norm.eval()
    settings = norm_settings(norm)
    assert settings.epsilon == 0.1
    assert settings.data_format == "NCHW"
    assert (settings.act, settings.of_batch) == (act, of_batch)
    settings.mean.set_value(paddle.to_tensor([0.5, 1.0, -1.0]))
    settings.variance.set_value(paddle.to_tensor([0.1, 0.2, 3.0]))
    x = paddle.randn([2, 3, 4, 4])
    if of_batch:
        mean, variance = x.mean([0, 2, 3]), x.var([0, 2, 3], unbiased=False)
    else:
        mean, variance = settings.mean, settings.variance
    mean, variance = mean.reshape([1, 3, 1, 1]), variance.reshape([1, 3, 1, 1])
    expected = ((x - mean) / (variance + 0.1).sqrt()).numpy()
    if act:
        expected = np.maximum(expected, 0)
    np.testing.assert_allclose(norm(x).numpy(), expected, atol=1e-5)
