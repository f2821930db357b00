"""Whatever a value holds, the query around it stays as it is."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.job.binds import bind, literal, names
from runner.job.soql import masked, selection
from runner.local_org.soql.prepare import parse
from runner.local_org.soql.refusals import Statement

UNESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "\\": "\\", "'": "'"}
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(date(1700, 1, 1), date(4000, 12, 31)),
    st.datetimes(datetime(1700, 1, 1), datetime(4000, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    st.text(),
)


def read(written: str) -> str:
    """Read a SOQL string literal as the org would."""
    assert re.fullmatch(r"'(?:[^'\\]|\\u[0-9A-F]{4}|\\[nrtbf\\'])*'", written, re.DOTALL)

    def character(found: re.Match[str]) -> str:
        code = found[1]
        return chr(int(code[1:], 16)) if code[0] == "u" else UNESCAPED[code]

    return re.sub(r"\\(u[0-9A-F]{4}|.)", character, written[1:-1])


@given(st.text())
def test_a_text_comes_back_as_it_went(text):
    assert read(literal(text)) == text


@given(VALUES, VALUES)
def test_no_value_changes_the_query_around_it(first, second):
    soql = "SELECT Id FROM Account WHERE A = :a AND B = ':a' AND C IN (:b, :a) LIMIT 5"
    bound = masked(bind(soql, {"a": first, "b": second}))
    assert names(bound) == ()
    assert selection(bind(soql, {"a": first, "b": second})).sobject == "Account"
    assert bound.startswith("SELECT Id FROM Account WHERE A = ")
    assert bound.endswith(") LIMIT 5")
    assert bound.count("'") == 0


@given(st.text(alphabet=st.sampled_from("ab:' \\\n()"), max_size=40))
def test_a_query_without_binds_is_left_alone(soql):
    if not names(soql):
        assert bind(soql, {}) == soql


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_value_and_has_no_exponent(number):
    written = literal(number)
    assert float(written) == number
    assert re.fullmatch(r"-?\d+(\.\d+)?", written)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_datetime_keeps_its_milliseconds(moment):
    read_back = datetime.fromisoformat(literal(moment))
    assert timedelta(0) <= moment - read_back < timedelta(milliseconds=1)


@given(st.dates())
def test_a_date_never_shifts(day):
    assert date.fromisoformat(literal(day)) == day


def the_parser_reads(text):
    soql = "SELECT Id FROM Account WHERE Name = :a AND Id = null"
    query = parse(Statement(bind(soql, {"a": text})))
    first, _second = query.where.parts
    assert first.right.value == text


WHOLE_TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
HOSTILE_TEXTS = st.lists(
    st.sampled_from(
        [
            "'",
            "\\",
            "\\'",
            "\\u0027",
            "''",
            "\n",
            "\r",
            "\u2028",
            "\x00",
            ":a",
            "%",
            "_",
            " OR Id != null",
        ]
    )
    | st.characters(exclude_categories=["Cs"])
).map("".join)


@given(WHOLE_TEXTS | HOSTILE_TEXTS)
def test_the_local_orgs_parser_reads_the_very_text_and_nothing_besides(text):
    """The other side of the wire, written from Salesforce's documentation alone, agrees."""
    the_parser_reads(text)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(WHOLE_TEXTS | HOSTILE_TEXTS)
def test_the_local_orgs_parser_reads_the_very_text_for_long(text):
    the_parser_reads(text)
