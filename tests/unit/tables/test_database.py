"""Tasks that run side by side share the memory of one, down to what a database needs."""

import pytest

from runner.lanes import Lanes
from runner.tables.database import Database


def limit_in(folder, lanes):
    def read():
        database = Database(folder)
        try:
            (found,) = database.connection.execute(
                "SELECT current_setting('memory_limit')"
            ).fetchone()
            return found
        finally:
            database.close()

    if lanes == 1:
        return read()
    with Lanes(lanes) as made:
        made.start("task", read)
        ((_, found),) = made.ended()
        return found


@pytest.mark.parametrize(
    ("lanes", "limit"), [(1, "143.0 MiB"), (2, "71.5 MiB"), (4, "47.6 MiB"), (16, "47.6 MiB")]
)
def test_a_database_has_its_share_of_the_memory(tmp_path, lanes, limit):
    assert limit_in(tmp_path, lanes) == limit
