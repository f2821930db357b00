"""A file that is no ledger, or one of a newer release, is told and never written over."""

import sqlite3

import pytest

from runner.errors import StateError
from runner.state.ledger import Ledger
from runner.state.run_records import PartRecord
from tests.unit.state.ledger_entries import FIRST, begin


def fill(path):
    with Ledger(path) as ledger:
        begin(ledger)
        ledger.start_task(FIRST, "t", position=0, verb="create", sobject="Account")
        for part in range(200):
            ledger.record_part(FIRST, "t", PartRecord(part, "prepared", sha256="ab" * 32))


def scribble_in_the_middle(path):
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x5a" * len(content[4096:])
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"no ledger at all, though it is here" * 100),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        scribble_in_the_middle,
    ],
)
def test_a_damaged_ledger_is_kept_aside_and_told(tmp_path, damage):
    path = tmp_path / "ledger.sqlite"
    fill(path)
    damage(path)
    before = path.read_bytes()
    with pytest.raises(StateError, match="is damaged") as caught:
        Ledger(path)
    assert not path.exists()
    (aside,) = tmp_path.glob("ledger.sqlite.damaged-*")
    assert aside.read_bytes() == before
    assert str(aside) in caught.value.message
    with Ledger(path) as fresh:
        assert fresh.runs() == ()


def test_a_ledger_of_a_newer_release_is_left_as_it_is(tmp_path):
    path = tmp_path / "ledger.sqlite"
    fill(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StateError, match="newer release"):
        Ledger(path)
    assert path.exists()


def test_a_folder_in_the_ledgers_place_is_told(tmp_path):
    with pytest.raises(StateError, match="cannot be used"):
        Ledger(tmp_path)
