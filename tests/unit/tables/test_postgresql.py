# ruff: noqa: E501 - a case reads best in one line
"""A real PostgreSQL as a source and as a target, started for these tests alone."""

import csv
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from runner.credentials import SecretReference
from runner.errors import SourceError, StateError
from runner.job.endpoints import DatabaseSource, DatabaseTarget, TableMode
from runner.tables.field_types import FieldKind
from runner.tables.psycopg_connection import connect_psycopg
from runner.tables.sources.open import open_source
from runner.tables.staging.canonical_values import open_database
from runner.tables.targets.column_types import TypedColumn, TypedRows
from runner.tables.targets.deliver import deliver
from runner.tables.targets.landing import has_landed, marker
from runner.tables.targets.postgresql import copy, seen_too_long
from runner.tables.targets.rest_rows import QueryColumn
from tests.postgresql import PROGRAMS

pytestmark = [
    pytest.mark.skipif(PROGRAMS is None, reason="PostgreSQL is not installed here: apt install postgresql"),
]  # fmt: skip
REFERENCE = SecretReference(env="A_POSTGRESQL")
COLUMNS = (
    QueryColumn("Id", FieldKind.ID),
    QueryColumn("Account.Name", FieldKind.TEXT),
    QueryColumn("Amount", FieldKind.NUMBER, 18, 2),
    QueryColumn("At", FieldKind.DATETIME),
    QueryColumn("Closed", FieldKind.BOOLEAN),
    QueryColumn("Day", FieldKind.DATE),
    QueryColumn("N", FieldKind.INTEGER),
)
ROWS = (
    ",".join(f'"{column.name}"' for column in COLUMNS)
    + '\n"006A","Ä ""x"", y\nz\u2028 % :a","1234567890123456.50","2026-03-29T01:30:00.123Z",'
    '"false","4000-12-31","7"\n"006B","","","","true","1700-01-01",""\n'
)


@pytest.fixture
def database(empty_postgres, monkeypatch):
    monkeypatch.setenv("A_POSTGRESQL", empty_postgres)
    engine = sqlalchemy.create_engine(empty_postgres, poolclass=sqlalchemy.pool.NullPool)

    def ask(sql):
        with engine.begin() as connection:
            found = connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
            return [tuple(row) for row in found] if found.returns_rows else []

    yield ask
    engine.dispose()


def read(sql, folder):
    [records] = open_source(DatabaseSource(REFERENCE, sql), folder)
    content = b"".join(records.blocks).decode()
    return records.columns, list(csv.reader(content.splitlines(keepends=True)))


def test_values_are_written_as_fields_expect_them(database, tmp_path):
    sql = """SELECT true AS flag, DATE '4000-12-31' AS day, 1234567890123456.50::numeric(18,2) AS n,
        TIMESTAMP '2026-03-29 02:30:00.123' AS local,
        TIMESTAMPTZ '2026-03-29 02:30:00+02' AT TIME ZONE 'UTC' AS utc, 9007199254740993 AS i,
        '50% :x' AS t, NULL AS nothing, '{"a": [1]}'::jsonb AS j, '\\x6162'::bytea AS raw
        WHERE 'a' LIKE '%a'"""
    columns, [row] = read(sql, tmp_path)
    assert dict(zip(columns, row, strict=True)) == {
        "flag": "true", "day": "4000-12-31", "n": "1234567890123456.50",
        "local": "2026-03-29 02:30:00.123000", "utc": "2026-03-29 00:30:00",
        "i": "9007199254740993", "t": "50% :x", "nothing": "", "j": '{"a": [1]}', "raw": "YWI=",
    }  # fmt: skip


