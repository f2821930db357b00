"""The list of the records that a mirror has created."""

from datetime import timedelta
from pathlib import Path

import pytest

from runner.state import managed
from runner.state.ledger import Ledger
from runner.state.managed import Event, ManagedChange, MirrorKey

HERE = MirrorKey(Path("/jobs/erp.yaml"), "accounts", "00D000000000001")
A, B, C = ("001000000000001", "001000000000002", "001000000000003")


@pytest.fixture
def noted(tmp_path):
    """Note events, each with Ids, in a ledger of their own; the Ids that are listed then."""

    def note(*events, mirror=HERE):
        with Ledger(tmp_path / "ledger.sqlite") as ledger:
            for event, *ids in events:
                file = tmp_path / "ids.txt"
                file.write_text("".join(f"{each}\n" for each in ids), encoding="utf-8")
                ledger.managed.note(ManagedChange(mirror, event, file))
            listed = tmp_path / "listed.txt"
            count = ledger.managed.write_ids(mirror, listed)
        found = listed.read_text(encoding="utf-8").split()
        assert count == len(found)
        return sorted(found)

    return note


@pytest.mark.parametrize(
    ("events", "left"),
    [
        ([], []),
        ([(Event.CREATED, A, B)], [A, B]),
        ([(Event.CREATED, A), (Event.CREATED, A, B)], [A, B]),
        ([(Event.CREATED, A), (Event.UNDONE, A, C)], []),
        ([(Event.CREATED, A), (Event.DELETED, A, C)], [A]),
        ([(Event.DELETED, A)], []),
        ([(Event.RESTORED, A)], []),
    ],
)
def test_only_what_was_created_is_listed(noted, events, left):
    assert noted(*events) == left


def test_a_deleted_record_is_known_until_no_undo_can_bring_it_back(noted, monkeypatch):
    assert noted((Event.CREATED, A, B, C), (Event.DELETED, A, B), (Event.RESTORED, B)) == [A, B, C]
    monkeypatch.setattr(managed, "_KEPT", timedelta(days=-60))
    assert noted((Event.CREATED, C)) == [B, C]


def test_each_mirror_of_each_org_has_a_list(noted):
    noted((Event.CREATED, A))
    assert noted((Event.CREATED, B), mirror=MirrorKey(HERE.job_file, "others", HERE.org_id)) == [B]
    assert noted(mirror=MirrorKey(HERE.job_file, HERE.task, "00D000000000002")) == []
    assert noted() == [A]


def test_more_than_fit_one_statement(noted, monkeypatch):
    monkeypatch.setattr(managed, "_AT_ONCE", 2)
    assert noted((Event.CREATED, A, B, C), (Event.UNDONE, B)) == [A, C]
