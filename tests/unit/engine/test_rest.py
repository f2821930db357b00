"""What the ledger and the results have of each batch that goes over REST."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from runner.engine import rest
from runner.engine.columns import ColumnPlan
from runner.engine.deadline import Deadline
from runner.engine.rest import RestWrite
from runner.engine.sending import PreparedWrite
from runner.errors import SignInError, StateError, TransportError
from runner.events import ignore
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.job.model import Verb, WriteTask
from runner.outcome import RowStatus
from runner.salesforce.rest.write import BrokenOffError, RecordResult

DONE = RecordResult("001A", success=True, created=True)


def prepared(verb):
    """A write of one row, and the lists in which the ledger and the results note what they get."""
    source = FileSource(Path("/a.csv"), FileShape(FileFormat.CSV))
    task = WriteTask(name="a", verb=verb, sobject="Account", index=0, source=source)
    lines, rows = [], []
    ledger = SimpleNamespace(
        inherited=lambda _number: None,
        inherited_parts=(),
        record=lambda line, *, synced: lines.append((line.state, synced)),
    )
    staging = SimpleNamespace(
        rows_total=1,
        rejected_total=0,
        skipped_total=0,
        unchanged_total=0,
        batches=lambda _size: [[(1, {"ERP_Id__c": "E1"})]],
    )
    context = SimpleNamespace(
        past=None,
        user_id="005A",
        sink=ignore,
        deadline=lambda task: Deadline(task, lambda: 0.0),
        session=SimpleNamespace(observer=None),
    )
    plan = ColumnPlan((), "ERP_Id__c", {}, unique=("ERP_Id__c",))
    results = SimpleNamespace(add=rows.extend)
    return PreparedWrite(task, context, plan, ledger, staging, results, None), lines, rows


@pytest.mark.parametrize(("verb", "synced"), [(Verb.CREATE, True), (Verb.UPDATE, False)])
def test_only_the_lines_of_creates_wait_for_the_disk(monkeypatch, verb, synced):
    monkeypatch.setattr(rest, "write_batch", lambda *_: [DONE])
    write, lines, rows = prepared(verb)
    assert RestWrite(write).run() is None
    assert lines == [("sent", synced), ("answered", synced)]
    assert [row.status for row in rows] == [RowStatus.SUCCEEDED]


def test_an_answer_is_in_the_ledger_though_its_results_cannot_be_stored(monkeypatch):
    def full(_rows):
        raise error

    error = StateError("The disk is full.")
    monkeypatch.setattr(rest, "write_batch", lambda *_: [DONE])
    write, lines, _ = prepared(Verb.CREATE)
    sender = RestWrite(replace(write, results=SimpleNamespace(add=full)))
    assert sender.run() is error
    assert [state for state, _ in lines] == ["sent", "answered"]
    assert not sender.is_complete


def test_a_lost_create_that_cannot_be_looked_for_is_in_doubt(monkeypatch):
    def lose(*_):
        raise BrokenOffError(TransportError("reset", may_have_arrived=True), [None], in_doubt=[0])

    def refuse(*_args, **_options):
        raise error

    error = SignInError("The token is dead.")
    monkeypatch.setattr(rest, "write_batch", lose)
    monkeypatch.setattr(rest.LostAnswers, "write_again", refuse)
    write, lines, rows = prepared(Verb.CREATE)
    sender = RestWrite(write)
    assert sender.run() is error
    assert sender.has_open_rows
    assert [state for state, _ in lines] == ["sent", "sent"]
    assert [row.status for row in rows] == [RowStatus.IN_DOUBT]


@pytest.mark.parametrize(
    ("verb", "unique", "advice"),
    [
        (Verb.UPDATE, (), "may safely be sent again"),
        (Verb.UPSERT, (), "may safely be sent again"),
        (Verb.DELETE, (), "may safely be sent again"),
        (Verb.CREATE, ("ERP_Id__c",), "`runner resume` finds out"),
        (Verb.CREATE, (), "Look for it in the org before sending the row again"),
    ],
)
def test_only_a_create_that_nothing_identifies_is_to_be_looked_for_by_hand(
    monkeypatch, verb, unique, advice
):
    def lose(*_):
        raise BrokenOffError(TransportError("reset", may_have_arrived=True), [None], in_doubt=[0])

    monkeypatch.setattr(rest, "write_batch", lose)
    monkeypatch.setattr(rest.LostAnswers, "write_again", lose)
    write, _, rows = prepared(verb)
    write = replace(write, plan=replace(write.plan, unique=unique))
    RestWrite(write).run()
    (row,) = rows
    assert (row.status, row.code) == (RowStatus.IN_DOUBT, "ANSWER_LOST")
    assert advice in row.message
    assert ("Look for it" in row.message) == (advice.startswith("Look"))