def test_values_that_python_cannot_hold_are_as_the_database_writes_them(database, tmp_path):
    sql = """SELECT DATE 'infinity' AS a, DATE '0044-03-15 BC' AS b, TIME '24:00' AS c,
        TIMESTAMP '-infinity' AS d, DATE '12026-01-31' AS e, INTERVAL '1 month 30:15:00' AS f,
        ARRAY[1.50, 2]::numeric[] AS g, ARRAY[DATE '2026-01-31'] AS h, ROW(1, 'x') AS i,
        DATE '2026-01-31' AS j, TIMESTAMPTZ 'infinity' AS k, 'NaN'::numeric AS l"""
    columns, [row] = read(sql, tmp_path)
    assert dict(zip(columns, row, strict=True)) == {
        "a": "infinity", "b": "0044-03-15 BC", "c": "24:00:00", "d": "-infinity", "e": "12026-01-31",
        "f": "1 mon 30:15:00", "g": "[1.50, 2]", "h": '["2026-01-31"]', "i": '["1", "x"]',
        "j": "2026-01-31", "k": "infinity", "l": "NaN",
    }  # fmt: skip


def test_params_are_bound_as_values_of_their_types(database, tmp_path):
    params = {"since": datetime(2026, 1, 31, tzinfo=UTC), "day": date(2026, 1, 31), "x": "'; --"}
    sql = "SELECT :x AS x, '%' AS p, :day::date + 1 AS d WHERE TIMESTAMPTZ '2026-02-01' > :since"
    [records] = open_source(DatabaseSource(REFERENCE, sql, params), tmp_path)
    assert b"".join(records.blocks).decode() == '"\'; --","%","2026-02-01"\n'


def test_rows_come_through_a_cursor_of_the_server(database, tmp_path):
    """A cursor of the server's own is what pg_cursors shows; without it all rows would be here."""
    _, rows = read("SELECT (SELECT count(*) FROM pg_cursors WHERE NOT is_holdable), g FROM"
                   " generate_series(1, 5000) g", tmp_path)  # fmt: skip
    assert len(rows) == 5000
    assert rows[0] == ["1", "1"]


def test_a_dropped_connection_is_reported(database, tmp_path):
    sql = (
        "SELECT g, CASE WHEN g = 4500 THEN pg_terminate_backend(pg_backend_pid())::text END"
        " FROM generate_series(1, 5000) g"
    )
    with pytest.raises(SourceError, match="dropped the connection") as raised:
        read(sql, tmp_path)
    assert "pass-word" not in f"{raised.value.message}{raised.value.hint}"


@pytest.mark.parametrize(
    ("sql", "said"),
    [("SELEKT 1", "syntax error"), ("SELECT * FROM nowhere", "does not exist"), ("SELECT 1/0", "division by zero")],
)  # fmt: skip
def test_rejected_sql_is_reported_in_the_databases_words(database, tmp_path, sql, said):
    with pytest.raises(SourceError, match=said):
        read(sql, tmp_path)


def test_a_source_changes_nothing(database, tmp_path):
    database("CREATE TABLE other AS SELECT 1 AS a")
    with suppress(SourceError):
        read("DELETE FROM other RETURNING a", tmp_path)
    assert database("SELECT a FROM other") == [(1,)]


def test_an_unreachable_server_is_reported_without_the_password(postgres, monkeypatch, tmp_path):
    url = f"postgresql+psycopg://sync:pass-word@/postgres?host={postgres}/nowhere"
    monkeypatch.setenv("A_POSTGRESQL", url)
    with pytest.raises(SourceError, match="could not be reached") as raised:
        read("SELECT 1", tmp_path)
    assert "pass-word" not in f"{raised.value.message}{raised.value.hint}"


@pytest.fixture
def rows(tmp_path):
    file = tmp_path / "records.csv"
    file.write_text(ROWS, encoding="utf-8")
    return file


