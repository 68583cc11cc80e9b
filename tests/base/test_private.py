"""Paddle still has every private name that the package leans on, and it means what we think."""

import inspect
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import paddle
import pytest
from paddle import nn
from paddle.static import InputSpec

from paddle_oct.base import private, private_tracing


def test_every_function_is_tested_in_a_file_like_this_one():
    own = [
        name
        for module in (private, private_tracing)
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    ]
    assert len(own) > 10
    files = Path(__file__).parent.glob("test_private*.py")
    tests = "\n".join(path.read_text(encoding="utf-8") for path in files)
    for name in [*own, "in_sot"]:
        assert re.search(rf"\b{name}\(", tests), f"no test of {name}"


# -- what is running -----------------------------------------------------------------------------


def test_in_sot():
    assert not private.in_sot()

    @paddle.jit.to_static(full_graph=False)
    def one_if_traced(x):
        for _ in range(20):  # SOT leaves functions of fewer operators as they are
            x = paddle.sin(x)
        return x + (1 if private.in_sot() else 0)

    assert one_if_traced(paddle.zeros([2])).tolist() == [1, 1]
    assert not private.in_sot()


def test_called_whole():
    pytest.importorskip("paddle.jit.marker")  # Paddle 3.0 has it not
    modes = []

    class Whole(nn.Layer):
        __module__ = "paddle_oct.somewhere"

        def forward(self, x):
            modes.append(paddle.in_dynamic_mode())
            for _ in range(20):  # SOT runs a program of fewer operators eagerly
                x = x + 1
            return x

    class Users(Whole):
        __module__ = "elsewhere"

    def call(x):  # not a container of Paddle's: SOT gives up code that it has translated often
        return layer(x) * 1

    assert private_tracing.called_whole(Whole) is Whole
    for kind, traced in ((Whole, False), (Users, True)):
        modes.clear()
        layer = kind()
        y = paddle.jit.to_static(call)(paddle.zeros([2]))
        assert y.tolist() == [20, 20]
        assert set(modes) == {traced}


def test_never_traced(tmp_path):
    from paddle.jit.sot.opcode_translator.executor.executor_cache import OpcodeExecutorCache

    private_tracing.never_traced(tmp_path / "skipped")
    for number, name in enumerate(("traced", "skipped")):
        functions = {}
        source = f"def f(x):\n    return x + {number}"
        exec(compile(source, str(tmp_path / name / "module.py"), "exec"), functions)
        function = functions["f"]
        assert paddle.jit.to_static(function)(paddle.zeros([1])).tolist() == [number]
        translated = function.__code__ in OpcodeExecutorCache().cache
        assert translated == (name == "traced")


def test_eager_mode_in_a_lazy_guard():
    with paddle.LazyGuard():
        lazy = nn.Linear(2, 3)
        with private.eager_mode():
            eager = nn.Linear(2, 3)
        lazy_again = nn.Linear(2, 3)
    states = [private.is_allocated(layer.weight) for layer in (lazy, eager, lazy_again)]
    assert states == [False, True, False]


def test_eager_mode_while_a_program_is_built():
    paddle.enable_static()
    try:
        with private.eager_mode():
            assert float(paddle.ones([3]).sum()) == 3
        assert not paddle.in_dynamic_mode()
    finally:
        paddle.disable_static()
    with private.eager_mode():
        assert paddle.in_dynamic_mode()
    assert paddle.in_dynamic_mode()


@pytest.mark.parametrize("full_graph", [True, False])
def test_outside_of_tracing(full_graph):
    """A function that computes at once while its caller is traced, with a layer of its own."""
    layer = nn.Linear(2, 2)
    seen = []

    @paddle.jit.not_to_static
    def look():
        private.leave_sot()
        tracer = private.set_eval_frame(None)
        try:
            with private.outside_of_tracing():
                seen.append(float(layer(paddle.ones([1, 2])).sum()))
        finally:
            private.set_eval_frame(tracer)

    def forward(x):
        for _ in range(20):
            x = paddle.sin(x)
        look()
        return layer(x)

    expected = float(layer(paddle.ones([1, 2])).sum())
    y = paddle.jit.to_static(forward, full_graph=full_graph)(paddle.zeros([1, 2]))
    assert seen == pytest.approx([expected], rel=1e-5)
    np.testing.assert_allclose(y.numpy(), layer.bias.numpy()[None], rtol=1e-5)
    with private.outside_of_tracing():
        assert paddle.in_dynamic_mode()
    assert paddle.in_dynamic_mode()


