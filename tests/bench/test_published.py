"""What was published, and the networks of this package that it was published of."""

from paddle_oct import list_models
from paddle_oct.bench import PUBLISHED, of_table
from paddle_oct.models import model_options


def test_every_result_is_of_a_network_that_can_be_made():
    for result in PUBLISHED:
        assert result.model in list_models()
        assert set(result.options) <= set(model_options(result.model))


def test_no_result_is_there_twice():
    keys = [(p.source, p.model, str(p.options), p.alpha) for p in PUBLISHED]
    assert len(set(keys)) == len(keys)


def test_the_tables_of_the_paper():
    assert [len(of_table(number)) for number in (5, 7, 9)] == [6, 2, 33]
    assert of_table(1) == []
