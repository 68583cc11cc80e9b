"""Names and numbers that a user types, and packages that a user lacks."""

import sys

import pytest

from paddle_oct.base.extras import need
from paddle_oct.base.names import look_up, unknown_name
from paddle_oct.base.numbers import comma_separated


@pytest.mark.parametrize(
    ("text", "kind", "numbers"),
    [("0,.25,.5", float, [0, 0.25, 0.5]), ("7", int, [7]), (" 1, 2 ", int, [1, 2])],
)
def test_numbers(text, kind, numbers):
    assert comma_separated(text, kind) == numbers


@pytest.mark.parametrize(("text", "kind"), [("", int), ("1,", int), ("1.5", int), ("half", float)])
def test_what_is_no_number(text, kind):
    with pytest.raises(ValueError, match=f"'{text}' is not a number, or several with commas"):
        comma_separated(text, kind)


def test_look_up():
    assert look_up("b", {"a": 1, "b": 2}, "letter") == 2
    with pytest.raises(ValueError, match=r"^unknown letter 'c'; known are a, b$"):
        look_up("c", {"b": 1, "a": 2}, "letter")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("resnet5", "resnet50 or resnet18"),  # those that it begins come first
        ("vgg", "vgg11 or vgg16"),
        ("oct", "known are resnet18, resnet50, vgg11, vgg16"),
    ],
)
def test_the_nearest_names(name, meant):
    known = ["vgg16", "vgg11", "resnet50", "resnet18"]
    assert meant in str(unknown_name(name, known, "network"))


def test_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)  # as if it were not installed
    with pytest.raises(ValueError, match=r"^the engine needs openvino, .*paddle_oct\[openvino\]"):
        need("openvino", "the engine")
    monkeypatch.setitem(sys.modules, "openvino", sys)
    assert need("openvino", "the engine") is sys
