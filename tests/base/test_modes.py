"""Modes of layers are put back."""

import pytest
from paddle import nn

from paddle_oct.base.modes import kept_modes


def networks():
    first, second = nn.Sequential(nn.ReLU(), nn.Dropout()), nn.Sequential(nn.ReLU())
    first[1].eval()
    second.eval()
    return first, second


def modes(*nets):
    return [layer.training for net in nets for layer in net.sublayers(include_self=True)]


@pytest.mark.parametrize("training", [True, False, None])
def test_modes(training):
    nets = networks()
    before = modes(*nets)
    assert before == [True, True, False, False, False]
    with kept_modes(*nets, training=training):
        assert modes(*nets) == (before if training is None else [training] * 5)
        nets[0].train()
        nets[1].train()
    assert modes(*nets) == before


def test_modes_after_a_failure():
    nets = networks()
    before = modes(*nets)
    with pytest.raises(KeyError), kept_modes(*nets, training=True):
        raise KeyError
    assert modes(*nets) == before