def test_a_table_has_the_types_of_the_describe_and_every_digit(database, rows):
    for mode, count in ((TableMode.REPLACE, 2), (TableMode.APPEND, 4), (TableMode.REPLACE, 2)):
        deliver(rows, DatabaseTarget(REFERENCE, "public.cases", mode), COLUMNS, keep_rows=True)
        assert database("SELECT count(*) FROM cases") == [(count,)]
    types = database(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_name = 'cases' ORDER BY ordinal_position"
    )
    assert [each[1] for each in types] == [
        "text", "text", "numeric", "timestamp with time zone", "boolean", "date", "bigint",
    ]  # fmt: skip
    first, second = database('SELECT * FROM cases ORDER BY "Id"')
    assert first == (
        "006A",
        'Ä "x", y\nz\u2028 % :a',
        Decimal("1234567890123456.50"),
        datetime(2026, 3, 29, 1, 30, 0, 123000, UTC),
        False,
        date(4000, 12, 31),
        7,
    )
    assert second == ("006B", None, None, None, True, date(1700, 1, 1), None)


def test_a_table_is_the_same_if_sqlalchemy_replaces_it(database, rows):
    """Of a URL that a command prints, it does."""
    wide = (
        *COLUMNS,
        QueryColumn("Wide", FieldKind.NUMBER, 39, 2),
        QueryColumn("T", FieldKind.TIME),
    )
    head, _, rest = ROWS.partition("\n")
    rest = rest.replace('"7"\n', '"7","1.5","08:30:00.250Z"\n').replace('""\n', '"","",""\n')
    rows.write_text(f'{head},"Wide","T"\n{rest}', encoding="utf-8")
    found = []
    for reference in (REFERENCE, SecretReference(command=("printenv", "A_POSTGRESQL"))):
        target = DatabaseTarget(reference, 'public.Odd"name', TableMode.REPLACE)
        deliver(rows, target, wide, keep_rows=True)
        found.append((
            database("SELECT column_name, data_type, numeric_precision, numeric_scale, is_nullable"
                     " FROM information_schema.columns WHERE table_name = 'Odd\"name'"
                     " ORDER BY ordinal_position"),
            database('SELECT * FROM "Odd""name" ORDER BY "Id"'),
        ))  # fmt: skip
        database('DROP TABLE "Odd""name"')
    assert found[0] == found[1]
    assert len(found[0][1]) == 2


