"""A table that keeps its rows: the query's are added or merged in one transaction."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pytest
import sqlalchemy
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from runner.credentials import SecretReference
from runner.errors import StateError, StorageError
from runner.job.endpoints import DatabaseTarget, Deletes, Keeping, SchemaChanges, TableMode
from runner.tables.field_types import FieldKind
from runner.tables.targets import database as database_targets
from runner.tables.targets.deliver import deliver
from runner.tables.targets.landing import has_landed, marker
from runner.tables.targets.rest_rows import QueryColumn
from runner.tables.targets.target_state import (
    TargetState,
    keeps_state,
    read_state,
    write_delivered,
)
from tests.short_form import sampled, short_form
from tests.unit.tables.targets.merged_tables import KINDS, URL


@pytest.mark.parametrize("mode", short_form([*TableMode], [TableMode.MERGE]))
def test_names_may_have_a_percent_sign(database, put, mode):
    put.table, kinds = "t %s", {"100 %": QueryColumn("100 %", FieldKind.TEXT)}
    for name in ("A", "B"):
        put("Id,100 %", ("1", name), mode=mode, kinds=kinds)
    found = database('SELECT "100 %" FROM "t %s"')
    assert [row[0] for row in found][-1] == "B"


@pytest.mark.parametrize("mode", [TableMode.MERGE, TableMode.APPEND])
def test_a_watermark_moves_with_the_rows_or_not_at_all(database, tmp_path, mode):
    key = "Id" if mode is TableMode.MERGE else None
    target = DatabaseTarget(SecretReference(env=URL), "t", mode, Keeping(key))
    file, at = tmp_path / "rows.csv", "2026-03-01T00:00:0{}.000Z"
    if not keeps_state(target):
        pytest.skip("the ledger keeps the watermark of a DuckDB file")

    def extract(*rows, until):
        lines = (f'"{each}","{at.format(n)}"\n' for n, each in enumerate(rows))
        file.write_text('"Id","At"\n' + "".join(lines), encoding="utf-8")
        state = TargetState("it's", "100%", "00D", "t", "ab", "At", until, "k", "f", "r")
        known = [KINDS["Id"], KINDS["At"]]
        deliver(file, target, known, keep_rows=True, state=state)
        return state

    assert read_state(target, "it's", "100%") is None
    extract("a", "b", until="1")
    last = extract("c", until="2")
    with pytest.raises((StateError, StorageError)):
        extract("d", 'e","no moment"\n"f', until="3")
    assert read_state(target, "it's", "100%") == last
    assert read_state(target, "other", "100%") is None
    assert len(database("SELECT 1 FROM t")) == 3
    write_delivered(target, "at", datetime(2026, 3, 1, 0, 0, 1, tzinfo=UTC), tmp_path / "d.csv")
    assert (tmp_path / "d.csv").read_text().split() == [f"b,{at.format(1)}"]
    database("DROP TABLE _sfrunner_state")


def test_jobs_of_one_name_do_not_replace_each_other_s_markers(database, tmp_path):
    """One of them is killed with its rows in the table: a resume still finds them there."""
    target = DatabaseTarget(SecretReference(env=URL), "t", TableMode.APPEND)
    file = tmp_path / "rows.csv"

    def add(run_id, over=()):
        file.write_text('"Id"\n"a"\n', encoding="utf-8")
        state = marker(target, "it's", "100%", "00D", run_id, over)
        noted = []
        deliver(file, target, [KINDS["Id"]], keep_rows=True, state=state, landing=noted.append)
        return noted[0]

    def landed(*run_ids):
        return [has_landed(target, landing, "it's", "100%", each) for each in run_ids]

    landing = add("killed")
    add("other")
    assert landed("killed", "other", "new") == [True, True, False]
    add("other2", over=["other"])
    assert landed("killed", "other", "other2") == [True, False, True]
    add("killed")
    assert len(database("SELECT 1 FROM _sfrunner_state")) == 2
    database("DROP TABLE _sfrunner_state")


def test_a_table_of_somebody_else_with_the_name_of_the_state_s_is_refused(database, tmp_path):
    target = DatabaseTarget(SecretReference(env=URL), "t", TableMode.APPEND)
    file = tmp_path / "rows.csv"
    file.write_text('"Id"\n"a"\n', encoding="utf-8")
    database("CREATE TABLE _sfrunner_state (job text)")

    def add():
        state = marker(target, "job", "task", "00D", "run")
        deliver(file, target, [KINDS["Id"]], keep_rows=True, state=state)

    try:
        with pytest.raises(StateError, match="has no column 'task'") as caught:
            add()
        assert "Rename _sfrunner_state, or write t to another" in caught.value.hint
    finally:
        database("DROP TABLE _sfrunner_state")


def test_a_merge_updates_what_is_there_and_adds_what_is_new(database, put):
    assert put("Id,Name", ("b", "1"), ("a", 'x % :y "z"'), ("c", "")) == ("3 new, 0 updated",)
    assert put("Id,Name", ("d", "4"), ("b", "2")) == ("1 new, 1 updated",)
    wanted = [("a", 'x % :y "z"'), ("b", "2"), ("c", None), ("d", "4")]
    assert database('SELECT * FROM t ORDER BY "Id"') == wanted
    assert put("Id") == ("0 new, 0 updated",)
    assert put("Id", ("a",), ("e",)) == ("1 new, 1 updated",)
    assert database('SELECT * FROM t ORDER BY "Id"') == [*wanted, ("e", None)]
    put("Id,Name", ("z", "9"), mode=TableMode.REPLACE)
    assert put("Id,Name", ("z", "8")) == ("0 new, 1 updated",)
    assert database("SELECT * FROM t") == [("z", "8")]


def test_one_statement_takes_the_rows_over_where_tables_change_outside_of_transactions(
    request, monkeypatch, tmp_path, put
):
    """PostgreSQL has what Snowflake and BigQuery need for a merge, so it stands in for them."""
    engine = sqlalchemy.create_engine(request.getfixturevalue("empty_postgres"))
    monkeypatch.setenv(URL, request.getfixturevalue("empty_postgres"))
    monkeypatch.setattr(database_targets, "WAREHOUSES", ("postgresql",))
    put.table = "taken"
    header = "Id,Name,Amount,At,IsDeleted"
    at = "2026-03-01T00:00:00.123Z"
    first = [("a", "100% :x", "1.5", at, "false"), ("b", "", "", "", "false")]
    assert put(header, *first) == ("2 new, 0 updated",)
    more = [("b", "B", "2", at, "true"), ("c", "C", "12345.678", at, "false")]
    assert put(header, *more, deletes=Deletes.REMOVE) == (
        "1 new, 0 updated, 1 removed",
        "wider column Amount",
    )
    (gone := tmp_path / "gone.csv").write_text("b\nit's\n", encoding="utf-8")
    assert put("Id,Name", ("b", "B")) == ("1 new, 0 updated",)
    assert put("Id,Name", gone=gone) == ("0 new, 0 updated",)
    assert put("Id,N", ("c", "7"), mode=TableMode.APPEND) == ("new column N",)
    with engine.begin() as link:
        cells = '"Id", "Name", CAST("Amount" AS text), "N" FROM taken ORDER BY 1, 4 NULLS FIRST'
        found = [tuple(each) for each in link.exec_driver_sql(f"SELECT {cells}")]
        left = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'sfrunner_rows%%'"
        assert link.exec_driver_sql(left).scalar() == 0
    engine.dispose()
    assert found == [
        ("a", "100% :x", "1.500", None), ("c", "C", "12345.678", None), ("c", None, None, 7)
    ]  # fmt: skip
    with pytest.raises(StateError, match="2 rows have the Id c"):
        put("Id,N", ("a", "1"))


def test_rows_of_deleted_records_are_removed_or_flagged(database, put):
    header = "Id,Name,IsDeleted"
    put(header, ("a", "1", "false"), ("b", "2", "false"), ("c", "3", "false"))
    gone = [("c", "", "true"), ("z", "", "true")]
    assert put(header, *gone, deletes=Deletes.REMOVE) == ("0 new, 0 updated, 1 removed",)
    put(header, ("b", "", "true"), ("a", "", "false"), deletes=Deletes.FLAG)
    assert database('SELECT * FROM t ORDER BY "Id"') == [("a", None, False), ("b", "2", True)]


def test_new_columns_are_added_and_others_left_alone(database, put):
    put("Id,Name,N", ("a", "x", "7"), ("b", "y", ""))
    lower = {"id": QueryColumn("id", FieldKind.ID)}.items()
    notes = put("id,Day", ("a", "2026-01-31"), ("c", ""), kinds=lower)
    assert notes == ("1 new, 1 updated", "new column Day")
    found = database('SELECT "Id", "Name", "N", CAST("Day" AS text) FROM t ORDER BY "Id"')
    assert found == [("a", "x", 7, "2026-01-31"), ("b", "y", None, None), ("c", None, None, None)]
    with pytest.raises(StateError, match=r"has no column Amount, and `schema: freeze`"):
        put("Id,Amount", ("a", "1"), schema=SchemaChanges.FREEZE)
    put("Name,Id,At", ("q", "d", "2026-01-31T08:00:00.000Z"), mode=TableMode.APPEND)
    added = database('SELECT "Id", "Name", "At" IS NULL FROM t WHERE "Id" IN (\'q\', \'d\')')
    assert [tuple(map(str, row)) for row in added] in ([("d", "q", "False")], [("d", "q", "0")])
    assert database('SELECT count(*), count("At") FROM t') == [(4, 1)]


@pytest.mark.parametrize("mode", [TableMode.MERGE, TableMode.APPEND])
def test_values_go_into_their_columns_whatever_the_order_of_the_query(database, put, mode):
    texts = {each: QueryColumn(each, FieldKind.TEXT) for each in ("A", "B", "C")}
    put("Id,A,C", ("1", "a", "c"), mode=mode, kinds=texts)
    put("Id,A,B,C,N", ("2", "a", "b", "c", "7"), mode=mode, kinds=texts)
    put("N,C,Id", ("8", "c8", "3"), mode=mode, kinds=texts)
    assert database('SELECT "Id", "A", "B", "C", "N" FROM t ORDER BY "Id"') == [
        ("1", "a", None, "c", None),
        ("2", "a", "b", "c", 7),
        ("3", None, None, "c8", 8),
    ]


def test_numbers_keep_every_digit(database, put):
    put("Id,Amount,N", ("a", "12.34", "7"))
    put("Id,Amount", ("b", "123456.789"))
    found = database('SELECT "Amount" FROM t ORDER BY "Id"')
    assert [Decimal(each[0]) for each in found] == [Decimal("12.34"), Decimal("123456.789")]
    number = [("N", QueryColumn("N", FieldKind.NUMBER, 4, 2))]
    if database.is_sqlite:
        with pytest.raises(
            StateError, match="the column N is of type bigint, which no longer fits"
        ):
            put("Id,N", ("c", "1.5"), kinds=number)
        return
    with pytest.raises(StateError, match="column N that is too narrow"):
        put("Id,N", ("c", "1.5"), kinds=number, schema=SchemaChanges.FREEZE)
    assert put("Id,N", ("c", "1.5"), kinds=number) == ("1 new, 0 updated", "wider column N")
    assert database('SELECT "N" FROM t ORDER BY "Id"') == [
        (Decimal(7),),
        (None,),
        (Decimal("1.5"),),
    ]


def test_a_type_that_no_longer_fits_names_the_column(database, put):
    put("Id,Day", ("a", "2026-01-31"))
    with pytest.raises(StateError, match=r"(?i)column Day is of type date, which no longer fits"):
        put("Id,Day", ("b", "x"), kinds=[("Day", QueryColumn("Day", FieldKind.TEXT))])
    assert database('SELECT "Id" FROM t') == [("a",)]


def test_blank_and_doubled_keys_are_errors(database, put):
    put("Id,Name", ("a", "1"))
    with pytest.raises(StateError, match="The query: row 2 has no Id"):
        put("Id,Name", ("b", "1"), ("", "2"))
    with pytest.raises(StateError, match="The query: rows 1 and 3 both have the Id b"):
        put("Id,Name", ("b", "1"), ("c", "1"), ("b", "2"))
    with pytest.raises(StateError, match="has no column N, which is the `key`"):
        put("N", ("1",), key="N")
    assert database("SELECT * FROM t") == [("a", "1")]
    put("Id,Name", ("x", "1"), ("x", "2"), mode=TableMode.REPLACE)
    with pytest.raises(StateError, match=r"Table t: .*rows .*have the Id x, which is the `key`"):
        put("Id,Name", ("b", "1"))
    assert database("SELECT count(*) FROM t") == [(2,)]


def test_a_row_that_is_refused_leaves_the_table_as_it_was(database, put):
    database('CREATE TABLE t ("Id" text, "Name" text NOT NULL)')
    database("INSERT INTO t VALUES ('a', '1')")
    with pytest.raises(StateError, match=r"(?i)null"):
        put("Id,Name,N", ("a", "2", ""), ("b", "", "1"))
    assert database("SELECT * FROM t") == [("a", "1")]


KILLED_BEFORE_ITS_COMMIT = """
import os, sys
from pathlib import Path
from runner.credentials import SecretReference
from runner.job.endpoints import DatabaseTarget, Keeping, TableMode
from runner.tables.targets import duckdb_file, sqlite
from runner.tables.targets.deliver import deliver
import sqlalchemy
run = sqlite._run
sqlite._run = lambda link, sql, *rest: os._exit(9) if sql == "COMMIT" else run(link, sql, *rest)
sqlalchemy.Connection.commit = lambda _: os._exit(9)
duckdb_file.said = lambda *_: os._exit(9)
target = DatabaseTarget(SecretReference(env="A_DATABASE"), "t", TableMode.MERGE, Keeping("Id"))
deliver(Path(sys.argv[1]), target, None, keep_rows=True)
"""


def test_a_killed_merge_leaves_the_old_table(database, put, tmp_path):
    put("Id,Name", ("a", "1"))
    rows = tmp_path / "killed.csv"
    rows.write_text('"Id","Name","New"\n"a","2",""\n"b","3",""\n', encoding="utf-8")
    command = [sys.executable, "-c", KILLED_BEFORE_ITS_COMMIT, rows]
    assert subprocess.run(command, env=os.environ, timeout=60, check=False).returncode == 9
    assert database("SELECT * FROM t") == [("a", "1")]
    put("Id,Name", ("a", "2"), ("b", "3"))
    assert database('SELECT * FROM t ORDER BY "Id"') == [("a", "2"), ("b", "3")]


batches = st.lists(
    st.dictionaries(
        st.sampled_from("abcdef"),
        st.tuples(st.text("xyz \n\"',é", max_size=3), st.booleans()),
        max_size=5,
    ),
    min_size=1,
    max_size=4,
)


@sampled(4, deadline=None, suppress_health_check=[*HealthCheck])
@given(batches=batches)
def test_merged_batches_are_the_last_row_of_each_key(database, put, batches):
    put("Id,Name,IsDeleted", mode=TableMode.REPLACE)
    expected = {}
    for batch in batches:
        rows = [(key, name, str(gone).lower()) for key, (name, gone) in batch.items()]
        put("Id,Name,IsDeleted", *rows, deletes=Deletes.REMOVE)
        for key, (name, gone) in batch.items():
            expected.pop(key, None) if gone else expected.update({key: name or None})
    assert dict(database('SELECT "Id", "Name" FROM t')) == expected


@pytest.mark.parametrize("url", ["duckdb:///:memory:", "duckdb://", "duckdb:///"])
def test_a_duckdb_that_would_be_lost_is_refused(put, monkeypatch, url):
    monkeypatch.setenv(URL, url)
    with pytest.raises(StateError, match="does not name a file"):
        put("Id", ("a",))


def test_a_duckdb_file_keeps_its_schemas_and_is_whole_when_replaced(put, monkeypatch, tmp_path):
    file = tmp_path / "new" / "a.duckdb"
    monkeypatch.setenv(URL, f"duckdb:///{file}")
    monkeypatch.setattr(put, "table", "crm.t")
    for value in "xy":
        put("Id,Name", ("a", value), mode=TableMode.REPLACE)
    with duckdb.connect(file) as connection:
        assert connection.execute("SELECT * FROM crm.t").fetchall() == [("a", "y")]
    file.write_bytes(b"something else" * 999)
    with pytest.raises(StateError, match="DuckDB file cannot be opened"):
        put("Id,Name", ("a", "z"))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_of_rows_is_no_duckdb_file(put, monkeypatch, tmp_path, ending):
    """DuckDB opens it as views in memory: what is written beside them would be gone."""
    file = tmp_path / f"a.{ending}"
    duckdb.sql(f"COPY (SELECT 1 AS n) TO '{file}'")
    before = file.read_bytes()
    monkeypatch.setenv(URL, f"duckdb:///{file}")
    with pytest.raises(StateError, match="not a valid DuckDB database file"):
        put("Id,Name", ("a", "x"))
    assert file.read_bytes() == before
