import re
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from runner.errors import ExitCode, StateError, UsageError
from runner.outcome import Counts, TaskOutcome, TaskStatus
from runner.state.exclusive import held_alone
from runner.state.ledger import Ledger
from runner.state.ledger_file import LAYOUTS, open_ledger
from runner.state.run_records import PartRecord, RunState
from tests.unit.state.ledger_entries import BEGAN, ENDED, FIRST, begin, end


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "state" / "ledger.sqlite", clock=lambda: ENDED) as opened:
        yield opened


OUTCOME = TaskOutcome(
    name="accounts",
    verb="upsert",
    sobject="Account",
    status=TaskStatus.PARTIAL,
    counts=Counts(read=12, created=3, updated=8, failed=1),
    api="bulk",
    api_calls=14,
    seconds=41.25,
    message="1 row failed",
    code="ROWS_FAILED",
    hint="See failed.csv.",
    exit_code=ExitCode.PARTIAL,
    results=Path("/state/runs/x/accounts"),
    target="https://files.example/out/x.csv",
    bulk_job_ids=("7505g1", "7505g2"),
    top_errors=(("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", 1, 3),),
)


def test_a_run_comes_back_with_its_org_tasks_and_parts(ledger):
    begin(ledger)
    ledger.connect_run(
        FIRST,
        org_id="00D1",
        instance_url="https://acme.my.salesforce.com",
        username="ada@acme.example",
        api_version="60.0",
    )
    ledger.start_task(FIRST, "accounts", position=0, verb="upsert", sobject="Account")
    part = PartRecord(
        0,
        "prepared",
        rows=12,
        bytes=900,
        sha256="cd" * 32,
        bulk_job_id="750x",
    )
    ledger.record_part(FIRST, "accounts", part)
    ledger.finish_task(FIRST, OUTCOME)
    end(ledger, exit_code=ExitCode.PARTIAL)

    run = ledger.run(FIRST)
    assert (run.job, run.job_file, run.job_sha256) == (
        "accounts",
        Path("/jobs/accounts.yaml"),
        "ab" * 32,
    )
    assert (run.started, run.finished) == (BEGAN, ENDED)
    assert (run.org_id, run.username, run.api_version) == ("00D1", "ada@acme.example", "60.0")
    assert (run.state, run.exit_code) == (RunState.FINISHED, ExitCode.PARTIAL)
    assert run.folder == Path("/state/runs") / FIRST
    (task,) = run.tasks
    assert task.outcome == OUTCOME
    (found,) = task.parts
    assert (found.rows, found.bytes) == (12, 900)
    assert found.updated == ENDED
    assert run.outcome.tasks == (OUTCOME,)
    assert run.outcome.exit_code is ExitCode.PARTIAL


def test_a_part_is_replaced_by_what_is_recorded_of_it_later(ledger):
    begin(ledger)
    ledger.start_task(FIRST, "accounts", position=0, verb="create", sobject="Account")
    for state, job in (("prepared", None), ("created", "7505g1"), ("closed", "7505g1")):
        ledger.record_part(FIRST, "accounts", PartRecord(1, state, bulk_job_id=job))
    ledger.record_part(FIRST, "accounts", PartRecord(0, "prepared"))
    parts = ledger.run(FIRST).tasks[0].parts
    assert [(part.part, part.state, part.bulk_job_id) for part in parts] == [
        (0, "prepared", None),
        (1, "closed", "7505g1"),
    ]


def test_tasks_stand_in_the_order_of_the_job_and_skipped_ones_after_them(ledger):
    begin(ledger)
    ledger.start_task(FIRST, "second", position=1, verb="query", sobject="Case")
    ledger.start_task(FIRST, "first", position=0, verb="query", sobject="Case")
    ledger.finish_task(FIRST, TaskOutcome("third", "delete", "Lead", TaskStatus.SKIPPED))
    tasks = ledger.run(FIRST).tasks
    assert [task.name for task in tasks] == ["first", "second", "third"]
    assert tasks[0].number > tasks[1].number, "it started later"
    assert tasks[0].outcome is None
    assert tasks[2].outcome.status is TaskStatus.SKIPPED


