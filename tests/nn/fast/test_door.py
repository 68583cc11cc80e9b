"""The door of the fast room: it can be shut, hooks change nothing, and threads don't meet in it."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import paddle
import pytest

import paddle_oct.nn
from paddle_oct import OctaveConv, oct_mobilenet_v1
from paddle_oct.nn import fast_kernels, split

NN = Path(paddle_oct.nn.__file__).parent


def small_network():
    paddle.seed(3)
    return oct_mobilenet_v1(scale=0.25, num_classes=7)


def step(network, x):
    """Outputs and gradients of a training step."""
    network.clear_gradients()
    y = network(x)
    (y**2).sum().backward()
    return y.numpy(), {n: p.grad.numpy() for n, p in network.named_parameters() if p.trainable}


def assert_equal_but_for_rounding(a, b):
    np.testing.assert_allclose(a[0], b[0], rtol=1e-3, atol=1e-4 * np.abs(b[0]).max())
    for name, gradient in b[1].items():
        scale = np.abs(gradient).max()
        np.testing.assert_allclose(a[1][name], gradient, atol=1e-2 * scale, err_msg=name)


def test_open_and_shut_give_the_same():
    x = paddle.randn([2, 3, 64, 64])
    fast = step(small_network(), x)
    with fast_kernels(False):
        plain = step(small_network(), x)
    assert_equal_but_for_rounding(fast, plain)
    assert any((fast[1][name] != plain[1][name]).any() for name in fast[1])  # something ran


def test_the_switch_is_put_back_and_nests():
    conv, x = OctaveConv(128, 128, 1), split(paddle.randn([4, 128, 2, 2]), 0.5)
    with paddle.no_grad():
        fast = conv(x)[0].numpy()
        with fast_kernels(False):
            plain = conv(x)[0].numpy()
            with fast_kernels(True):
                np.testing.assert_array_equal(conv(x)[0].numpy(), fast)
            np.testing.assert_array_equal(conv(x)[0].numpy(), plain)
        np.testing.assert_array_equal(conv(x)[0].numpy(), fast)
    assert (fast != plain).any()


@pytest.mark.parametrize(("value", "expected"), [("0", "False"), ("off", "False"), ("1", "True")])
def test_the_environment_shuts_it(value, expected):
    code = "from paddle_oct.nn.fast.switch import may_run; print(may_run())"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PADDLE_OCT_FAST": value},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert run.stdout.strip() == expected


def test_a_hook_changes_nothing_but_rounding():
    x = paddle.randn([2, 3, 64, 64])
    plain = step(small_network(), x)
    hooked, calls = small_network(), []
    for layer in hooked.sublayers(include_self=True):
        layer.register_forward_post_hook(lambda part, inputs, y: calls.append(part) and None)
    assert_equal_but_for_rounding(step(hooked, x), plain)
    assert len(calls) >= len(hooked.sublayers())


def test_networks_train_in_threads_of_their_own():
    x = paddle.randn([2, 3, 32, 32])
    expected = step(small_network(), x)
    networks, results, errors = [small_network() for _ in range(3)], {}, []

    def train(index):
        try:
            for _ in range(4):
                results[index] = step(networks[index], x)
        except BaseException as error:
            errors.append(error)

    # Running statistics differ after more steps; outputs in training mode don't depend on them.
    threads = [threading.Thread(target=train, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for result in results.values():
        assert_equal_but_for_rounding(result, expected)


def stays(conv, x):
    """The files of the heart that a call of ``forward`` enters, in order; the fast room is one."""
    entered = []

    def trace(frame, event, _):
        path = Path(frame.f_code.co_filename)
        if event == "call" and NN in path.parents:
            name = "the door" if path.parent.name == "fast" else path.stem
            if not entered or entered[-1] != name:
                entered.append(name)

    sys.setprofile(trace)
    try:
        conv(x)
    finally:
        sys.setprofile(None)
    return entered


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
def test_an_input_passes_through_three_files(stride, gradients):
    conv = OctaveConv(64, 64, 3, padding=1, stride=stride)
    x = split(paddle.randn([2, 64, 8, 8]), 0.5)
    with paddle.set_grad_enabled(gradients):
        entered = stays(conv, x)
    assert set(entered) == {"octave_conv", "feature", "the door"}
    callees = [name for name in entered if name != "octave_conv"]
    # Checked by the feature once, then computed behind the door: never back.
    assert callees[0] == "feature"
    assert set(callees[1:]) == {"the door"}
