"""What every state has to do, whatever it is made of."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from runner.errors import ExitCode, LockHeldError, StateError, UsageError
from runner.outcome import Counts, RunOutcome, TaskOutcome, TaskStatus
from runner.runs.retention import prune
from runner.state.managed import Event, ManagedChange, MirrorKey
from runner.state.notifications import Notification, NotificationState
from runner.state.run_records import PartRecord, RunRequest, RunState
from runner.state.store import open_state
from runner.state.watermarks import Extracted, Watermark

BEGAN = datetime(2026, 11, 23, 13, 5, 1, 250, tzinfo=UTC)
ENDED = BEGAN + timedelta(minutes=3)
JOB = Path("/jobs/accounts.yaml")
FIRST, SECOND = "20261123-130501-7f3a", "20261124-130501-0001"
OUTCOME = TaskOutcome(
    name="accounts",
    verb="upsert",
    sobject="Account",
    status=TaskStatus.PARTIAL,
    counts=Counts(read=12, created=3, updated=8, failed=1),
    api="bulk",
    api_calls=14,
    seconds=41.25,
    message="1 row failed: 100 % of \x00 it",
    code="ROWS_FAILED",
    exit_code=ExitCode.PARTIAL,
    results=Path("/results/accounts"),
    target="https://files.example/out/x.csv",
    bulk_job_ids=("7505g1", "7505g2"),
    top_errors=(("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", 1, 3),),
    notes=("a note: with :colons and %s",),
)


@pytest.fixture
def store(state):
    with open_state(state) as opened:
        yield opened


def begin(ledger, run_id=FIRST, *, started=BEGAN, **more):
    facts = {"job": "accounts", "job_file": JOB, "job_sha256": "ab" * 32, "started": started}
    ledger.start_run(run_id, **facts, **more)


def end(ledger, run_id=FIRST, exit_code=ExitCode.DONE, *, final=True):
    ended = RunOutcome(run_id, "accounts", JOB, BEGAN, ENDED, exit_code=exit_code)
    ledger.finish_run(ended, final=final)


def test_a_run_comes_back_with_its_org_tasks_and_parts(store):
    ledger = store.ledger
    begin(ledger, request=RunRequest(only=("accounts",), params=("day=1",), target="prod"))
    ledger.connect_run(
        FIRST, org_id="00D1", instance_url="https://a.example", username="ada", api_version="60.0"
    )
    ledger.start_task(FIRST, "accounts", position=0, verb="upsert", sobject="Account")
    ledger.plan_task(FIRST, "accounts", '{"rows": 12}')
    sent = PartRecord(0, "sent", first_row=1, last_row=9, rows=9, bytes=1 << 40)
    ledger.record_part(FIRST, "accounts", sent)
    ledger.record_part(FIRST, "accounts", replace(sent, state="done", bulk_job_id="7505g1"))
    ledger.record_part(FIRST, "accounts", PartRecord(1, "sent", attempt=1), synced=False)
    run = ledger.run("2026")
    assert (run.org_id, run.request.target, run.state) == ("00D1", "prod", RunState.RUNNING)
    (task,) = run.tasks
    assert (task.plan, task.outcome) == ('{"rows": 12}', None)
    assert [(p.part, p.attempt, p.state, p.bulk_job_id) for p in task.parts] == [
        (0, 0, "done", "7505g1"),
        (1, 1, "sent", None),
    ]
    assert task.parts[0].bytes == 1 << 40
    assert ledger.knows_job("7505g1")
    assert not ledger.knows_job("7505g2")


def test_an_end_comes_back_as_it_was(store):
    begin(store.ledger)
    store.ledger.start_task(FIRST, "accounts", position=0, verb="upsert", sobject="Account")
    store.ledger.record_part(FIRST, "accounts", PartRecord(0, "answered", results="[]"))
    store.ledger.finish_task(FIRST, OUTCOME)
    skipped = TaskOutcome("contacts", "upsert", "Contact", TaskStatus.SKIPPED)
    store.ledger.finish_task(FIRST, skipped)
    end(store.ledger, exit_code=ExitCode.PARTIAL)
    run = store.ledger.run("last")
    assert run.outcome.exit_code is ExitCode.PARTIAL
    found = run.task("accounts")
    assert replace(found.outcome, message=None) == replace(OUTCOME, message=None)
    assert found.outcome.message.startswith("1 row failed: 100 % of ")
    assert found.parts == ()  # its results are in files now
    assert [task.name for task in run.tasks] == ["accounts", "contacts"]


def test_runs_are_found_by_job_target_and_end(store):
    ledger = store.ledger
    begin(ledger)
    end(ledger, exit_code=ExitCode.PARTIAL)
    begin(ledger, SECOND, started=ENDED, request=RunRequest(verb="retry"), after=FIRST)
    assert ledger.last_success_of(JOB, None) is None
    end(ledger, SECOND)
    assert ledger.last_success_of(JOB, None).run_id == FIRST  # its retry has done the rest
    assert ledger.last_run_of(JOB, None).run_id == SECOND
    assert ledger.last_run_of(JOB, "prod") is None
    assert ledger.jobs() == [(JOB, None)]
    assert [run.run_id for run in ledger.runs()] == [SECOND, FIRST]
    assert ledger.runs(job="other") == ()
    assert [run.run_id for run in ledger.runs_since(ENDED)] == [SECOND]
    with pytest.raises(UsageError, match="Several runs begin with '2026112'"):
        ledger.run("2026112")
    with pytest.raises(UsageError, match="There is no run 'x'"):
        ledger.run("x")


def test_an_undo_is_known_of_its_run(store):
    begin(store.ledger)
    begin(store.ledger, SECOND, started=ENDED, request=RunRequest(verb="undo"), after=FIRST)
    assert store.ledger.undone_by(FIRST) == (SECOND,)


def test_an_unfinished_run_is_listed_until_it_is_closed(store):
    begin(store.ledger)
    store.ledger.start_task(FIRST, "accounts", position=0, verb="upsert", sobject="Account")
    end(store.ledger, exit_code=ExitCode.INTERRUPTED, final=False)
    assert [run.run_id for run in store.ledger.unfinished(JOB)] == [FIRST]
    assert store.ledger.unfinished(Path("/jobs/other.yaml")) == ()
    store.ledger.close_run(FIRST)
    assert store.ledger.unfinished() == ()


def test_a_change_of_what_is_not_there_is_refused(store):
    with pytest.raises(StateError, match="has no record of nobody"):
        store.ledger.close_run("nobody")
    begin(store.ledger)
    with pytest.raises(StateError):
        begin(store.ledger)


def test_a_transaction_is_whole_or_nothing(store, tmp_path):
    begin(store.ledger)
    watermark = Watermark(
        "accounts", JOB, "accounts", "00D1", "aa", "SystemModstamp", BEGAN, BEGAN, BEGAN, FIRST
    )
    extracted = Extracted(watermark, tmp_path / "missing.csv")
    with pytest.raises((FileNotFoundError, StateError)):
        store.ledger.finish_task(FIRST, OUTCOME, extracted=extracted)
    assert store.ledger.run(FIRST).tasks == ()
    assert store.ledger.watermarks.all() == []


def test_a_watermark_moves_with_the_end_of_its_task(store, tmp_path):
    begin(store.ledger)
    rows, written = tmp_path / "rows.csv", tmp_path / "written.csv"
    rows.write_text(
        "001A,2026-11-23T13:05:01Z\n001B,2026-11-23T13:05:02Z\n001A,2026-11-23T13:05:01Z\n"
    )
    watermark = Watermark(
        "accounts", JOB, "accounts", "00D1", "aa", "SystemModstamp", BEGAN, BEGAN, BEGAN, FIRST
    )
    store.ledger.finish_task(FIRST, OUTCOME, extracted=Extracted(watermark, rows))
    later = replace(watermark, until=ENDED)
    store.ledger.watermarks.move(Extracted(later, rows))
    assert store.ledger.watermarks.find(JOB, "accounts", "00D1") == later
    store.ledger.watermarks.write_delivered(later, written)
    assert sorted(written.read_text().split()) == sorted(set(rows.read_text().split()))
    assert store.ledger.watermarks.of_other_org(JOB, "accounts", "00D2", "aa") == later
    store.ledger.watermarks.move(Extracted(replace(later, org_id="00D2"), rows))
    assert [each.org_id for each in store.ledger.watermarks.all("accounts")] == ["00D2"]


def test_records_of_a_mirror_are_listed_until_they_are_deleted(store, tmp_path):
    mirror, ids = MirrorKey(JOB, "accounts", "00D1"), tmp_path / "ids"

    def note(event, *records):
        ids.write_text("".join(f"{each}\n" for each in records))
        store.ledger.managed.note(ManagedChange(mirror, event, ids))

    def listed():
        count = store.ledger.managed.write_ids(mirror, tmp_path / "found")
        found = sorted((tmp_path / "found").read_text().split())
        assert len(found) == count
        return found

    note(Event.CREATED, "001A", "001B")
    note(Event.CREATED, "001B", "001C")
    note(Event.UNDONE, "001C")
    assert listed() == ["001A", "001B"]


def test_messages_wait_are_taken_and_noted(store):
    begin(store.ledger)
    made = Notification(FIRST, JOB, None, "failed", "webhook", "text", BEGAN)
    (taken,) = store.ledger.notifications.take([made], BEGAN)
    assert store.ledger.notifications.take([], BEGAN) == []  # another process has it
    store.ledger.notifications.note(taken.number, ENDED, "no answer")
    assert store.ledger.notifications.waiting()[0].error == "no answer"
    store.ledger.notifications.note(taken.number, ENDED, None)
    assert store.ledger.notifications.of_runs([FIRST])[0].state is NotificationState.SENT
    assert store.ledger.notifications.last_of(JOB, None).run_id == FIRST
    assert store.ledger.notifications.drop_old(ENDED) == []


def test_a_deleted_run_takes_everything_of_it_along(store, state):
    begin(store.ledger)
    folder = state.run(FIRST) / "accounts"
    folder.mkdir(parents=True)
    (folder / "failed.csv").write_text("x")
    store.ledger.finish_task(FIRST, OUTCOME)
    end(store.ledger)
    store.ledger.delete_run(FIRST)
    assert store.ledger.runs() == ()
    assert not state.run(FIRST).exists()


def test_one_run_of_a_job_at_a_time(store, state):
    with open_state(state) as other, store.run_lock(JOB, "00D1", run_id=FIRST) as note:
        note(SECOND)
        with (
            pytest.raises(LockHeldError, match=f"Run {SECOND} of .* is in progress: pid"),
            other.run_lock(JOB, "00D1", run_id="third"),
        ):
            pass
        with (
            other.run_lock(JOB, "00D2", run_id="third"),
            other.run_lock(JOB, "00D1", run_id="third", target="prod"),
        ):
            pass
    with open_state(state) as other, other.run_lock(JOB, "00D1", run_id="third"):
        pass


def test_a_lock_is_free_after_an_error(store):
    with pytest.raises(ZeroDivisionError), store.run_lock(JOB, None, run_id=FIRST):
        raise ZeroDivisionError
    with store.run_lock(JOB, None, run_id=SECOND):
        pass


def test_files_of_a_run_are_here_after_a_fetch(store, state):
    begin(store.ledger)
    file = state.run(FIRST) / "accounts" / "parts" / "part-0001.csv"
    file.parent.mkdir(parents=True)
    file.write_text("Id\n001A\n")
    store.ledger.start_task(FIRST, "accounts", position=0, verb="upsert", sobject="Account")
    store.ledger.record_part(FIRST, "accounts", PartRecord(1, "sent"))
    store.ledger.files.fetch(FIRST)
    assert file.read_text() == "Id\n001A\n"


def test_a_file_put_aside_by_another_process_is_the_runs_once_it_is_taken(store, state):
    begin(store.ledger)
    place = state.run(FIRST) / "accounts" / "staging"
    (place / "piece").mkdir(parents=True)
    (place / "piece" / "a.csv").write_text("Id\n001A\n")
    with open_state(state) as other:
        aside = other.ledger.files.put_aside(FIRST, [place / "piece" / "a.csv"])
    files = store.ledger.files
    files.take(FIRST, aside, place)
    assert (place / "a.csv").read_text() == "Id\n001A\n"
    (place.parent / "rows").mkdir()
    kept = (place / "a.csv").replace(place.parent / "rows" / "a.csv")
    with files.writing(FIRST):
        pass
    if state.shared is not None:
        kept.unlink()
        files.fetch(FIRST, exact=True)
        with store.ledger.database.reading() as connection:  # it was not sent again
            (row,) = connection.execute("SELECT path, name FROM files").fetchall()
        assert (row["path"], row["name"]) == ("accounts/rows/a.csv", aside[0].stored)
    assert kept.read_text() == "Id\n001A\n"
    with pytest.raises(StateError):
        files.take(FIRST, [replace(aside[0], stored="accounts/staging/other")], place)


def test_what_nobody_took_is_deleted_a_day_after_the_end_of_its_run(store, state):
    if state.shared is None:
        assert store.ledger.files.delete_strays(ENDED) == 0
        return
    ledger, scratch = store.ledger, state.root / "piece"
    scratch.mkdir(parents=True)
    for run_id in (FIRST, SECOND):
        begin(ledger, run_id)
        kept = state.run(run_id) / "accounts" / "succeeded.csv"
        kept.parent.mkdir(parents=True)
        kept.write_text("Id\n001A\n")
        (scratch / "a.csv").write_text("Id\n001B\n")
        ledger.files.put_aside(run_id, [scratch / "a.csv"])
        end(ledger, run_id, final=run_id == FIRST)
    assert prune(ledger, now=ENDED + timedelta(hours=23)).runs == ()
    objects = Path(state.shared.files.removeprefix("file://"))
    found = {each.name.partition(".")[0]: each for each in objects.glob(f"{FIRST}/**/*.csv.*")}
    assert sorted(found) == ["a", "succeeded"], "what is on its way may still be taken"
    prune(ledger, now=ENDED + timedelta(hours=25))
    assert (found["a"].exists(), found["succeeded"].exists()) == (False, True)
    assert [*objects.glob(f"{SECOND}/aside/a.csv.*")], "it can be resumed"
    shutil.rmtree(state.runs)
    ledger.files.fetch(FIRST)
    assert (state.run(FIRST) / "accounts" / "succeeded.csv").read_text() == "Id\n001A\n"
