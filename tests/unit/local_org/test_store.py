import sqlite3
import threading
from contextlib import closing

import pytest

from runner.local_org.catalog.declared import extend
from runner.local_org.catalog.standard import standard_catalog
from runner.local_org.store import Store, known_prefixes, reserve


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "org.sqlite3", standard_catalog())
    yield opened
    opened.close()


def _insert(conn, record_id, name):
    conn.execute(
        "INSERT INTO Account (Id, Name, CreatedDate) VALUES (?, ?, '2024-01-01')", (record_id, name)
    )


def _write_and_fail(store):
    with store.writing() as conn:
        _insert(conn, "2", "gone")
        raise ZeroDivisionError


def test_a_failed_write_leaves_nothing(store):
    with pytest.raises(ZeroDivisionError):
        _write_and_fail(store)
    with store.reading() as conn:
        assert conn.execute("SELECT COUNT(*) FROM Account").fetchone() == (0,)


def test_a_write_within_a_write_can_fail_alone(store):
    with store.writing() as conn:
        _insert(conn, "1", "kept")
        with pytest.raises(ZeroDivisionError):
            _write_and_fail(store)
        _insert(conn, "3", "kept")
    with store.reading() as conn:
        assert conn.execute("SELECT Id FROM Account ORDER BY Id").fetchall() == [("1",), ("3",)]


def test_a_read_transaction_cannot_write(store):
    with store.reading(), pytest.raises(RuntimeError), store.writing():
        pass


def test_a_reader_sees_one_moment_while_another_thread_writes(store):
    def write():
        with store.writing() as conn:
            _insert(conn, "1", "new")
        store.release()

    with store.reading() as conn:
        assert conn.execute("SELECT COUNT(*) FROM Account").fetchone() == (0,)
        writer = threading.Thread(target=write)
        writer.start()
        writer.join()
        assert conn.execute("SELECT COUNT(*) FROM Account").fetchone() == (0,)
    with store.reading() as conn:
        assert conn.execute("SELECT COUNT(*) FROM Account").fetchone() == (1,)


def test_a_thread_takes_the_connection_that_another_has_released(store):
    connections = []

    def read():
        with store.reading() as conn:
            connections.append(conn)
        store.release()

    store.release()
    for _ in range(3):
        reader = threading.Thread(target=read)
        reader.start()
        reader.join()
    with store.reading() as conn:
        assert set(connections) == {conn}


def test_what_could_not_be_committed_does_not_keep_others_from_writing(store):
    conn = store._connection()  # noqa: SLF001 - what a failed COMMIT leaves
    conn.execute("BEGIN IMMEDIATE")
    _insert(conn, "1", "gone")
    store.release()
    with store.writing() as conn:
        _insert(conn, "2", "kept")
    with store.reading() as conn:
        assert conn.execute("SELECT Id FROM Account").fetchall() == [("2",)]


def test_text_is_compared_without_case_beyond_ascii(store):
    with store.writing() as conn:
        _insert(conn, "1", "ÉCOLE")
        found = conn.execute("SELECT Id FROM Account WHERE sf_lower(Name) = sf_lower('école')")
        assert found.fetchall() == [("1",)]
        found = conn.execute("SELECT Id FROM Account WHERE Name = 'école' COLLATE SF_NOCASE")
        assert found.fetchall() == [("1",)]


def test_numbers_are_reserved_once(store):
    with store.writing() as conn:
        assert [reserve(conn, "a", 3), reserve(conn, "a", 1), reserve(conn, "b", 1)] == [0, 3, 0]


def test_a_new_field_joins_the_table_that_is_there(tmp_path):
    path = tmp_path / "org.sqlite3"
    Store(path, standard_catalog()).close()
    fields = {"Code__c": {"type": "text", "external_id": True}}
    wider = extend(standard_catalog(), {"version": 1, "objects": {"Account": {"fields": fields}}})
    store = Store(path, wider)
    with store.reading() as conn:
        assert conn.execute('SELECT "Code__c" FROM Account').fetchall() == []
    store.close()


def test_the_catalog_counts_as_changed_only_when_it_did(tmp_path):
    path = tmp_path / "org.sqlite3"
    first = Store(path, standard_catalog())
    with first.writing() as conn:
        conn.execute("UPDATE _catalog SET changed = '2024-05-06T00:00:00+00:00'")
    first.close()
    again = Store(path, standard_catalog())
    assert again.catalog_changed.year == 2024
    again.close()
    wider = extend(standard_catalog(), {"version": 1, "objects": {"A__c": {}}})
    other = Store(path, wider)
    assert other.catalog_changed.year > 2024
    other.close()


def test_custom_objects_keep_their_prefix_whatever_is_declared_before_them(tmp_path):
    path = tmp_path / "org.sqlite3"
    assert known_prefixes(path) == {}
    one = extend(standard_catalog(), {"version": 1, "objects": {"Later__c": {}}})
    Store(path, one).close()
    both = extend(
        standard_catalog(),
        {"version": 1, "objects": {"Sooner__c": {}, "Later__c": {}}},
        known_prefixes(path),
    )
    assert both.sobject("Later__c").key_prefix == "a00"
    assert both.sobject("Sooner__c").key_prefix == "a01"


def test_clearing_empties_records_and_counters(store):
    with store.writing() as conn:
        _insert(conn, "1", "x")
        reserve(conn, "Account", 5)
    store.clear()
    with store.writing() as conn:
        assert conn.execute("SELECT COUNT(*) FROM Account").fetchone() == (0,)
        assert reserve(conn, "Account", 1) == 0


def test_numbers_of_an_earlier_version_stay_and_their_columns_take_more_digits(tmp_path):
    path = tmp_path / "org.sqlite3"
    Store(path, standard_catalog()).close()
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("ALTER TABLE Account DROP COLUMN AnnualRevenue")
        conn.execute("ALTER TABLE Account ADD COLUMN AnnualRevenue REAL")
        conn.execute("INSERT INTO Account (Id, Name, AnnualRevenue) VALUES ('1', 'a', 12.5)")
    opened = Store(path, standard_catalog())
    with opened.writing() as conn:
        conn.execute(
            "INSERT INTO Account (Id, Name, AnnualRevenue) VALUES ('2', 'b', '12345678901234.5678')"
        )
        found = conn.execute("SELECT AnnualRevenue FROM Account ORDER BY Id").fetchall()
    opened.close()
    assert found == [(12.5,), ("12345678901234.5678",)]
