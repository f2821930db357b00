"""Databases share the memory of one task, and a signal ends their queries."""

import signal

import pytest

from runner.errors import AbortedError, ExitCode
from runner.lanes import Lanes
from runner.tables.database import Database, storage_errors


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


@pytest.mark.parametrize("is_open", [False, True])
def test_wide_rows_get_more_memory_and_narrow_ones_no_less(tmp_path, is_open):
    database = Database(tmp_path)
    asked = "SELECT current_setting('memory_limit')"
    if is_open:
        database.connection.execute(asked)
    database.make_room(100)
    database.make_room(800)
    database.make_room(20)
    assert database.connection.execute(asked).fetchone() == ("762.9 MiB",)
    database.close()


def test_what_many_columns_have_in_common_is_not_looked_for_and_their_order_stays(tmp_path):
    database = Database(tmp_path)
    asked = "SELECT current_setting('disabled_optimizers')"
    ((found,),) = database.connection.execute(asked).fetchall()
    database.close()
    assert {"common_subexpressions", "in_clause"} <= set(found.split(","))


def test_a_signal_during_a_query_of_the_main_thread_is_no_internal_error(tmp_path, monkeypatch):
    def aborts(_number, _frame):
        AbortedError.of_signal = ExitCode.TERMINATED
        raise AbortedError(ExitCode.TERMINATED)

    monkeypatch.setattr(AbortedError, "of_signal", None)
    before = signal.signal(signal.SIGALRM, aborts)
    database = Database(tmp_path)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(AbortedError) as raised, storage_errors("Rows cannot be read"):
            # It ends by the signal only, whenever that comes.
            database.connection.execute(
                "SELECT count(*) FROM range(1000000000000) WHERE hash(range) = 1"
            )
        assert raised.value.exit_code is ExitCode.TERMINATED
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        database.close()
