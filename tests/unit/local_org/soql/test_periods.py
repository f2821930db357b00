"""Date literals, seen from Wednesday 15 May 2024."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from runner.local_org.soql.periods import span_of

TODAY = date(2024, 5, 15)


@pytest.mark.parametrize(
    ("name", "count", "first", "last"),
    [
        ("YESTERDAY", None, "2024-05-14", "2024-05-14"),
        ("TODAY", None, "2024-05-15", "2024-05-15"),
        ("TOMORROW", None, "2024-05-16", "2024-05-16"),
        ("LAST_WEEK", None, "2024-05-05", "2024-05-11"),
        ("THIS_WEEK", None, "2024-05-12", "2024-05-18"),
        ("NEXT_WEEK", None, "2024-05-19", "2024-05-25"),
        ("LAST_MONTH", None, "2024-04-01", "2024-04-30"),
        ("THIS_MONTH", None, "2024-05-01", "2024-05-31"),
        ("NEXT_MONTH", None, "2024-06-01", "2024-06-30"),
        ("LAST_QUARTER", None, "2024-01-01", "2024-03-31"),
        ("THIS_QUARTER", None, "2024-04-01", "2024-06-30"),
        ("NEXT_QUARTER", None, "2024-07-01", "2024-09-30"),
        ("LAST_YEAR", None, "2023-01-01", "2023-12-31"),
        ("THIS_YEAR", None, "2024-01-01", "2024-12-31"),
        ("NEXT_YEAR", None, "2025-01-01", "2025-12-31"),
        ("THIS_FISCAL_QUARTER", None, "2024-04-01", "2024-06-30"),
        ("LAST_FISCAL_YEAR", None, "2023-01-01", "2023-12-31"),
        ("LAST_90_DAYS", None, "2024-02-15", "2024-05-15"),
        ("NEXT_90_DAYS", None, "2024-05-16", "2024-08-13"),
        ("LAST_N_DAYS", 3, "2024-05-12", "2024-05-15"),
        ("NEXT_N_DAYS", 3, "2024-05-16", "2024-05-18"),
        ("LAST_N_WEEKS", 2, "2024-04-28", "2024-05-11"),
        ("NEXT_N_WEEKS", 2, "2024-05-19", "2024-06-01"),
        ("LAST_N_MONTHS", 5, "2023-12-01", "2024-04-30"),
        ("NEXT_N_MONTHS", 8, "2024-06-01", "2025-01-31"),
        ("LAST_N_QUARTERS", 2, "2023-10-01", "2024-03-31"),
        ("NEXT_N_FISCAL_QUARTERS", 1, "2024-07-01", "2024-09-30"),
        ("LAST_N_YEARS", 2, "2022-01-01", "2023-12-31"),
        ("NEXT_N_FISCAL_YEARS", 2, "2025-01-01", "2026-12-31"),
        ("N_DAYS_AGO", 10, "2024-05-05", "2024-05-05"),
        ("N_WEEKS_AGO", 1, "2024-05-05", "2024-05-11"),
        ("N_MONTHS_AGO", 5, "2023-12-01", "2023-12-31"),
        ("N_QUARTERS_AGO", 2, "2023-10-01", "2023-12-31"),
        ("N_YEARS_AGO", 1, "2023-01-01", "2023-12-31"),
        ("N_FISCAL_QUARTERS_AGO", 1, "2024-01-01", "2024-03-31"),
        ("N_FISCAL_YEARS_AGO", 4, "2020-01-01", "2020-12-31"),
    ],
)
def test_span(name, count, first, last):
    span = span_of(name, count, TODAY)
    assert (span.start.isoformat(), (span.end - timedelta(days=1)).isoformat()) == (first, last)


def test_a_week_begins_on_sunday():
    sunday = date(2024, 5, 12)
    assert span_of("THIS_WEEK", None, sunday).start == sunday


@pytest.mark.parametrize(
    ("name", "count"), [("SOMEDAY", None), ("LAST_N_DAYS", None), ("TODAY", 1)]
)
def test_no_such_literal(name, count):
    assert span_of(name, count, TODAY) is None


def test_days_outside_the_calendar_overflow():
    with pytest.raises(OverflowError):
        span_of("LAST_N_YEARS", 5000, TODAY)
