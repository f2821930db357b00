"""The present of SQL, while a job is tested."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from runner.tables.database import Database
from runner.tables.sql_clock import standing_at

THEN = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)


def asked(folder, sql, timezone="UTC"):
    database = Database(folder)
    database.set_timezone(timezone)
    try:
        with database.cursor() as cursor:
            return cursor.execute(f"SELECT {sql}").fetchone()[0]
    finally:
        database.close()


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("now()", THEN),
        ("current_timestamp", THEN),
        ("get_current_timestamp()", THEN),
        ("transaction_timestamp()", THEN),
        ("today()", date(2024, 3, 1)),
        ("current_date", date(2024, 3, 1)),
        ("current_localtimestamp()", datetime(2024, 3, 1, 1, 30)),  # noqa: DTZ001 - it has none
        ("get_current_time()", time(1, 30)),
        ("current_localtime()", time(1, 30)),
        ("age(DATE '2024-02-28')", timedelta(days=2)),
        ("age(TIMESTAMP '2024-03-05', TIMESTAMP '2024-03-04')", timedelta(days=1)),
    ],
)
def test_every_function_gives_the_moment_in_the_time_zone_of_the_database(tmp_path, sql, found):
    with standing_at(THEN):
        assert asked(tmp_path, sql, "Pacific/Auckland") == found


def test_the_real_time_is_back_afterwards(tmp_path):
    with standing_at(THEN), standing_at(None):
        assert asked(tmp_path, "now()") == THEN
    assert asked(tmp_path, "now()") > THEN + timedelta(days=365)
