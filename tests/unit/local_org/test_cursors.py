"""Cursors: what a query found, kept beside the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runner.local_org.catalog.model import Catalog
from runner.local_org.cursors import Cursors
from runner.local_org.ids import make_id
from runner.local_org.org import Org, User
from runner.local_org.store import Store

USER = User(make_id("005", 1), "a", "a", "a")


class Clock:
    now = datetime(2024, 5, 15, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def org(tmp_path):
    store = Store(tmp_path / "org.sqlite", Catalog(()))
    yield Org(make_id("00D", 1), store.catalog, store, USER, clock=Clock())
    store.close()


def kept(cursors, ids):
    cursor = cursors.new("SELECT Id FROM Account", USER.id, 200, all_rows=True)
    cursors.save(cursor, ids)
    return cursor


def test_ids_are_read_back_from_any_place(org):
    ids = [make_id("001", number) for number in range(25_000)]
    cursors = Cursors(org)
    cursor = cursors.new("SELECT Id FROM Account", USER.id, 200, all_rows=False)
    assert cursors.save(cursor, ids[:201], iter(ids[201:])) == 25_000
    assert cursors.total(cursor) == 25_000
    assert cursors.ids(cursor, 12_345, 200) == ids[12_345:12_545]
    assert cursors.ids(cursor, 24_999, 200) == ids[-1:]
    assert cursors.ids(cursor, 25_000, 200) == []


def test_a_cursor_is_found_again_by_another_process(org):
    cursor = kept(Cursors(org), [make_id("001", 1)])
    assert Cursors(org).find(cursor.id, USER.id) == cursor


def test_only_who_made_a_cursor_finds_it(org):
    cursors = Cursors(org)
    cursor = kept(cursors, [])
    assert cursors.find(cursor.id, make_id("005", 2)) is None


def test_a_cursor_that_was_not_kept_is_not_found(org):
    cursors = Cursors(org)
    assert cursors.find(cursors.new("…", USER.id, 200, all_rows=False).id, USER.id) is None


def test_old_cursors_and_their_files_go(org):
    cursors = Cursors(org)
    cursor = kept(cursors, [])
    org.clock.now += timedelta(days=2, seconds=1)
    assert cursors.find(cursor.id, USER.id) is None
    kept(cursors, [])
    assert len(list((org.store.folder / "cursors").iterdir())) == 2


def test_no_more_than_a_thousand_are_kept(org):
    cursors = Cursors(org)
    first = kept(cursors, [])
    org.clock.now += timedelta(seconds=1)
    for _ in range(1_000):
        last = kept(cursors, [])
    assert cursors.find(first.id, USER.id) is None
    assert cursors.find(last.id, USER.id) == last
    assert len(list((org.store.folder / "cursors").glob("*.ids"))) == 1_000