def test_a_table_is_replaced_without_sqlalchemy_and_duckdb(database, rows):
    code = (
        "import sys; from pathlib import Path; from tests.unit.tables import test_postgresql as t;"
        "[sys.modules.pop(each) for each in list(sys.modules) if each.startswith(('sqlalchemy', '_duckdb'))];"
        "t.deliver(Path(sys.argv[1]), t.DatabaseTarget(t.REFERENCE, 'cases'), t.COLUMNS, keep_rows=True);"
        "assert not {'sqlalchemy', '_duckdb'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code, rows], cwd=Path(__file__).parents[3], check=True)
    assert database("SELECT count(*) FROM cases") == [(2,)]


def test_who_may_only_add_rows_adds_them_and_no_table_beside_them(
    database, rows, empty_postgres, monkeypatch
):
    """Then nothing tells, after a kill in the commit, whether the rows are there."""
    target = DatabaseTarget(REFERENCE, "public.cases", TableMode.APPEND)
    assert marker(target, "job", "task", "00D", "run").run_id == "run"
    deliver(rows, target, COLUMNS, keep_rows=True)
    database("CREATE ROLE adder")
    try:
        database("GRANT USAGE ON SCHEMA public TO adder; GRANT SELECT, INSERT ON cases TO adder")
        monkeypatch.setenv("A_POSTGRESQL", f"{empty_postgres}&options=-crole%3Dadder")
        for table in ("public.cases", "cases"):
            target = DatabaseTarget(REFERENCE, table, TableMode.APPEND)
            noted = []
            state = marker(target, "job", "task", "00D", "run")
            assert state is None
            deliver(rows, target, COLUMNS, keep_rows=True, state=state, landing=noted.append)
            (landing,) = noted
            assert has_landed(target, landing, "job", "task", "run") is None
    finally:
        database("DROP OWNED BY adder; DROP ROLE adder")
    assert database("SELECT count(*) FROM cases") == [(6,)]


@pytest.mark.parametrize("mode", [TableMode.APPEND, TableMode.REPLACE])
def test_the_first_tables_of_a_schema_are_written_side_by_side(database, rows, mode):
    """Each of the transactions would create the table of states."""
    targets = [DatabaseTarget(REFERENCE, f"public.t{n}", mode) for n in range(6)]
    state = marker(targets[0], "job", "task", "00D", "run")

    def write(target):
        own = replace(state, task=target.table, target=target.table)
        deliver(rows, target, COLUMNS, keep_rows=True, state=own)

    with ThreadPoolExecutor(len(targets)) as pool:
        list(pool.map(write, targets))
    assert database("SELECT count(*) FROM _sfrunner_state") == [(len(targets),)]


def test_rows_are_added_beside_a_state_that_another_user_keeps(
    database, rows, empty_postgres, monkeypatch
):
    """Such as who runs an incremental job on another table of the schema."""
    target = DatabaseTarget(REFERENCE, "public.cases", TableMode.APPEND)
    deliver(rows, target, COLUMNS, keep_rows=True, state=marker(target, "j", "t", "00D", "run"))
    database("CREATE ROLE adder")
    try:
        database(
            "GRANT USAGE, CREATE ON SCHEMA public TO adder; GRANT SELECT, INSERT ON cases TO adder"
        )
        monkeypatch.setenv("A_POSTGRESQL", f"{empty_postgres}&options=-crole%3Dadder")
        state = marker(target, "other", "t", "00D", "run")
        deliver(rows, target, COLUMNS, keep_rows=True, state=state)
        assert state is None
        database("GRANT SELECT, INSERT, DELETE ON _sfrunner_state TO adder")
        state = marker(target, "other", "t", "00D", "run")
        deliver(rows, target, COLUMNS, keep_rows=True, state=state)
        assert state is not None
    finally:
        database("DROP OWNED BY adder; DROP ROLE adder")
    assert database("SELECT count(*) FROM cases") == [(6,)]


def test_a_row_that_is_refused_leaves_the_table_as_it_was(database, rows):
    database('CREATE TABLE cases ("Id" text, "Account.Name" text NOT NULL, "Amount" numeric,'
             ' "At" timestamptz, "Closed" boolean, "Day" date, "N" bigint)')  # fmt: skip
    database("INSERT INTO cases (\"Id\", \"Account.Name\") VALUES ('old', 'x')")
    with pytest.raises(StateError, match="null value in column"):
        deliver(rows, DatabaseTarget(REFERENCE, "cases", TableMode.APPEND), COLUMNS, keep_rows=True)
    assert database('SELECT "Id" FROM cases') == [("old",)]
    broken = rows.with_name("broken.csv")
    broken.write_text(ROWS.replace("Ä", "\x00"), encoding="utf-8")
    with pytest.raises(StateError):
        deliver(broken, DatabaseTarget(REFERENCE, "cases"), COLUMNS, keep_rows=True)
    assert database('SELECT "Id" FROM cases') == [("old",)]


def test_texts_that_copy_could_take_for_its_end_are_written_whole(database, tmp_path):
    texts = ["a\n\\.\nb", "\\.", "\\N", "a\tb\\", '"quoted"', " ", "c"]
    file = tmp_path / "texts.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
            [["Id", "At"], *([text, "08:30:00.250Z"] for text in texts)]
        )
    columns = (QueryColumn("Id", FieldKind.TEXT), QueryColumn("At", FieldKind.TIME))
    deliver(file, DatabaseTarget(REFERENCE, "cases", TableMode.REPLACE), columns, keep_rows=True)
    assert database('SELECT "Id" FROM cases') == [(text,) for text in texts]
    assert database('SELECT DISTINCT "At"::text FROM cases') == [("08:30:00.25",)]


def test_a_number_with_more_digits_than_described_is_not_rounded(database, rows):
    wide = (
        '"006C","","1.2345","","true","","8"\n"006D","","12345678901234567890.1","","true","","9"\n'
    )
    rows.write_text(ROWS + wide, encoding="utf-8")
    deliver(rows, DatabaseTarget(REFERENCE, "cases"), COLUMNS, keep_rows=True)
    assert database('SELECT "Amount"::text FROM cases ORDER BY "Id"') == [
        ("1234567890123456.5000",), (None,), ("1.2345",), ("12345678901234567890.1000",),
    ]  # fmt: skip


