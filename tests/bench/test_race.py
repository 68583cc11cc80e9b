"""The result of a race: its columns, its table and its picture."""

import dataclasses

import pytest

from paddle_oct.base.timing import Timing
from paddle_oct.bench import Contender, RaceResult, check_engine, draw_race, race, race_table

RESULT = RaceResult(
    engine="onnxruntime",
    alpha=0.5,
    input_size=(8, 3, 224, 224),
    threads=2,
    repeats=20,
    contender=Contender("oct_resnet50", Timing(0.03, 0.002, 0.02), 60, 3 * 2**20),
    opponent=Contender("resnet50", Timing(0.05, 0.001, 0.04), 100, 4 * 2**20),
)


def test_the_columns_of_a_file():
    assert RESULT.as_dict() == {
        "engine": "onnxruntime",
        "model": "oct_resnet50",
        "against": "resnet50",
        "alpha": 0.5,
        "input_size": "8x3x224x224",
        "threads": 2,
        "repeats": 20,
        "ms": pytest.approx(30),
        "ms_spread": pytest.approx(2),
        "against_ms": pytest.approx(50),
        "against_ms_spread": pytest.approx(1),
        "ratio": pytest.approx(0.6),
        "fastest_ratio": pytest.approx(0.5),
        "mac_ratio": pytest.approx(0.6),
        "law": pytest.approx(0.4375),
        "peak": 3 * 2**20,
        "against_peak": 4 * 2**20,
    }
    assert list(RESULT.as_dict())[:4] == ["engine", "model", "against", "alpha"]


def test_the_table_has_memory_where_it_was_measured():
    text = race_table([RESULT])
    row = [cell.strip() for cell in text.splitlines()[-1].strip("|").split("|")]
    assert row == [
        *("ONNX Runtime", "oct_resnet50 / resnet50", "8x3x224x224", "2", "0.5", "30.0 ± 2.0"),
        *("50.0 ± 1.0", "0.600", "0.600", "0.438", "3 / 4", "0.750"),
    ]
    unmeasured = [dataclasses.replace(c, peak=None) for c in (RESULT.contender, RESULT.opponent)]
    without = dataclasses.replace(RESULT, contender=unmeasured[0], opponent=unmeasured[1])
    assert "peak" not in race_table([without])
    assert "peak" in race_table([without, RESULT])


@pytest.mark.parametrize("alphas", [(0.5,), (0.25, 0.5)], ids=["bars", "over alpha"])
def test_the_picture(alphas, tmp_path):
    pytest.importorskip("matplotlib")
    results = [dataclasses.replace(RESULT, alpha=alpha) for alpha in alphas]
    draw_race(results, tmp_path / "race.svg")
    assert (tmp_path / "race.svg").read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.parametrize("engine", ["eager", "train"])
def test_a_race_in_eager_mode(engine):
    pair, options = ("oct_mobilenet_v1", "mobilenet_v1"), {"scale": 0.25, "num_classes": 10}
    result = race(*pair, engine, 0.25, (2, 3, 32, 32), threads=1, repeats=2, options=options)
    assert (result.contender.model, result.opponent.model) == pair
    assert result.contender.macs < result.opponent.macs
    for contender in (result.contender, result.opponent):
        assert 0 < contender.timing.fastest <= contender.timing.median
        assert contender.peak > 0


def test_engines_to_race_on():
    check_engine("eager")
    check_engine("paddle")
    with pytest.raises(ValueError, match="unknown engine 'egaer'; did you mean eager"):
        check_engine("egaer")
