"""Rows on their way into a real PostgreSQL while they are still being downloaded."""

import psycopg
import pytest

from runner.credentials import SecretReference
from runner.errors import StateError
from runner.job.endpoints import DatabaseTarget
from runner.tables.field_types import FieldKind
from runner.tables.targets.bulk_header import name_columns
from runner.tables.targets.copy_ahead import FEW_ROWS, CopyAhead
from runner.tables.targets.deliver import copy_ahead, deliver
from runner.tables.targets.rest_rows import QueryColumn
from tests.postgresql import PROGRAMS

pytestmark = pytest.mark.skipif(PROGRAMS is None, reason="PostgreSQL is not installed here")
TARGET = DatabaseTarget(SecretReference(env="A_POSTGRESQL"), "public.cases")
COLUMNS = (
    QueryColumn("Id", FieldKind.ID),
    QueryColumn("Amount", FieldKind.NUMBER, 18, 2),
    QueryColumn("Note", FieldKind.TEXT),
)
HEADER = b'"ID","Amount","note"\n'
ROWS = b"".join(b'"%d","1.50","a\nb"\n' % number for number in range(3000))
MANY = FEW_ROWS + 1


@pytest.fixture
def database(empty_postgres, monkeypatch):
    monkeypatch.setenv("A_POSTGRESQL", empty_postgres)
    with psycopg.connect(empty_postgres.replace("+psycopg", ""), autocommit=True) as link:
        link.execute("CREATE TABLE cases AS SELECT 'old' AS \"Id\"")

        def ask(sql):
            found = link.execute(sql)
            return found.fetchall() if found.description else []

        yield ask
        link.execute("DROP TABLE cases CASCADE")
        tables = link.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert tables.fetchall() == []


@pytest.fixture
def download(tmp_path):
    """A file that arrives piece by piece, and is renamed at its end."""

    class Download:
        part, file = tmp_path / ".records.csv.tmp", tmp_path / "records.csv"

        def __init__(self):
            self.part.write_bytes(b"")

        def add(self, ahead, content, rows):
            with self.part.open("ab") as stream:
                stream.write(content)
            ahead.grown(self.part, self.part.stat().st_size, rows)

        def end(self):
            return self.part.rename(self.file)

    return Download()


def until_waiting(database):
    """Wait until the copy has taken what there is: then its process waits for the client."""
    for _ in range(20_000):
        if database("SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY%sfrunner_new%'"
                    " AND wait_event = 'ClientRead'"):  # fmt: skip
            return
    pytest.fail("nothing is being copied")


def test_rows_are_copied_while_they_arrive_and_seen_at_the_end(database, download):
    with copy_ahead(TARGET, COLUMNS) as ahead:
        ahead.expect(MANY)
        download.add(ahead, HEADER + ROWS, 3000)
        until_waiting(database)
        assert database("SELECT * FROM cases") == [("old",)]  # it can be read meanwhile
        download.add(ahead, b'"x","2","last"', MANY)
        rows = download.end()
        assert deliver(rows, TARGET, COLUMNS, keep_rows=False, ahead=ahead) == ()
    assert not rows.exists()
    assert database('SELECT count(*), sum("Amount")::text, max("Note") FROM cases') == [
        (3001, "4502.00", "last")
    ]
    assert database("SELECT column_name, data_type FROM information_schema.columns"
                    " WHERE table_name = 'cases' ORDER BY ordinal_position") == [
        ("Id", "text"), ("Amount", "numeric"), ("Note", "text"),
    ]  # fmt: skip


def shrinks(ahead, download):
    ahead.grown(download.part, 0, 0)  # the page comes again
    download.add(ahead, b"", MANY)


def is_another(ahead, download):
    other = download.part.with_name("other")
    other.write_bytes(download.part.read_bytes())
    ahead.grown(other, other.stat().st_size, MANY)


def is_rewritten(_ahead, download):
    content = download.part.read_bytes()
    download.part.unlink()
    download.part.write_bytes(content)


def has_grown_unseen(_ahead, download):
    with download.part.open("ab") as stream:
        stream.write(b'"y","2","unseen"\n')


def has_a_long_number(ahead, download):
    download.add(ahead, b'"y","1.2345","x"\n', MANY)


