"""The bounds of an incremental extract, put into queries of every form."""

from datetime import UTC, datetime

import pytest

from runner.job.query_bounds import bounded, identities, of_ids
from runner.job.soql import parsed

SINCE, UNTIL = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2))
BOTH = "F >= 2026-01-01T00:00:00Z AND F < 2026-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT Id FROM A", f"SELECT Id FROM A WHERE {BOTH}"),
        ("select Id from A a\n", f"select Id from A a WHERE {BOTH}"),
        ("SELECT Id FROM A ORDER BY F", f"SELECT Id FROM A WHERE {BOTH} ORDER BY F"),
        (
            "SELECT Id FROM A WHERE x = 1 OR y = 'WHERE z'",
            f"SELECT Id FROM A WHERE (x = 1 OR y = 'WHERE z') AND {BOTH}",
        ),
        (
            "SELECT Id FROM A\nwhere(NOT x = 1)\nWITH SECURITY_ENFORCED\nORDER BY F ALL ROWS"[:-9],
            f"SELECT Id FROM A WHERE ((NOT x = 1)) AND {BOTH} WITH SECURITY_ENFORCED\nORDER BY F",
        ),
        (
            "SELECT Id FROM A USING SCOPE Mine WHERE NOT x = 1",
            f"SELECT Id FROM A USING SCOPE Mine WHERE (NOT x = 1) AND {BOTH}",
        ),
        (
            "SELECT Id, (SELECT Id FROM Bs WHERE q = 2 LIMIT 3) FROM A",
            f"SELECT Id, (SELECT Id FROM Bs WHERE q = 2 LIMIT 3) FROM A WHERE {BOTH}",
        ),
        (
            "SELECT Id FROM A WHERE Id IN (SELECT AId FROM B WHERE c = :d)",
            f"SELECT Id FROM A WHERE (Id IN (SELECT AId FROM B WHERE c = :d)) AND {BOTH}",
        ),
    ],
)
def test_the_bounds_hold_besides_the_conditions_of_the_query(query, expected):
    found = bounded(query, "F", SINCE, UNTIL)
    assert found == expected
    assert parsed(found) is not None


def test_a_comparison_asks_for_id_and_stamp_of_the_same_records():
    query = (
        "SELECT a.Id, Name FROM Account a\nWHERE a.x = ':y' WITH SECURITY_ENFORCED ORDER BY Name"
    )
    found = identities(query, "F")
    assert found == "SELECT Id, F FROM Account a\nWHERE a.x = ':y' WITH SECURITY_ENFORCED"
    assert parsed(found) is not None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT Id FROM A", "SELECT Id FROM A WHERE Id IN :ids"),
        (
            "SELECT Id FROM A WHERE x = 1 OR y = 2 ORDER BY z",
            "SELECT Id FROM A WHERE (x = 1 OR y = 2) AND Id IN :ids",
        ),
    ],
)
def test_records_are_read_again_by_id(query, expected):
    assert of_ids(query, "ids") == expected


def test_a_full_extract_ends_too_and_takes_blanks_where_there_can_be_some():
    query = "SELECT Id FROM A WHERE x = 1"
    end = "F < 2026-01-02T00:00:00Z"
    assert bounded(query, "F", None, UNTIL) == f"SELECT Id FROM A WHERE (x = 1) AND {end}"
    with_blank = bounded(query, "F", None, UNTIL, with_blank=True)
    assert with_blank == f"SELECT Id FROM A WHERE (x = 1) AND ({end} OR F = null)"
