"""Messages are recorded before they are sent; those that fail wait, for a while, in their order."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from runner.job.build_notices import recipient
from runner.notify.outbox import deliver, notification_of
from runner.state.ledger import Ledger
from runner.state.ledger_adding import adding
from runner.state.ledger_copy import save_copy
from runner.state.notifications import LONGEST_WAIT, MOST_WAITING

HOOK, OTHER = {"webhook": {"env": "HOOK"}}, {"webhook": {"env": "OTHER"}}


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture
def send(ledger):
    """Deliver messages; what was said of those that were not sent."""

    def work(*made, timeout=5.0):
        said = []
        deliver(ledger.notifications, made, timeout_seconds=timeout, warn=said.append)
        return said

    return work


def message(text, to=HOOK, when=None):
    document = {
        "run_id": None,
        "target": None,
        "event": "failed",
        "title": text,
        "text": text,
        "finished": (when or datetime.now(UTC)).isoformat(),
    }
    return notification_of(recipient(to), document, Path("/jobs/a.yaml"))


def states(ledger):
    with ledger.database.reading() as connection:
        found = connection.execute("SELECT state, tries, message FROM notifications")
        return [tuple(row) for row in found.fetchall()]


def test_what_hangs_waits_and_holds_up_nobody_else(send, ledger, web, silent, monkeypatch):
    monkeypatch.setenv("HOOK", silent)
    monkeypatch.setenv("OTHER", web.url)
    (said,) = send(message("one"), message("two"), message("other", OTHER), timeout=0.1)
    assert "'failed' and 1 more to webhook of variable HOOK was not sent" in said
    assert [each.json["title"] for each in web.got] == ["other"]
    waiting = ledger.notifications.waiting()
    assert [each.tries for each in waiting] == [1, 1]

    monkeypatch.setenv("HOOK", web.url)
    web.got.clear()
    assert send(message("three")) == []
    assert [each.json["title"] for each in web.got] == ["one", "two", "three"]
    assert [each.json["delayed"] for each in web.got if "delayed" in each.json] == [True, True]
    assert {(state, text) for state, _, text in states(ledger)} == {("sent", "")}


def test_the_same_message_has_the_same_id_each_time(send, web, monkeypatch):
    monkeypatch.setenv("HOOK", web.url)
    web.status = 503
    send(message("one"))
    web.status = 200
    send()
    first, second = (each.headers["webhook-id"] for each in web.got)
    assert first == second


def test_old_messages_are_dropped_and_that_is_said(send, ledger):
    old = datetime.now(UTC) - LONGEST_WAIT - timedelta(minutes=1)
    ledger.notifications.take([message("old", when=old)], old)
    said = send(message("new"))
    assert "could not be sent for 3 days and was dropped" in said[0]
    assert [state for state, _, _ in states(ledger)] == ["dropped", "waiting"]


def test_only_so_many_messages_wait(ledger, send):
    now = datetime.now(UTC)
    ledger.notifications.take([message(str(at)) for at in range(MOST_WAITING + 5)], now)
    assert sum("was dropped" in each for each in send()) == 5
    assert len(ledger.notifications.waiting()) == MOST_WAITING


def test_without_a_ledger_messages_are_sent_once(web, monkeypatch):
    monkeypatch.setenv("HOOK", web.url)
    said = []
    deliver(None, [message("one")], warn=said.append)
    web.status = 500
    deliver(None, [message("two")], warn=said.append)
    assert len(web.got) == 2
    assert said == [
        "notification 'failed' to webhook of variable HOOK was not sent: it answered 500."
    ]


def test_two_processes_do_not_send_one_message_twice(ledger):
    now = datetime.now(UTC)
    assert len(ledger.notifications.take([message("one")], now)) == 1
    assert ledger.notifications.take([], now) == []
    # The process that took it died, or noted that it failed.
    (taken,) = ledger.notifications.take([], now + timedelta(minutes=2))
    ledger.notifications.note(taken.number, now, "it answered 500")
    (again,) = ledger.notifications.take([], now + timedelta(minutes=2))
    assert again.error == "it answered 500"


def test_what_waits_goes_to_another_machine_once(ledger, tmp_path):
    now = datetime.now(UTC)
    run = {"job": "a", "job_file": Path("/jobs/a.yaml"), "job_sha256": "", "started": now}
    ledger.start_run("run-1", **run)
    of_run = replace(message("of a run"), run_id="run-1")
    ledger.notifications.take([of_run, message("never began")], now)
    save_copy(ledger.database.path, tmp_path / "copy.sqlite")
    for _ in range(2):
        with adding(tmp_path / "other.sqlite", tmp_path / "copy.sqlite"):
            pass
    with Ledger(tmp_path / "other.sqlite") as other:
        assert [each.run_id for each in other.notifications.waiting()] == ["run-1", None]
