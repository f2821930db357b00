"""Whatever a text says, its SOQL literal means that text, and finds the record that holds it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from runner.soql import literals, syntax
from runner.soql.parser import parse

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", "'": "\\'", "\\": "\\\\"}


def minimal(text):
    """Escape what must be."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def short(text):
    """Escape all that has a letter."""
    return "'" + "".join(_SHORT.get(each, each) for each in text) + "'"


def numeric(text):
    """Escape everything by number, in surrogate pairs where need be."""
    units = text.encode("utf-16-be").hex()
    return "'" + "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)) + "'"


def wildcard(text):
    """Escape as for LIKE."""
    escaped = minimal(text)
    return escaped.replace("%", "\\%").replace("_", "\\_")


def literal_of(written):
    query = parse(f"SELECT Id FROM Account WHERE Name = {written} AND Id = null")
    return query.where.parts[0].right


@given(TEXTS, st.sampled_from([minimal, short, numeric]))
def test_every_way_to_write_a_text_means_that_text(text, write):
    assert literal_of(write(text)).value == text


@given(TEXTS)
def test_an_escaped_like_pattern_has_no_wildcards(text):
    pattern = literals.like_pattern(wildcard(text))
    unescaped = pattern.replace("\\\\", "").replace("\\%", "").replace("\\_", "")
    assert not set(unescaped) & {"%", "_", "\\"}


@given(st.dates(date(1700, 1, 1), date(4000, 12, 31)))
def test_dates_round_trip(day):
    assert literal_of(day.isoformat()) == syntax.Day(day, 36)


@given(
    st.datetimes(datetime(1700, 1, 2), datetime(4000, 12, 30)),  # noqa: DTZ001 - zone comes next
    st.integers(-14 * 60, 14 * 60),
)
def test_datetimes_round_trip_from_any_zone(moment, offset_minutes):
    moment = moment.replace(
        microsecond=moment.microsecond // 1000 * 1000,
        tzinfo=timezone(timedelta(minutes=offset_minutes)),
    )
    literal = literal_of(moment.isoformat(timespec="milliseconds"))
    assert literal.value == moment
    assert literal.value.tzinfo is UTC


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12
    )
)
def test_numbers_round_trip(number):
    assert literal_of(format(number, "f")).value == Decimal(format(number, "f"))
