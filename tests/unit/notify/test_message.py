"""What a message says, and that no value of a row is in it unless somebody asks for that."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.errors import ExitCode
from runner.job.notices import USUAL_EVENTS, Notice, NoticeEvent
from runner.notify.events import event_of
from runner.notify.message import Happening, document_of
from runner.outcome import Counts, RunOutcome, TaskOutcome, TaskStatus

NOW = datetime(2026, 11, 29, 2, 31, tzinfo=UTC)
E = NoticeEvent


@pytest.mark.parametrize(
    ("code", "wanted", "more", "event"),
    [
        (ExitCode.DONE, USUAL_EVENTS, {}, None),
        (ExitCode.DONE, USUAL_EVENTS, {"follows_failure": True}, E.RECOVERED),
        (ExitCode.DONE, [E.FAILED], {"follows_failure": True}, None),
        (ExitCode.PARTIAL, USUAL_EVENTS, {"follows_failure": True}, E.PARTIAL),
        (ExitCode.STOPPED, USUAL_EVENTS, {}, E.TRIPPED),
        (ExitCode.STOPPED, [E.FAILED], {}, E.TRIPPED),
        (ExitCode.STOPPED, [E.PARTIAL], {}, None),
        (ExitCode.FAILED, [E.TRIPPED], {}, None),
        (ExitCode.LOCKED, USUAL_EVENTS, {}, E.FAILED),
        (ExitCode.TERMINATED, USUAL_EVENTS, {}, E.FAILED),
        (ExitCode.DONE, [E.SLOW], {"slower_than_seconds": 59}, E.SLOW),
        (ExitCode.DONE, [E.SLOW], {"slower_than_seconds": 60}, None),
        (ExitCode.FAILED, [E.SLOW, E.FAILED], {"slower_than_seconds": 1}, E.FAILED),
        (ExitCode.FAILED, [E.SLOW], {"slower_than_seconds": 1}, E.SLOW),
    ],
)
def test_one_event_at_most_for_each_end(code, wanted, more, event):
    assert event_of(code, wanted, seconds=60, **more) is event


@pytest.fixture
def happening(tmp_path):
    (tmp_path / "failed.csv").write_text(
        "Name,Email,sf__Row,sf__Code,sf__Message\n"
        "Ada,ada@acme.example,2,DUPLICATE_VALUE,duplicate of ada@acme.example\n"
    )
    task = TaskOutcome(
        "load",
        "create",
        "Contact",
        TaskStatus.PARTIAL,
        Counts(read=2, created=1, failed=1),
        message="cell C7 contains 'ada' as a number; see the column 'Email'",
        results=tmp_path,
        top_errors=(("DUPLICATE_VALUE", "duplicate of ada@acme.example", 1, 2),),
    )
    outcome = RunOutcome(
        "20261129-023001-7f3a",
        "contacts",
        Path("/jobs/contacts.yaml"),
        NOW - timedelta(seconds=70),
        NOW,
        (task,),
        exit_code=ExitCode.PARTIAL,
    )
    lines = ("fields: {LastName: name, Email: Email}",)
    return Happening(E.PARTIAL, outcome, "prod", "runner retry 20261129", lines)


def test_a_message_says_what_to_know_without_values(happening):
    found = document_of(happening, Notice(()))
    assert found["title"] == "contacts on prod finished: 1 row failed"
    assert "(exit 3)" in found["text"]
    assert "1 min 10 s" in found["text"]
    assert "1 x DUPLICATE_VALUE (first: row 2)" in found["text"]
    assert "cell C7 contains '…' as a number; see the column 'Email'" in found["text"]
    assert "Next: runner retry 20261129" in found["text"]
    assert "ada" not in str(found)


def test_values_are_in_it_if_somebody_asks_for_them(happening):
    found = document_of(happening, Notice((), rows=True))
    assert "1 x DUPLICATE_VALUE: duplicate of ada@acme.example" in found["text"]
    (row,) = found["tasks"][0]["rows"]
    assert (row["Name"], row["Email"]) == ("Ada", "ada@acme.example")


def test_masked_columns_are_masked_in_messages_too(happening):
    found = document_of(happening, Notice((), rows=True, mask=("email",)))
    (row,) = found["tasks"][0]["rows"]
    assert (row["Name"], row["Email"]) == ("Ada", "***")
    assert row["sf__Message"] == "duplicate of ***"
    assert "ada@acme.example" not in str(found)


@pytest.mark.parametrize(
    ("cells", "message", "shown"),
    [
        ("Ada,ada@acme.example", "EMAIL is wrong: ada (at) acme", "***"),
        ("Ada,Ada@Acme.example", "duplicate of ada@acme.example", "duplicate of ***"),
        ("Ada,no", "nothing to note", "nothing to note"),
    ],
    ids=["a-message-that-names-the-column", "another-case", "too-short-to-be-looked-for"],
)
def test_what_the_org_says_of_a_masked_column(happening, cells, message, shown):
    file = happening.outcome.tasks[0].results / "failed.csv"
    file.write_text(f"Name,Email,sf__Row,sf__Code,sf__Message\n{cells},2,BAD,{message}\n")
    found = document_of(happening, Notice((), rows=True, mask=("Email",)))
    assert found["tasks"][0]["rows"][0]["sf__Message"] == shown


def test_a_failed_row_with_a_very_long_value_is_among_the_rows(happening):
    csv.field_size_limit(131_072)  # as in a process that has read no such value yet
    file = happening.outcome.tasks[0].results / "failed.csv"
    file.write_text(
        f"Name,sf__Row,sf__Code,sf__Message\n{'x' * 200_000},2,STRING_TOO_LONG,too long\n"
    )
    (row,) = document_of(happening, Notice((), rows=True))["tasks"][0]["rows"]
    assert row["Name"] == "x" * 79 + "…"
