"""The log of a run: what is kept, how much of it, and what happens to a damaged or full one."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from runner import events
from runner.credentials import Secret
from runner.outcome import Counts, RunOutcome, TaskOutcome, TaskStatus
from runner.telemetry import log
from runner.telemetry.log import FILE, EventLog, kept, read_log

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "schemas" / "event.schema.json").read_text(encoding="utf-8")
)
BEGAN = datetime(2026, 11, 29, 2, 30, tzinfo=UTC)
TASK = TaskOutcome("load", "upsert", "Account", TaskStatus.PARTIAL, Counts(read=2, failed=1))
RUN = RunOutcome("r1", "nightly", Path("nightly.yaml"), BEGAN, BEGAN + timedelta(seconds=3))


class Time:
    """Moves only when it is told to."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds

    def now(self):
        return BEGAN + timedelta(seconds=self.seconds)


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def keep(tmp_path, time):
    kept_log = EventLog(tmp_path / FILE, "r1", clock=time, now=time.now)
    yield kept_log
    kept_log.close()


def names(folder):
    return [each["event"] for each in read_log(folder / FILE).events]


def test_every_event_is_an_object_of_the_schema_with_its_run_and_time(tmp_path, keep):
    for event in (
        events.RunStarted("r1", "nightly", 1),
        events.Connected("https://a.example", "00D", "ada", "66.0"),
        events.ApiCallsCounted(12, 15_000),
        events.TaskStarted("load", "upsert", "Account"),
        events.Progress("load", 1, 2, note="Open"),
        events.Retrying("503", 1.5, 2),
        events.Warned("careful"),
        events.Noticed("a guess", "load"),
        events.TaskFinished(TASK),
        events.RunFinished(RUN),
    ):
        keep(event)
    found = read_log(tmp_path / FILE).events
    for each in found:
        Draft202012Validator(SCHEMA).validate(each)
        assert each["run_id"] == "r1"
        assert each["time"] == "2026-11-29T02:30:00.000+00:00"
    assert [(each["event"], each["level"]) for each in found] == [
        ("run.started", "info"),
        ("org.connected", "info"),
        ("org.api_calls", "info"),
        ("task.started", "info"),
        ("task.progress", "debug"),
        ("request.retrying", "warning"),
        ("warning", "warning"),
        ("notice", "info"),
        ("task.finished", "warning"),
        ("run.finished", "info"),
    ]
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_a_log_of_many_hours_stays_small_and_has_the_last_progress(tmp_path, keep, time):
    for done in range(36_000):
        time.seconds = float(done)
        keep(events.Progress("load", done))
    keep(events.TaskFinished(TASK))
    found = read_log(tmp_path / FILE).events
    assert 1_000 < len(found) < 2_000
    assert found[-2]["rows_done"] == 35_999
    assert found[-1]["event"] == "task.finished"


def test_a_full_log_has_only_starts_and_ends_and_says_so_once(tmp_path, keep, monkeypatch):
    monkeypatch.setattr(log, "MOST_BYTES", 600)
    for number in range(50):
        keep(events.Warned(f"warning {number}"))
    keep(events.TaskFinished(TASK))
    assert names(tmp_path)[-2:] == ["log.full", "task.finished"]
    assert names(tmp_path).count("log.full") == 1


def test_no_row_and_no_secret_is_in_the_log(tmp_path, keep):
    Secret("canary-of-the-log-0001")
    refused = (("DUPLICATE_VALUE", "Ada Lovelace is there already", 1, 7),)
    keep(
        events.TaskFinished(
            TaskOutcome("a", "create", "Lead", TaskStatus.FAILED, top_errors=refused)
        )
    )
    keep(events.Retrying("POST /token?refresh_token=abcdef12345678 canary-of-the-log-0001", 1.0, 2))
    text = (tmp_path / FILE).read_text(encoding="utf-8")
    assert "Lovelace" not in text
    assert "canary-of" not in text
    assert "abcdef12345678" not in text
    ended, retrying = read_log(tmp_path / FILE).events
    assert ended["top_errors"] == [{"code": "DUPLICATE_VALUE", "rows": 1, "first_row": 7}]
    assert retrying["wait_seconds"] == 1.0


def test_a_resumed_run_goes_on_behind_a_line_that_is_cut_short(tmp_path):
    (tmp_path / FILE).write_bytes(b'{"event": "run.started"}\n{"event": "task.prog')
    assert names(tmp_path) == ["run.started"]
    again = EventLog(tmp_path / FILE, "r1")
    again(events.RunFinished(RUN))
    again.close()
    found = read_log(tmp_path / FILE)
    assert [each["event"] for each in found.events] == ["run.started", "run.finished"]
    assert found.damaged == 1


def test_a_log_that_cannot_be_written_is_told_once_and_keeps_nothing_from_happening(tmp_path):
    (tmp_path / FILE).mkdir()
    told = []
    with kept(tmp_path, "r1", told.append) as sink:
        sink(events.RunFinished(RUN))
    assert [type(each) for each in told] == [events.Warned, events.RunFinished]
    assert str(tmp_path / FILE) in told[0].message


def test_a_disk_that_fills_up_ends_the_log_and_not_the_run(tmp_path, monkeypatch):
    def full(_descriptor, _content):
        raise OSError(28, "No space left on device")

    told = []
    with kept(tmp_path, "r1", told.append) as sink:
        monkeypatch.setattr(log.os, "write", full)
        sink(events.Warned("one"))
        sink(events.Warned("two"))
    assert [each.message for each in told] == [
        f"{tmp_path / FILE} cannot be written (No space left on device); the run goes on.",
        "one",
        "two",
    ]
