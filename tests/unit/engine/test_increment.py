"""Which changes an incremental extract reads."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.engine.increment import Asked, window_of
from runner.errors import UsageError
from runner.job.model import Since
from runner.state.watermarks import Watermark

NOW = datetime(2026, 3, 1, 12, 0, 0, 400_000, tzinfo=UTC)
SINCE = Since("SystemModstamp")


def ago(**options):
    return NOW.replace(microsecond=0) - timedelta(**options)


def mark(until, *, query="q", known_from=None, full_at=None):
    known = known_from or until - timedelta(minutes=10)
    return Watermark(
        "job", Path("/j.yaml"), "t", "00D", query, "F", until, known, full_at or until, "r"
    )


def window(earlier=None, since=SINCE, **asked):
    return window_of(since, earlier, Asked(NOW, "q", **asked))


def test_an_extract_goes_from_the_watermark_less_the_overlap_to_now_less_the_lag():
    found = window(mark(ago(hours=1)))
    assert (found.since, found.until) == (ago(hours=1, minutes=10), ago(minutes=5))
    assert found.known_from == ago(minutes=15)
    assert found.drops


@pytest.mark.parametrize(
    ("earlier", "asked", "why"),
    [
        (None, {}, "no earlier extract from this org is known"),
        (mark(ago(hours=1), query="other"), {}, "changed since the last extract"),
        (mark(ago(hours=1)), {"full": True}, "--full"),
        (mark(ago(hours=1)), {"target_is_there": False}, "is gone"),
    ],
)
def test_an_extract_is_full_for_a_reason(earlier, asked, why):
    found = window(earlier, **asked)
    assert (found.since, found.until, found.drops) == (None, ago(minutes=5), False)
    assert why in found.reason


@pytest.mark.parametrize(("days", "is_full"), [(6.9, False), (7, True), (8, True)])
def test_a_refresh_is_due_by_the_last_full_extract(days, is_full):
    weekly = Since("SystemModstamp", refresh_seconds=7 * 86_400)
    earlier = mark(ago(hours=1), full_at=NOW - timedelta(days=days))
    assert (window(earlier, weekly).since is None) is is_full


def test_a_watermark_never_goes_back():
    found = window(mark(NOW.replace(microsecond=0)))
    assert found.until == NOW.replace(microsecond=0)
    assert found.since == found.until - timedelta(minutes=10)


def test_a_longer_overlap_begins_where_delivered_rows_are_known():
    wide = Since("SystemModstamp", overlap_seconds=86_400)
    assert window(mark(ago(hours=1)), wide).since == ago(hours=1, minutes=10)
    again = window(mark(ago(hours=1), known_from=ago(days=3)), wide)
    assert again.since == ago(days=1, hours=1)


def test_since_begins_there_and_names_the_gap_that_it_leaves():
    found = window(mark(ago(hours=2)), since=SINCE)
    assert found.reason == ""
    asked = Asked(NOW, "q", since=ago(hours=1))
    gap = window_of(SINCE, mark(ago(hours=2)), asked)
    assert (gap.since, gap.drops) == (ago(hours=1), False)
    assert "is left out" in gap.words
    assert "is left out" not in window_of(SINCE, mark(ago(minutes=30)), asked).words
    with pytest.raises(UsageError, match="is not before"):
        window_of(SINCE, None, Asked(NOW, "q", since=NOW))
