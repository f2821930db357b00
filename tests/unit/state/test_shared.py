"""A state that machines share, as two of them see it."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy

from runner.errors import ExitCode, LockHeldError, StateError, StorageError, UsageError
from runner.outcome import TaskOutcome, TaskStatus
from runner.redaction import redacted
from runner.state import process
from runner.state.paths import StateFolder
from runner.state.process import ProcessIdentity
from runner.state.run_records import PartRecord, RunState
from runner.state.shared import locks
from runner.state.shared.address import read_address
from runner.state.store import open_state

from .test_stores import BEGAN, FIRST, SECOND, begin, end

DONE = TaskOutcome("accounts", "upsert", "Account", TaskStatus.DONE)


@pytest.fixture
def machines(shared_at):
    """Two machines with the state open, each with its own checkout."""
    with ExitStack() as stack:
        states = [shared_at(name) for name in "ab"]
        yield [(state, stack.enter_context(open_state(state))) for state in states]


def sql(state, statement):
    engine = sqlalchemy.create_engine(state.shared.database, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SET search_path = {state.shared.schema}")
        return connection.exec_driver_sql(statement)


def run_out(state):
    """Let all leases be over, as if their holders had been out of touch."""
    sql(state, "UPDATE locks SET expires = clock_timestamp() - interval '1 second'")


@pytest.fixture
def elsewhere(monkeypatch):
    """Let every process be of another machine."""
    monkeypatch.setattr(ProcessIdentity, "is_of_this_machine", False)


def start(state, store):
    """Start a run with a part that has a file; gives the file."""
    begin(store.ledger)
    store.ledger.start_task(FIRST, "accounts", position=0, verb="upsert", sobject="Account")
    file = state.run(FIRST) / "accounts" / "parts" / "part-0001.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("Id\n001A\n")
    store.ledger.record_part(FIRST, "accounts", PartRecord(1, "sent"))
    return file


def test_a_machine_gets_the_files_that_another_recorded(machines):
    (here, one), (there, two) = machines
    file = start(here, one)
    (file.parent / "not-recorded.csv").write_text("x")
    two.ledger.files.fetch(FIRST)
    found = there.run(FIRST) / "accounts" / "parts" / "part-0001.csv"
    assert found.read_text() == "Id\n001A\n"
    assert [each.name for each in found.parent.iterdir()] == ["part-0001.csv"]
    assert found.stat().st_mode & 0o777 == 0o600


def test_a_machine_with_older_files_gets_those_of_the_ledger(machines):
    (here, one), (there, two) = machines
    file = start(here, one)
    two.ledger.files.fetch(FIRST)
    copy = there.run(FIRST) / "accounts" / "parts" / "part-0001.csv"
    copy.write_text("Id\n001B\n")
    two.ledger.record_part(FIRST, "accounts", PartRecord(1, "done"))
    (file.parent / "part-0002.csv").write_text("never recorded")
    one.ledger.files.fetch(FIRST, exact=True)
    assert file.read_text() == "Id\n001B\n"
    assert [each.name for each in file.parent.iterdir()] == ["part-0001.csv"]


def fetch_elsewhere(there, **how):
    """As the next command of a machine does."""
    with open_state(there) as again:
        again.ledger.files.fetch(FIRST, **how)


def test_what_somebody_changed_in_the_files_of_a_run_stays_until_the_run_goes_on(machines):
    (here, one), (there, _) = machines
    start(here, one)
    end(one.ledger, exit_code=ExitCode.FAILED)
    fetch_elsewhere(there)
    copy = there.run(FIRST) / "accounts" / "parts" / "part-0001.csv"
    copy.write_text("Id\n001B\n")
    (copy.parent / "mine.xlsx").write_text("x")
    fetch_elsewhere(there)
    assert copy.read_text() == "Id\n001B\n"
    fetch_elsewhere(there, exact=True)
    assert [each.name for each in copy.parent.iterdir()] == ["part-0001.csv"]
    assert copy.read_text() == "Id\n001A\n"


def test_files_that_are_here_are_not_fetched_again(machines, tmp_path):
    (here, one), (there, _) = machines
    start(here, one)
    one.ledger.finish_task(FIRST, DONE)
    fetch_elsewhere(there)
    (tmp_path / "store").rename(tmp_path / "gone")
    fetch_elsewhere(there)
    fetch_elsewhere(there, exact=True)
    fetch_elsewhere(here, exact=True)  # which has sent them


def test_the_files_of_a_run_that_is_under_way_here_are_left_alone(machines):
    (here, one), _ = machines
    file = start(here, one)
    file.write_text("Id\n001B\n")
    (file.parent / "part-0002.csv").write_text("about to be recorded")
    fetch_elsewhere(here)
    assert file.read_text() == "Id\n001B\n"
    assert (file.parent / "part-0002.csv").exists()


def test_working_files_stay_on_their_machine(machines):
    (here, one), (there, two) = machines
    for name in ("staging/chunk-0.csv", ".lookups/found.csv", "parts/.part.tmp"):
        file = here.run(FIRST) / "accounts" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    start(here, one)
    two.ledger.files.fetch(FIRST)
    found = [f.name for f in there.run(FIRST).rglob("*.*") if f.is_file()]
    assert sorted(found) == [".stored.json", "part-0001.csv"]


def test_the_log_of_a_run_is_stored_when_a_task_begins_or_ends_not_with_each_part(machines):
    (here, one), (there, two) = machines
    start(here, one)
    (here.run(FIRST) / "events.jsonl").write_text("{}\n")
    one.ledger.record_part(FIRST, "accounts", PartRecord(2, "sent"))
    two.ledger.files.fetch(FIRST, exact=True)
    log = there.run(FIRST) / "events.jsonl"
    assert not log.exists()
    one.ledger.finish_task(FIRST, DONE)
    two.ledger.files.fetch(FIRST, exact=True)
    assert log.read_text() == "{}\n"


def test_a_file_that_somebody_deleted_in_the_store_is_an_error(machines, tmp_path):
    (here, one), (_, two) = machines
    start(here, one)
    for stored in (tmp_path / "store").rglob("part-0001*"):
        stored.unlink()
    with pytest.raises(StateError, match="A file of the run is missing in file://") as caught:
        two.ledger.files.fetch(FIRST)
    assert "`runner resume --abandon`" in (caught.value.hint or "")


def test_a_file_that_was_cut_off_is_an_error(machines, tmp_path):
    (here, one), (_, two) = machines
    start(here, one)
    for stored in (tmp_path / "store").rglob("part-0001*"):
        stored.write_text("Id")
    with pytest.raises(StateError, match="was cut off: it has 2 of 8 bytes"):
        two.ledger.files.fetch(FIRST)


def test_replaced_and_deleted_files_leave_the_store(machines, tmp_path):
    (here, one), _ = machines
    file = start(here, one)
    file.write_text("Id\n001B\n001C\n")
    one.ledger.record_part(FIRST, "accounts", PartRecord(1, "done"))
    assert len([f for f in (tmp_path / "store").rglob("*") if f.is_file()]) == 1
    file.unlink()
    one.ledger.finish_task(FIRST, DONE)
    assert not [f for f in (tmp_path / "store").rglob("*") if f.is_file()]


def test_files_are_in_the_store_before_the_ledger_names_them(machines, tmp_path):
    (here, one), (_, two) = machines
    start(here, one)
    (tmp_path / "store").rename(tmp_path / "gone")
    (tmp_path / "store").write_text("in the way")
    file = here.run(FIRST) / "accounts" / "parts" / "part-0002.csv"
    file.write_text("x")
    with pytest.raises(StorageError, match="cannot be written"):
        one.ledger.record_part(FIRST, "accounts", PartRecord(2, "sent"))
    assert len(two.ledger.run(FIRST).tasks[0].parts) == 1


def test_job_files_are_known_by_their_place_in_the_project(machines):
    (here, one), (there, two) = machines
    facts = {"job": "a", "job_sha256": "", "started": BEGAN}
    one.ledger.start_run(FIRST, job_file=here.shared.project / "jobs" / "a.yaml", **facts)
    there_file = there.shared.project / "jobs" / "a.yaml"
    assert two.ledger.run(FIRST).job_file == there_file
    assert two.ledger.last_run_of(there_file, None).run_id == FIRST
    with (
        one.run_lock(here.shared.project / "jobs" / "a.yaml", None, run_id=FIRST),
        pytest.raises(LockHeldError),
        two.run_lock(there_file, None, run_id=SECOND),
    ):
        pass


def test_a_machine_that_was_cut_off_notes_nothing_after_another_took_over(machines, elsewhere):
    (here, one), (there, two) = machines
    job = Path("/jobs/accounts.yaml")
    with one.run_lock(job, None, run_id=FIRST):
        file = start(here, one)
        assert two.ledger.run(FIRST).state is RunState.RUNNING
        with pytest.raises(LockHeldError), two.run_lock(job, None, run_id=SECOND):
            pass
        run_out(here)
        assert two.ledger.run(FIRST).state is RunState.DIED
        with two.run_lock(job, None, run_id=SECOND):
            file.write_text("Id\n001Z\n")
            for write in (
                lambda: one.ledger.record_part(FIRST, "accounts", PartRecord(1, "done")),
                lambda: one.ledger.plan_task(FIRST, "accounts", "{}"),
                lambda: one.ledger.finish_task(FIRST, DONE),
                lambda: end(one.ledger, exit_code=ExitCode.DONE),
                lambda: begin(one.ledger, "another"),
            ):
                with pytest.raises(LockHeldError, match=f"run {SECOND} on .* has taken over"):
                    write()
            two.ledger.files.fetch(FIRST)
            assert (there.run(FIRST) / "accounts/parts/part-0001.csv").read_text() == "Id\n001A\n"
            two.ledger.plan_task(FIRST, "accounts", "{}")
    with one.run_lock(job, None, run_id=FIRST):
        one.ledger.plan_task(FIRST, "accounts", "{}")


def test_a_machine_that_slept_sends_on_only_if_nobody_took_over(machines, elsewhere, monkeypatch):
    (here, one), (_, two) = machines
    job = Path("/jobs/a.yaml")

    def sleep():
        awake = locks._now()  # noqa: SLF001 - the clock that counts sleep
        monkeypatch.setattr(locks, "_now", lambda: awake + locks.LEASE_SECONDS)
        run_out(here)

    one.permit()
    with one.run_lock(job, None, run_id=FIRST):
        sleep()
        one.permit()
        with pytest.raises(LockHeldError, match="in progress"), two.run_lock(job, None, run_id="x"):
            pass
        sleep()
        with two.run_lock(job, None, run_id=SECOND), pytest.raises(LockHeldError) as lost:
            one.permit()
        assert f"run {SECOND} on " in lost.value.message
        assert f"`runner show {SECOND}`" in lost.value.hint


def test_a_transaction_checks_all_its_locks_and_the_layout_at_once(machines):
    (_, one), _ = machines
    with ExitStack() as stack:
        for name in "abc":
            stack.enter_context(one.run_lock(Path(f"/jobs/{name}.yaml"), None, run_id=FIRST))
        with one.ledger.database.writing() as connection:
            engine = connection._connection.engine  # noqa: SLF001 - what goes over the wire
        said = []
        sqlalchemy.event.listen(
            engine, "before_cursor_execute", lambda *told: said.append(told[2].split()[0])
        )
        with one.ledger.database.writing():
            pass
        assert said == ["SET", "SELECT"]


def test_the_end_of_a_lost_lock_does_not_release_it(machines, elsewhere):
    (here, one), (_, two) = machines
    job = Path("/jobs/accounts.yaml")
    with one.run_lock(job, None, run_id=FIRST):
        run_out(here)
        taken = two.run_lock(job, None, run_id=SECOND)
        taken.__enter__()
    with pytest.raises(LockHeldError, match=SECOND), one.run_lock(job, None, run_id="third"):
        pass
    taken.__exit__(None, None, None)


def test_the_lock_of_a_dead_process_of_this_machine_is_free(machines):
    (here, one), (_, two) = machines
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    with one.run_lock(Path("/jobs/a.yaml"), None, run_id=FIRST):
        began = process._start_time(1)  # noqa: SLF001 - a time that is not the child's
        sql(here, f"UPDATE locks SET pid = {child.pid}, began = '{began}'")
        with two.run_lock(Path("/jobs/a.yaml"), None, run_id=SECOND):
            pass


def test_a_state_of_a_newer_release_is_refused(machines, shared_at):
    (here, _), _ = machines
    sql(here, "UPDATE layout SET version = version + 1")
    with (
        pytest.raises(StateError, match="was written by a newer release"),
        open_state(shared_at("c")),
    ):
        pass


def test_nothing_is_written_once_another_release_has_changed_the_tables(machines):
    (here, one), (_, two) = machines
    start(here, one)
    sql(here, "UPDATE layout SET version = version + 1")
    with pytest.raises(StateError, match="Another release has changed the tables"):
        one.ledger.plan_task(FIRST, "accounts", "{}")
    assert two.ledger.run(FIRST).tasks[0].plan is None


def test_a_schema_with_the_tables_of_another_program_is_refused(shared_at):
    state = shared_at()
    engine = sqlalchemy.create_engine(state.shared.database, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {state.shared.schema}")
        connection.exec_driver_sql(f"CREATE TABLE {state.shared.schema}.layout (name text)")
    with (
        pytest.raises(StateError, match="has tables, and they are not the runner's"),
        open_state(state),
    ):
        pass


def test_a_server_that_is_away_is_named_without_the_password(tmp_path):
    url = f"postgresql://ada:secret-word@/crm?host={tmp_path}&files=file:///x"
    state = StateFolder(tmp_path, read_address(url, tmp_path))
    with pytest.raises(StorageError) as caught, open_state(state):
        pass
    assert caught.value.message.startswith(f"The state postgresql://{tmp_path}/crm cannot be used")
    assert "secret-word" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mysql://h/d?files=s3://b", "cannot be at mysql://"),
        ("s3://bucket/state", "cannot be at s3://"),
        ("postgresql://h/d", "does not say where files go"),
        ("postgresql://h/d?files=/folder", "does not say where files go"),
        ("postgresql://h/d?files=s3://", "names no bucket"),
        ("postgresql://h/d?files=file:///", "names no absolute folder"),
        ("postgresql://h/d?files=file://relative/x", "names no absolute folder"),
        ("postgresql://h/d?files=memory://x", "in memory"),
        ("postgresql://h:a/d?files=s3://b", "a port that is not a number"),
        ("postgresql://h:99999/d?files=s3://b", "a port that is not a number"),
        ("postgresql://h/d?files=s3://b&schema=A;B", "which is not a name"),
        ("postgresql://u:a/b@h/d?files=s3://b", "cannot be read"),
        ("postgresql://u:a#b@h/d?files=s3://b", "cannot be read"),
        ("postgresql://u:a?b@h/d?files=s3://b", "cannot be read"),
        ("postgresql://u:a[b@h/d?files=s3://b", "cannot be read"),
    ],
)
def test_an_address_that_is_wrong(text, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        read_address(text, tmp_path)


def test_secrets_in_the_options_of_an_address_are_masked(tmp_path):
    options = "password=pass-word-1&sslpassword=pass-word-2&files=sftp://me:pass-word-3@h/b"
    read_address(f"postgresql://h/d?{options}", tmp_path)
    assert "pass-word" not in redacted(options)


def test_an_address_without_a_host_is_that_of_the_drivers_default(tmp_path):
    found = read_address("postgresql:///d?files=s3://b", tmp_path)
    assert found.database == "postgresql+psycopg:///d"


def test_the_options_of_an_address_reach_the_driver(tmp_path):
    url = "postgres://u:p%40ss@h:6432/d?sslmode=require&files=s3://b/p/&schema=team"
    found = read_address(url, tmp_path)
    assert found.database == "postgresql+psycopg://u:p%40ss@h:6432/d?sslmode=require"
    assert (found.files, found.schema, found.label) == ("s3://b/p", "team", "postgresql://h/d")
