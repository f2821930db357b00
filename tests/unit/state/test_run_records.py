import re
from datetime import UTC, datetime, timedelta, timezone

from runner.state.run_records import new_run_id


def test_a_run_is_named_after_its_beginning_in_utc():
    began = datetime(2026, 11, 23, 14, 5, 1, tzinfo=timezone(timedelta(hours=1)))
    assert re.fullmatch(r"20261123-130501-[0-9a-f]{8}", new_run_id(began))


def test_names_sort_in_the_order_of_time():
    began = datetime(2026, 9, 30, 23, 59, 59, tzinfo=UTC)
    names = [new_run_id(began + timedelta(seconds=step)) for step in (0, 1, 100_000)]
    assert names == sorted(names)
