"""Private names of Paddle's are what this package takes them for."""

import paddle

from paddle_oct.base.private import optimizer_of


def test_the_optimizer_of_a_model():
    network = paddle.nn.Linear(2, 2)
    optimizer = paddle.optimizer.SGD(0.25, parameters=network.parameters())
    model = paddle.Model(network)
    model.prepare(optimizer, paddle.nn.CrossEntropyLoss())
    assert optimizer_of(model) is optimizer
    assert optimizer_of(model).get_lr() == 0.25