@pytest.mark.parametrize("cut", [1, 3, 150, 1000])
def test_a_long_number_is_seen_wherever_blocks_are_cut(database, tmp_path, cut):
    """And at the end of a file without a line end."""
    file = tmp_path / "records.csv"
    file.write_text("Id,Amount\n" + "a,1.5\n" * 40 + "b,12.345", encoding="utf-8")
    content = file.read_bytes()
    first = len(b"Id,Amount\n")

    def read():
        yield content[:first]
        yield from (content[at : at + cut] for at in range(first, len(content), cut))

    columns = (TypedColumn("Id", FieldKind.TEXT), TypedColumn("Amount", FieldKind.NUMBER, 18, 2))
    with closing(open_database(tmp_path)) as parsing, connect_psycopg(REFERENCE, StateError) as to:
        to.execute('CREATE TABLE a ("Id" text, "Amount" numeric(18, 2))')
        with pytest.raises(Exception, match="more decimals than the column has"):
            copy(to, "a", ["Id", "Amount"], TypedRows(parsing, file, columns), read)


def test_whole_numbers_that_are_too_large_are_reported_and_nothing_is_written(database, rows):
    rows.write_text(ROWS + '"006C","","","","true","","9223372036854775808"\n', encoding="utf-8")
    with pytest.raises(StateError, match="out of range for type bigint"):
        deliver(rows, DatabaseTarget(REFERENCE, "cases"), COLUMNS, keep_rows=True)
    assert database("SELECT to_regclass('cases')") == [(None,)]


def test_numbers_with_exponents_are_written_with_all_their_digits(database, rows):
    texts = {"006C": "1.2345E2", "006D": "9.12260031E8", "006E": "5e-3", "006F": "1.0E-7"}
    wide = "".join(f'"{key}","","{text}","","true","","8"\n' for key, text in texts.items())
    rows.write_text(ROWS + wide, encoding="utf-8")
    deliver(rows, DatabaseTarget(REFERENCE, "cases"), COLUMNS, keep_rows=True)
    found = dict(database('SELECT "Id", "Amount" FROM cases WHERE "Id" >= \'006C\''))
    assert found == {key: Decimal(text) for key, text in texts.items()}


def test_a_value_that_begins_with_a_byte_order_mark_keeps_it(database, tmp_path):
    file = tmp_path / "texts.csv"
    file.write_text("Id\n\ufeffa\n", encoding="utf-8")
    deliver(
        file,
        DatabaseTarget(REFERENCE, "cases"),
        (QueryColumn("Id", FieldKind.TEXT),),
        keep_rows=True,
    )
    assert database('SELECT "Id" FROM cases') == [("\ufeffa",)]


_NUMBERS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, places=4).map(lambda n: f"{n:f}"),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?[0-9]{1,4}(\.[0-9]{0,4})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
)


@given(_NUMBERS, st.integers(0, 4), st.booleans(), st.sampled_from([",x\n", "\n", "\r\n"]))
def test_no_number_with_too_many_decimals_is_overseen(text, scale, is_quoted, rest):
    cell = f'"{text}"' if is_quoted else text
    look = seen_too_long([TypedColumn("N", FieldKind.NUMBER, 18, scale)])
    decimals = -Decimal(text).normalize().as_tuple().exponent
    if decimals > scale:
        assert look(f"2024-01-01T00:00:00.000Z,{cell}{rest}".encode())


def test_other_values_are_not_taken_for_long_numbers():
    look = seen_too_long([TypedColumn("N", FieldKind.NUMBER, 18, 2)])
    content = (
        b'"1.25","2024-01-01T00:00:00.000Z","12:00:00.000Z","E-Mail","a.b","v1.234 beta","3"\n'
    )
    assert not look(content)
