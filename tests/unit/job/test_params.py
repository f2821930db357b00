from datetime import UTC, date, datetime

import pytest

from runner.errors import UsageError
from runner.job.model import Param
from runner.job.params import declared_default, parse, resolve


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", " a ", " a "),
        ("integer", "-17", -17),
        ("number", "1.5", 1.5),
        ("number", "10", 10),
        ("boolean", "TRUE", True),
        ("boolean", "false", False),
        ("date", "2024-01-31", date(2024, 1, 31)),
        ("datetime", "2024-01-31T10:00:00Z", datetime(2024, 1, 31, 10, tzinfo=UTC)),
        ("datetime", "2024-01-31T10:00:00+02:00", datetime(2024, 1, 31, 8, tzinfo=UTC)),
        ("datetime", "2024-01-31t10:00:00z", datetime(2024, 1, 31, 10, tzinfo=UTC)),
        ("datetime", "2024-01-31T10:00:00+0200", datetime(2024, 1, 31, 8, tzinfo=UTC)),
        ("datetime", "2024-01-31T10:00:00", datetime(2024, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_values_are_typed(kind, text, value):
    assert parse(text, kind, "p") == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "1.5"),
        ("integer", "1_000"),
        ("integer", "9" * 5000),
        ("number", "many"),
        ("number", "nan"),
        ("number", "1e999"),
        ("boolean", "yes"),
        ("date", "31.01.2024"),
        ("date", "20240131"),
        ("date", "2024-02-30"),
        ("datetime", "2024-01-31"),
        ("datetime", "2024-01-31T10:00:00+14:01"),
        ("datetime", "2024-01-31T10:00:00-15:00"),
        ("datetime", "0001-01-01T00:00:00+05:00"),
    ],
)
def test_values_that_do_not_fit_say_what_does(kind, text):
    with pytest.raises(ValueError, match="the param `p` must be"):
        parse(text, kind, "p")


@pytest.mark.parametrize(
    ("kind", "value"),
    [("string", 20), ("integer", True), ("integer", 1.5), ("boolean", 1), ("number", "1"),
     ("date", 2024)],
)  # fmt: skip
def test_defaults_are_of_their_type(kind, value):
    with pytest.raises(ValueError, match="must be"):
        declared_default(value, kind, "p")


def test_given_beats_default_and_none_is_a_default():
    params = (Param("a", "string", "x"), Param("b", "integer", 1), Param("c", "date", None))
    assert resolve(params, {"b": "2"}) == {"a": "x", "b": 2, "c": None}


def test_everything_wrong_is_told_at_once():
    params = (Param("region", "string", required=True), Param("days", "integer", 1))
    with pytest.raises(UsageError) as raised:
        resolve(params, {"regoin": "x", "days": "many"})
    assert "did you mean `region`?" in raised.value.message
    assert "`region` (string) has no default" in raised.value.message
    assert "not `many`" in raised.value.message
    assert raised.value.exit_code == 2


def test_a_job_without_params_says_so():
    with pytest.raises(UsageError, match="it has none"):
        resolve((), {"a": "1"})


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("list of string", "EMEA, APAC", ("EMEA", "APAC")),
        ("list of string", 'a,"b, c",', ("a", "b, c")),
        ("list of string", '["a,b", "", "1e5"]', ("a,b", "", "1e5")),
        ("list of integer", "1,2", (1, 2)),
        ("list of number", "[1, 2.50]", (1, 2.5)),
        ("list of date", "2024-01-31", (date(2024, 1, 31),)),
        ("list of string", "", ()),
    ],
)
def test_a_list_is_separated_by_commas_or_json(kind, text, value):
    assert parse(text, kind, "p") == value


def test_a_list_of_something_else_is_refused():
    with pytest.raises(ValueError, match="must be a whole number, not `x`"):
        parse("1,x", "list of integer", "p")
    with pytest.raises(ValueError, match="must be a list"):
        parse("[1", "list of integer", "p")
    assert declared_default(["a"], "list of string", "p") == ("a",)
    with pytest.raises(ValueError, match="must be a list"):
        declared_default("a", "list of string", "p")
