"""Tables as text."""

import csv
import io
import json

import pytest

from paddle_oct.base.tables import human_bytes, human_count, human_percent, render

DATA = [{"name": "a", "macs": 12}, {"name": "b, c", "macs": 3}]
CELLS = [("a", "12"), ("b|c", "3")]


def test_csv_and_json_are_read_back():
    assert json.loads(render(DATA, "json")) == DATA
    rows = list(csv.DictReader(io.StringIO(render(DATA, "csv"))))
    assert rows == [{k: str(v) for k, v in row.items()} for row in DATA]
    assert render([], "json") == "[]"


def test_tables_are_aligned():
    lines = render([("a", "1,200"), ("bc", "3")], "table", ("name", "MACs")).splitlines()
    assert lines[0].split() == ["name", "MACs"]
    assert [line.split() for line in lines[2:]] == [["a", "1,200"], ["bc", "3"]]
    assert lines[2].index("a") == lines[3].index("bc")  # text on the left
    assert len(lines[2]) == len(lines[3])  # numbers on the right
    lines = render([("a", "12")], "markdown", ("name", "MACs")).splitlines()
    assert [cell.strip() for cell in lines[2].strip("|").split("|")] == ["a", "12"]


def test_an_unknown_format():
    with pytest.raises(ValueError, match="unknown format 'markdwon'; did you mean markdown"):
        render([], "markdwon")


@pytest.mark.parametrize(
    ("function", "number", "text"),
    [
        (human_count, 4_089_284_608, "4.089 G"),
        (human_count, 318_170_000, "318.2 M"),
        (human_count, 1000, "1.0 k"),
        (human_count, 999, "999"),
        (human_percent, 0.625, "63%"),  # halves up, as the paper prints
        (human_percent, 0.4375, "44%"),
        (human_percent, float("nan"), "-"),
        (human_percent, float("inf"), "-"),
        (human_bytes, 3 * 2**30, "3.0 GiB"),
        (human_bytes, 1.5 * 2**20, "1.5 MiB"),
        (human_bytes, 1024, "1.0 KiB"),
        (human_bytes, 1023, "1023 B"),
    ],
)
def test_numbers_for_people(function, number, text):
    assert function(number) == text