def test_a_run_under_way_is_running_and_has_no_outcome(ledger):
    begin(ledger)
    run = ledger.run(FIRST)
    assert run.state is RunState.RUNNING
    assert run.outcome is None


@pytest.mark.parametrize("exit_code", [ExitCode.INTERRUPTED, ExitCode.TERMINATED])
def test_a_signalled_run_was_aborted(ledger, exit_code):
    begin(ledger)
    end(ledger, exit_code=exit_code)
    assert ledger.run(FIRST).state is RunState.ABORTED


def test_the_end_of_a_run_tells_the_org_where_nothing_did_before(ledger):
    begin(ledger)
    end(ledger, org_id="00D1")
    assert ledger.run(FIRST).org_id == "00D1"


DIE = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from runner.state.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
ledger.start_run("r1", job="a", job_file=Path("/a"), job_sha256="", started=datetime.now(UTC))
ledger.start_task("r1", "t", position=0, verb="create", sobject="Account")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_has_died_and_what_it_had_written_is_there(tmp_path):
    path = tmp_path / "ledger.sqlite"
    subprocess.run([sys.executable, "-c", DIE, path], check=False)
    with Ledger(path) as ledger:
        (run,) = ledger.runs()
        assert run.state is RunState.DIED
        assert [task.name for task in run.tasks] == ["t"]


def test_runs_are_listed_newest_first_and_by_job(ledger):
    for number in range(4):
        started = BEGAN + timedelta(seconds=number)
        begin(ledger, f"r{number}", job="even" if number % 2 == 0 else "odd", started=started)
    assert [run.run_id for run in ledger.runs()] == ["r3", "r2", "r1", "r0"]
    assert [run.run_id for run in ledger.runs(limit=2)] == ["r3", "r2"]
    assert [run.run_id for run in ledger.runs(job="even")] == ["r2", "r0"]
    assert ledger.runs(job="none") == ()


def test_runs_of_a_job_that_cannot_be_resumed_are_listed(ledger):
    for run_id in ("done", "aborted", "died"):
        begin(ledger, run_id)
    end(ledger, "done")
    ledger.close_run("aborted")
    assert set(ledger.settled(Path("/jobs/accounts.yaml"))) == {"done", "aborted"}
    assert ledger.settled(Path("/jobs/other.yaml")) == ()


def test_a_run_is_found_by_id_by_the_beginning_of_it_and_as_the_last(ledger):
    begin(ledger, "20261123-1-aaaa")
    begin(ledger, "20261124-1-bbbb", started=BEGAN + timedelta(days=1))
    assert ledger.run("20261123-1-aaaa").run_id == "20261123-1-aaaa"
    assert ledger.run("20261124").run_id == "20261124-1-bbbb"
    assert ledger.run("last").run_id == "20261124-1-bbbb"


def test_an_id_that_begins_another_is_still_found(ledger):
    begin(ledger, "r1")
    begin(ledger, "r10", started=BEGAN + timedelta(days=1))
    assert ledger.run("r1").run_id == "r1"


@pytest.mark.parametrize("wanted", ["2027", "", "%", "_", "LAST"])
def test_an_unknown_run_is_told(ledger, wanted):
    begin(ledger)
    with pytest.raises(UsageError, match="There is no run") as caught:
        ledger.run(wanted)
    assert "runner history" in caught.value.hint


def test_a_beginning_that_several_runs_have_names_them(ledger):
    begin(ledger, "2026-a")
    begin(ledger, "2026-b")
    with pytest.raises(UsageError, match=r"2026-[ab], 2026-[ab]"):
        ledger.run("2026")


def test_the_last_run_of_an_empty_ledger_is_told(ledger):
    with pytest.raises(UsageError, match="No run has been recorded yet"):
        ledger.run("last")


def test_a_run_id_is_used_once(ledger):
    begin(ledger)
    with pytest.raises(StateError):
        begin(ledger)


def test_what_belongs_to_no_run_is_refused(ledger):
    with pytest.raises(StateError):
        ledger.start_task("none", "t", position=0, verb="create", sobject="Account")
    with pytest.raises(StateError):
        ledger.record_part("none", "t", PartRecord(0, "prepared"))
    with pytest.raises(StateError, match="has no record of none"):
        end(ledger, "none")
    with pytest.raises(StateError):
        ledger.finish_task("none", OUTCOME)