@pytest.mark.parametrize("full_graph", [True, False])
def test_is_static_function(full_graph):
    def function(x):
        return x

    assert not private.is_static_function(function)
    assert private.is_static_function(paddle.jit.to_static(function, full_graph=full_graph))


def test_without_to_static():
    modes = []

    @paddle.jit.to_static(full_graph=True)
    def function(x):
        modes.append(paddle.in_dynamic_mode())
        return x

    with private.without_to_static():
        function(paddle.zeros([1]))
    assert modes == [True]
    with private.without_to_static(), private.without_to_static():
        pass
    function(paddle.zeros([1]))
    assert modes == [True, False]


def test_set_threads():
    """More threads than before run once they are asked for."""
    script = """if True:
        import os, paddle
        from paddle_oct.base.private import set_threads
        def threads(number):
            set_threads(number)
            paddle.nn.functional.conv2d(paddle.ones([4, 64, 64, 64]), paddle.ones([64, 64, 3, 3]))
            paddle.rand([600, 600]) @ paddle.rand([600, 600])
            return len(os.listdir("/proc/self/task"))
        one = threads(1)
        assert threads(1) == one
        assert threads(2) == one + 1, (threads(2), one)
    """
    if not os.path.isdir("/proc/self/task") or (os.cpu_count() or 1) < 2:
        pytest.skip("threads are counted in /proc, and limited by the processor")
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


# -- the settings of layers ----------------------------------------------------------------------


def test_conv_settings():
    conv = nn.Conv2D(
        4, 6, (3, 5), stride=(2, 1), padding=1, dilation=(1, 2), groups=2,
        padding_mode="reflect", data_format="NHWC",
    )  # fmt: skip
    settings = private.conv_settings(conv)
    assert settings == (4, 6, [3, 5], [2, 1], 1, [1, 2], 2, "reflect", "NHWC")
    assert not private.conv_settings(conv).is_depthwise
    assert private.conv_settings(nn.Conv2D(4, 8, 3, groups=4)).is_depthwise
    assert not private.conv_settings(nn.Conv2D(1, 8, 3)).is_depthwise


@pytest.mark.parametrize("kind", ["pre", "post"])
def test_is_hooked(kind):
    layer = nn.Sequential(nn.ReLU())
    assert not private.is_hooked(layer)
    hook = getattr(layer, f"register_forward_{kind}_hook")(lambda *_: None)
    assert private.is_hooked(layer)
    assert not private.is_hooked(layer[0])
    hook.remove()
    assert not private.is_hooked(layer)


def test_sub_layers():
    layer = nn.Layer()
    layer.first = nn.Linear(2, 3)
    layer.add_sublayer("nothing", None)
    assert dict(private.sub_layers(layer)) == {"first": layer.first, "nothing": None}
    private.sub_layers(layer)["first"] = other = nn.Linear(3, 2)
    assert layer.first is other
    assert [name for name, _ in layer.named_sublayers()] == ["first"]


def test_optimizer_of():
    network = nn.Linear(2, 2)
    optimizer = paddle.optimizer.SGD(parameters=network.parameters())
    model = paddle.Model(network)
    model.prepare(optimizer, nn.MSELoss())
    assert private.optimizer_of(model) is optimizer


def test_gradient_reducer():
    """In several processes: ``tests/training/test_processes.py``."""
    assert private.gradient_reducer(paddle.Model(nn.Linear(1, 1))) is None