def has_a_broken_row(ahead, download):
    download.add(ahead, b'"y","1.2","x","more"\n', MANY)


@pytest.mark.parametrize(
    "happens",
    [shrinks, is_another, is_rewritten, has_grown_unseen, has_a_long_number, has_a_broken_row],
)
def test_a_copy_of_anything_but_the_file_is_not_kept(database, download, happens):
    with copy_ahead(TARGET, COLUMNS) as ahead:
        ahead.expect(MANY)
        download.add(ahead, HEADER + ROWS, 3000)
        until_waiting(database)
        happens(ahead, download)
        assert not ahead.finish(download.end())
    assert database("SELECT * FROM cases") == [("old",)]


def test_a_number_with_many_decimals_is_not_rounded(database, download):
    with copy_ahead(TARGET, COLUMNS) as ahead:
        ahead.expect(MANY)
        download.add(ahead, HEADER + ROWS, 3000)
        download.add(ahead, b'"y","1.2345","x"\n', MANY)
        rows = download.end()
        name_columns(rows, COLUMNS)
        deliver(rows, TARGET, COLUMNS, keep_rows=False, ahead=ahead)
    assert database("SELECT \"Amount\"::text FROM cases WHERE \"Id\" IN ('1', 'y')") == [
        ("1.5000",), ("1.2345",),
    ]  # fmt: skip


def test_a_download_that_breaks_off_changes_nothing(database, download):
    with copy_ahead(TARGET, COLUMNS) as ahead:
        ahead.expect(MANY)
        download.add(ahead, HEADER + ROWS, 3000)
        until_waiting(database)
    assert database("SELECT * FROM cases") == [("old",)]
    assert not ahead.is_under_way
    others = (
        "SELECT pid FROM pg_stat_activity WHERE query LIKE '%sfrunner_new%'"
        " AND pid <> pg_backend_pid()"
    )
    assert any(not database(others) for _ in range(20_000))


def test_no_transaction_is_open_for_a_long_download(database, download):
    seconds = iter([0.0, 100.0, 110.0])
    with CopyAhead(TARGET, COLUMNS, soon=60, clock=lambda: next(seconds)) as ahead:
        ahead.expect(MANY)
        download.add(ahead, HEADER + ROWS, 3000)
        assert not ahead.is_under_way
        download.add(ahead, b"", MANY - 1)
        assert ahead.is_under_way


def test_a_download_that_becomes_slow_is_not_waited_for(database, download):
    with CopyAhead(TARGET, COLUMNS, soon=0, clock=lambda: 0.0) as ahead:
        ahead.expect(MANY)
        download.add(ahead, HEADER + ROWS, 3000)
        assert any(database("SELECT 1") and not ahead.is_under_way for _ in range(20_000))
        assert not ahead.finish(download.end())
    assert database("SELECT * FROM cases") == [("old",)]


@pytest.mark.parametrize(
    ("rows", "header", "columns"),
    [
        (FEW_ROWS, HEADER, COLUMNS),  # few
        (MANY, HEADER, (*COLUMNS[:2], QueryColumn("Note", FieldKind.NUMBER))),  # of any width
        (MANY, HEADER, (COLUMNS[2], *COLUMNS[:2])),  # columns are going to be moved
        (MANY, HEADER.replace(b'"', b""), COLUMNS),  # rows are going to be moved
        (MANY, HEADER + b'"1","1.5E7",""\n', COLUMNS),  # numbers are going to be written in full
    ],
)
def test_other_rows_are_not_copied_ahead(database, download, rows, header, columns):
    with copy_ahead(TARGET, columns) as ahead:
        ahead.expect(rows)
        download.add(ahead, header + ROWS, 3000)
        assert not ahead.is_under_way
        assert not ahead.finish(download.end())


def test_a_table_that_cannot_be_replaced_is_reported(database, download):
    database("CREATE VIEW seen AS SELECT * FROM cases")
    with copy_ahead(TARGET, COLUMNS) as ahead:
        ahead.expect(MANY)
        download.add(ahead, HEADER + ROWS, 3000)
        with pytest.raises(StateError, match="other objects depend on it"):
            deliver(download.end(), TARGET, COLUMNS, keep_rows=True, ahead=ahead)
    assert database("SELECT * FROM seen") == [("old",)]