def test_threads_share_one_ledger(ledger):
    begin(ledger)
    ledger.start_task(FIRST, "t", position=0, verb="create", sobject="Account")

    def record(first):
        for part in range(first, first + 20):
            ledger.record_part(FIRST, "t", PartRecord(part, "prepared"))
            ledger.runs()

    threads = [threading.Thread(target=record, args=(number * 20,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [part.part for part in ledger.run(FIRST).tasks[0].parts] == list(range(80))


def test_two_ledgers_share_one_file(ledger):
    begin(ledger)
    with Ledger(ledger.database.path) as other:
        assert other.run(FIRST).run_id == FIRST
        begin(other, "r2")
    assert len(ledger.runs()) == 2


def test_a_new_file_may_be_opened_by_many_at_once(tmp_path):
    together = threading.Barrier(6)

    def open_and_begin(run_id):
        together.wait()
        with Ledger(tmp_path / "ledger.sqlite") as opened:
            begin(opened, run_id)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(open_and_begin, [f"r{number}" for number in range(6)]))
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        assert len(opened.runs()) == 6


def test_the_file_is_private(ledger):
    begin(ledger)
    for path in ledger.database.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(ledger.database.path.parent.stat().st_mode) == 0o700


def test_writes_wait_for_the_disk(ledger):
    connection = open_ledger(ledger.database.path)
    wal = connection.execute("PRAGMA journal_mode").fetchone()[0]
    synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
    connection.close()
    assert (wal, synchronous) == ("wal", 2)


def test_a_ledger_of_this_release_is_opened_without_its_lock_and_not_written(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        begin(ledger)
    before = path.read_bytes()
    with held_alone(tmp_path / "ledger.sqlite.lock", 0), Ledger(path) as ledger:
        assert [run.run_id for run in ledger.runs()] == [FIRST]
    assert path.read_bytes() == before


def test_an_old_ledger_waits_for_its_lock(tmp_path, monkeypatch):
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        begin(ledger)
    old = sqlite3.connect(path)
    old.execute(f"PRAGMA user_version = {len(LAYOUTS) - 1}")
    added = re.findall(r"ALTER TABLE (\w+) ADD COLUMN (\w+)", LAYOUTS[-1])
    old.executescript("".join(f"ALTER TABLE {t} DROP COLUMN {c};" for t, c in added))
    old.close()
    monkeypatch.setattr("runner.state.ledger_file.PATIENCE_SECONDS", 0)
    held = held_alone(tmp_path / "ledger.sqlite.lock", 0)
    with held, pytest.raises(StateError, match="has locked the ledger"):
        Ledger(path)
    with Ledger(path) as ledger:
        assert ledger.watermarks.all(None) == []


def test_only_a_line_that_need_not_wait_for_the_disk_does_not(tmp_path, monkeypatch):
    opened, statements = [], []

    def open_traced(path):
        opened.append(open_ledger(path))
        opened[0].set_trace_callback(statements.append)
        return opened[0]

    monkeypatch.setattr("runner.state.ledger_file.open_ledger", open_traced)

    def synchronous():
        return opened[0].execute("PRAGMA synchronous").fetchone()[0]

    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        begin(ledger)
        ledger.start_task(FIRST, "t", position=0, verb="update", sobject="Account")
        statements.clear()
        ledger.record_part(FIRST, "t", PartRecord(0, "sent"), synced=False)
        assert [each.split()[-1] for each in statements if each.startswith("PRAGMA")] == [
            "NORMAL",
            "FULL",
        ]
        assert synchronous() == 2
        with pytest.raises(StateError):
            ledger.record_part(FIRST, "no such task", PartRecord(0, "sent"), synced=False)
        assert synchronous() == 2
        statements.clear()
        ledger.record_part(FIRST, "t", PartRecord(0, "answered"))
        assert not [each for each in statements if each.startswith("PRAGMA")]


def test_a_closed_ledger_says_so(ledger):
    ledger.close()
    with pytest.raises(StateError, match="closed"):
        ledger.runs()