def test_process_store():
    """Between two processes: ``tests/training/test_processes.py``."""
    script = """if True:
        import paddle
        from paddle_oct.base.private import process_store
        store = process_store()
        store.set("said", "yes")
        assert store.get("said") == b"yes"
        assert [store.add("come", 1), store.add("come", 1), store.add("come", 0)] == [1, 2, 2]
        assert process_store().get("said") == b"yes"
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    told = {"PADDLE_MASTER": address, "PADDLE_TRAINER_ID": "0", "PADDLE_TRAINERS_NUM": "1"}
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


# -- memory --------------------------------------------------------------------------------------


def test_next_unique_name():
    stem = paddle.utils.unique_name.generate("stem")
    for number in range(2):
        assert private.next_unique_name(stem) == f"{stem}_{number}"
        assert private.next_unique_name(stem) == paddle.utils.unique_name.generate(stem)


def test_set_loss_scaling(monkeypatch):
    # On a CPU the scaling is off; as if this were a GPU:
    gpu = SimpleNamespace(_expected_place=SimpleNamespace(is_gpu_place=lambda: True))
    monkeypatch.setattr("paddle.amp.grad_scaler._dygraph_tracer", lambda: gpu)

    def prepared():
        specs = InputSpec([None, 2], "float32", "x"), InputSpec([None], "int64", "y")
        model = paddle.Model(nn.Linear(2, 3), *specs)
        sgd = paddle.optimizer.SGD(parameters=model.parameters())
        model.prepare(sgd, nn.CrossEntropyLoss(), amp_configs="O1")
        return model

    def step(model):
        model.train_batch([np.ones((4, 2), "float32")], [np.zeros(4, "int64")])
        return model._scaler.state_dict()

    state = step(prepared())
    assert state["incr_count"] == 1  # it counts, and the model keeps it under this name
    state = {**state, "scale": np.array([4096.0], "float32"), "incr_count": 7}
    model = prepared()
    private.set_loss_scaling(model, state)
    assert step(model) == {**state, "incr_count": 8}
    with pytest.raises(KeyError):
        private.set_loss_scaling(model, {"scale": [1.0]})


def test_is_allocated():
    assert private.is_allocated(paddle.zeros([2]))
    with paddle.LazyGuard():
        assert not private.is_allocated(nn.Linear(2, 3).weight)


def test_allocated_bytes_and_peak_of_allocated_and_reset_peak_of_allocated():
    before = private.allocated_bytes()
    private.reset_peak_of_allocated()
    held = paddle.zeros([1000, 1000])
    more = paddle.zeros([1000, 500])
    del more
    assert private.allocated_bytes() - before == pytest.approx(4e6, rel=0.01)
    assert private.peak_of_allocated() - before == pytest.approx(6e6, rel=0.01)
    del held
    private.reset_peak_of_allocated()
    assert private.peak_of_allocated() - before == pytest.approx(0, abs=4e4)


# -- operators and programs ----------------------------------------------------------------------


def test_operators():
    x, y = paddle.rand([2, 3]), paddle.rand([3, 4])
    product = private.operators()["matmul"](x, y, False, False)
    np.testing.assert_allclose(product.numpy(), x.numpy() @ y.numpy(), rtol=1e-6)
    assert private.CUSTOM_OPERATOR in private.operators()


def test_operators_are_what_functions_call(monkeypatch):
    from paddle import _C_ops

    monkeypatch.setattr(_C_ops, "relu", lambda x: "called")
    assert nn.functional.relu(paddle.zeros([1])) == "called"


@pytest.mark.parametrize("padding", [1, [2, 0]])
def test_conv2d_gradients(padding):
    conv = nn.Conv2D(4, 6, 3, stride=(2, 1), padding=padding, dilation=(1, 2), groups=2)
    x = paddle.rand([2, 4, 9, 8])
    x.stop_gradient = False
    y = conv(x)
    gradient = paddle.rand(y.shape)
    expected = paddle.grad(y, [x, conv.weight], gradient)
    settings = private.conv_settings(conv)
    gradients = private.conv2d_gradients(x, conv.weight, gradient, settings)
    for actual, wanted in zip(gradients, expected):
        np.testing.assert_allclose(actual.numpy(), wanted.numpy(), rtol=1e-5)
    (second,) = paddle.grad(gradients[0].sum(), [conv.weight])  # they have gradients of their own
    assert float(second.abs().sum()) > 0


def test_legacy_operators():
    x = paddle.rand([2, 3])
    total = private.legacy_operators()["elementwise_add"](x, x)
    np.testing.assert_array_equal(total.numpy(), 2 * x.numpy())


class Sigmoid(nn.Layer):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x) + 1


def test_old_ir_read_program_and_elementwise_in_old_ir(tmp_path):
    network = Sigmoid(private.elementwise_in_old_ir("sigmoid"))
    with private.old_ir():
        paddle.jit.save(network, str(tmp_path / "net"), [InputSpec([2, 3], "float32", "x")])
    program = private.read_program((tmp_path / "net.pdmodel").read_bytes())
    block = program.block(0)
    kinds = [block.op(i).type() for i in range(block.op_size())]
    assert "sigmoid" in kinds
    assert private.read_program(program.serialize_to_string()).block(0).op_size() == len(kinds)
