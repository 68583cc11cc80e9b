"""What remains of an error that Paddle raises."""

import paddle
import pytest
from paddle import nn
from paddle.static import InputSpec

from paddle_oct.base.errors import first_line, shortened


class Fails(nn.Layer):
    """Raises while ``to_static`` translates it.

    Raises:
        ValueError: not this line, though it is in the code that Paddle shows.
    """

    def forward(self, x):
        raise ValueError("the first line says it.\n  A second one says more.")


def error_of(call, *args, **named):
    with pytest.raises(ValueError, match=r"\S") as caught:
        call(*args, **named)
    return caught.value


def test_an_operator():
    error = error_of(nn.Conv2D(5, 2, 3), paddle.zeros([1, 3, 8, 8]))
    assert str(error).startswith("(InvalidArgument) ")
    said = first_line(error)
    assert said.startswith("The number of input's channels should be equal to filter's channels")
    assert said.endswith("...")
    assert len(said) == 300
    short = first_line(error_of(paddle.add, paddle.zeros([2, 3]), paddle.zeros([4, 5])))
    assert short.startswith("Broadcast dimension mismatch. Operands could not be broadcast")
    assert short.endswith("in Y at i:0")  # neither the full stop nor the hint


@pytest.mark.parametrize("network", [Fails(), nn.Sequential(Fails())], ids=["itself", "within"])
def test_a_network_that_is_translated(network, tmp_path):
    spec = [InputSpec([None, 3], "float32")]
    error = error_of(paddle.jit.save, network, str(tmp_path / "net"), input_spec=spec)
    assert "In transformed code" in str(error)
    assert first_line(error) == "ValueError: the first line says it"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("", "RuntimeError"),
        ("  \n ---- \n", "RuntimeError"),
        ("...", "RuntimeError"),
        ("features must be 3, got 4", "features must be 3, got 4"),
        ("\n  what is wrong.\n  and why", "what is wrong"),
        ("(NotFound) no kernel (conv) here.\n [Hint: x]", "no kernel (conv) here"),
        ("(high, low) was expected", "(high, low) was expected"),
        (
            "C++ Traceback:\n0 paddle::f()\n\n----------\nError Message Summary:\n----------\n"
            "InvalidArgumentError: wrong rank.\n  [Hint: x] (at y.cc:3)\n",
            "InvalidArgumentError: wrong rank",
        ),
        ("ValueError: a docstring\n  code\n\nKeyError: (Fatal) reason\n", "KeyError: reason"),
        ("x" * 301, "x" * 297 + "..."),
        ("x" * 300, "x" * 300),
    ],
)  # fmt: skip
def test_texts(message, said):
    assert first_line(RuntimeError(message)) == said


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("layer1.0.weight", "layer1.0.weight"),
        ("größe", "größe"),
        ("a\nb\x1b[31m", r"a\nb\x1b[31m"),
        ("n" * 100, "n" * 100),
        ("n" * 101, "n" * 97 + "..."),
        (b"n" * 10**6, "b'" + "n" * 95 + "..."),
        ("\0" * 10**6, r"\x00" * 24 + r"\..."),
        (b"\xff" * 3, r"b'\xff\xff\xff'"),
        (2**40, "1099511627776"),
    ],
)
def test_a_name_from_a_file_is_shortened(name, shown):
    assert shortened(name) == shown
