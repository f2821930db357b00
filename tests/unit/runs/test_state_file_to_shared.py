"""The state of one machine in a file, added to a state that machines share."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
import sqlalchemy

from runner.errors import ExitCode, LockHeldError, StateError, UsageError
from runner.runs.state_file import export_state, import_state
from runner.state.ledger import Ledger
from runner.state.managed import MirrorKey
from runner.state.store import open_ledger, open_state

from .test_state_file import (
    DEAD,
    DONE,
    JOB,
    MARK,
    START,
    UNFINISHED,
    add_run,
    altered,
    file,
    mark,
    there,
)

__all__ = ["file", "there"]  # fixtures
ALL = (DONE, UNFINISHED, DEAD)


@pytest.fixture
def shared(shared_at):
    return shared_at("a")


def runs_of(state):
    with open_ledger(state) as ledger:
        return {run.run_id: ledger.run(run.run_id) for run in ledger.runs()}


def test_all_machines_have_what_one_had(shared, shared_at, file, tmp_path):
    done = import_state(shared, file, {"/there": str(shared.shared.project)})
    assert (done.added.runs, done.unfinished) == (ALL, (UNFINISHED, DEAD))
    assert (done.added.watermarks, done.added.mirrors) == (1, 1)

    other = shared_at("b")
    job = other.shared.project / "jobs/accounts.yaml"
    runs = runs_of(other)
    assert [*runs] == [*reversed(ALL)]
    assert {run.job_file for run in runs.values()} == {job}
    assert all(runs[each].is_unfinished for each in (UNFINISHED, DEAD))
    with open_ledger(other) as ledger:
        ledger.files.fetch(UNFINISHED, exact=True)
        part = other.run(UNFINISHED) / "load/rows/chunk-0.csv"
        assert part.read_text() == f"Name\n{UNFINISHED}\n"
        (found,) = ledger.watermarks.all()
        assert (found.job_file, found.until) == (job, MARK.until)
        ledger.watermarks.write_delivered(found, tmp_path / "rows")
        assert (tmp_path / "rows").read_text() == "001000000000001AAA,2026\n"
        assert ledger.managed.write_ids(MirrorKey(job, "m", "00D1"), tmp_path / "ids") == 2


def test_the_same_again_is_skipped_and_what_differs_is_refused_as_a_whole(
    shared, there, file, tmp_path
):
    import_state(shared, file)
    again = import_state(shared, file)
    assert (again.added.runs, again.added.known, again.added.watermarks) == ((), ALL, 0)
    with Ledger(there.ledger) as ledger:
        ledger.close_run(UNFINISHED)
        mark(ledger, tmp_path, until=START + timedelta(days=1))
        add_run(there, ledger, "20260203-023000-dddd", START, ExitCode.TEMPORARY)
    export_state(there, file)
    with pytest.raises(UsageError) as error:
        import_state(shared, file)
    assert error.value.message.startswith("The state postgresql://")
    assert (
        f"already has run {UNFINISHED}, the watermark of task q of {JOB}, which"
        in error.value.message
    )
    assert set(runs_of(shared)) == set(ALL)
    assert not (tmp_path / "store" / "20260203-023000-dddd").exists()


def test_an_import_that_fails_leaves_nothing(shared, file, tmp_path):
    with open_ledger(shared):
        pass
    engine = sqlalchemy.create_engine(shared.shared.database, poolclass=sqlalchemy.NullPool)
    schema = shared.shared.schema
    with engine.begin() as connection:  # so that the last of its tables refuses a row
        connection.exec_driver_sql(
            f"ALTER TABLE {schema}.managed ADD CHECK (id <> '001000000000002')"
        )
    with pytest.raises(StateError, match="violates check constraint"):
        import_state(shared, file)
    assert runs_of(shared) == {}
    assert [each for each in (tmp_path / "store").rglob("*") if each.is_file()] == []


def test_no_import_while_a_run_is_in_progress_on_any_machine(shared, shared_at, file):
    with (
        open_state(shared_at("b")) as store,
        store.run_lock(JOB, None, run_id="20260204-023000-eeee"),
        pytest.raises(LockHeldError, match="20260204-023000-eeee is in progress"),
    ):
        import_state(shared, file)


def test_columns_of_a_file_that_was_made_by_hand_are_not_sql(shared, file, tmp_path):
    def add_column(members):
        database = tmp_path / "other.sqlite"
        database.write_bytes(members["ledger.sqlite"])
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("""ALTER TABLE watermarks ADD COLUMN "x) VALUES (1); --" TEXT""")
        connection.close()
        return {**members, "ledger.sqlite": database.read_bytes()}

    assert import_state(shared, altered(file, add_column)).added.watermarks == 1


def test_both_kinds_of_ledger_have_the_same_columns(shared, there):
    with open_ledger(shared):
        pass
    engine = sqlalchemy.create_engine(shared.shared.database, poolclass=sqlalchemy.NullPool)
    columns = {}
    for table in sqlalchemy.inspect(engine).get_table_names(schema=shared.shared.schema):
        found = sqlalchemy.inspect(engine).get_columns(table, schema=shared.shared.schema)
        columns[table] = {each["name"] for each in found} - {"rowid"}
    with closing(sqlite3.connect(there.ledger)) as connection, connection:
        tables = [
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        own = {
            table: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            for table in tables
            if not table.startswith("sqlite_")
        }
    connection.close()
    assert {table: columns[table] for table in own} == own
