"""Floating point numbers of every typed source, as texts and as what is no number."""

import json
import os
import sqlite3
from contextlib import closing

import duckdb
import pytest

from runner.credentials import SecretReference
from runner.job.endpoints import DatabaseSource, FileFormat, FileShape, FileSource
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources.database import text_of
from runner.tables.sources.sql_join import JoinedSource
from runner.tables.sources.value_texts import number_text

NUMBERS = {
    123.0: "123",
    -1.0: "-1",
    -0.0: "0",
    1e20: "100000000000000000000",
    1.5e-7: "0.00000015",
    0.1: "0.1",
    12345678901234567.0: "12345678901234568",
}
NAN = "FROM (VALUES (1.5::DOUBLE, 'NaN'), ('nan'::DOUBLE, 'x'), ('-inf'::DOUBLE, 'y')) v(n, t)"


@pytest.fixture
def parquet(tmp_path):
    def write(query):
        duckdb.sql(query).write_parquet(str(tmp_path / "a.parquet"))
        return FileSource(tmp_path / "a.parquet", FileShape(FileFormat.PARQUET))

    return write


@pytest.fixture
def texts(stage):
    def read(source, *columns):
        staging = stage.staging(source)
        staging.map(list(columns) or [MappedColumn("n", None)])
        return [record for _, record in next(staging.batches(100), [])], staging

    return read


def sources(tmp_path, parquet):
    rows = ", ".join(f"({n!r}::DOUBLE)" for n in NUMBERS)
    yield parquet(f"SELECT n FROM (VALUES {rows}) t(n)")
    lines = "\n".join(json.dumps({"n": n}) for n in NUMBERS)
    (tmp_path / "a.jsonl").write_text(lines)
    yield FileSource(tmp_path / "a.jsonl", FileShape(FileFormat.JSONL))
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        connection.execute("CREATE TABLE t (n REAL)")
        connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in NUMBERS])
    os.environ["TYPED_NUMBERS"] = f"sqlite:///{tmp_path / 'a.db'}"
    yield DatabaseSource(SecretReference(env="TYPED_NUMBERS"), "SELECT n FROM t ORDER BY rowid")
    (tmp_path / "a.csv").write_text("\n".join(["t", *map(repr, NUMBERS)]))
    table = FileSource(tmp_path / "a.csv", FileShape(FileFormat.CSV))
    yield JoinedSource("SELECT CAST(t AS DOUBLE) AS n FROM a", {"a": table})


def test_a_floating_point_number_is_the_same_text_from_every_source(
    tmp_path, parquet, texts, monkeypatch
):
    monkeypatch.setenv("TYPED_NUMBERS", "")
    for source in sources(tmp_path, parquet):
        found, _ = texts(source)
        assert [record["n"] for record in found] == list(NUMBERS.values()), source


def test_an_expression_that_gives_a_floating_point_number_is_the_same_text(stage, rows_of):
    column = MappedColumn("n", "CAST(t AS DOUBLE) * 2")
    assert rows_of(stage(b"t\n61.5\n1e20\n", [column])) == [
        {"n": "123"},
        {"n": "200000000000000000000"},
    ]


@pytest.mark.parametrize(
    ("written", "text"),
    [("1.0", "1"), ("1e3", "1000"), ("1E+20", "1" + "0" * 20), ("1.50", "1.50"), ("-0.0", "0"),
     ("0.00", "0"), ("1.5e1", "15"), ("25e-1", "2.5"), ("-7", "-7"), ("1e99999", "1e99999"),
     ("1e" + "9" * 30, "1e" + "9" * 30), ("123456789012345678901.10", "123456789012345678901.10")],
)  # fmt: skip
def test_a_json_number_keeps_its_digits_without_an_exponent(written, text):
    assert number_text(written) == text


@pytest.mark.parametrize("kind", [FieldKind.TEXT, FieldKind.NUMBER])
def test_what_is_no_number_fails_its_row_and_the_text_nan_does_not(
    parquet, texts, failed_rows, kind
):
    source = parquet(NAN)
    found, staging = texts(source, MappedColumn("n", None, kind), MappedColumn("t", None))
    assert [record["t"] for record in found] == ["NaN"]
    failed = failed_rows(staging)
    assert [row["sf__Code"] for row in failed] == ["VALUE_DOES_NOT_FIT"] * 2
    assert [row["n"] for row in failed] == ["NaN", "-Infinity"]


def test_an_expression_over_what_is_no_number_fails_its_row(parquet, texts, failed_rows):
    found, staging = texts(parquet(NAN), MappedColumn("x", "'No ' || n"))
    assert found == [{"x": "No 1.5"}]
    assert (
        "the expression uses 'NaN', which is not a number" in failed_rows(staging)[0]["sf__Message"]
    )


@pytest.mark.parametrize("is_sql", [False, True])
def test_an_expression_that_gives_no_number_fails_its_row(stage, failed_rows, is_sql):
    content, expression = b"t\n1\n-1\n0\n", "CAST(t AS DOUBLE) / 0"
    sql = JoinedSource(f"SELECT {expression} AS n FROM f", {"f": stage.source(content)})
    staging = stage.staging(sql) if is_sql else stage.loaded(content)
    staging.map([MappedColumn("n", None if is_sql else expression)])
    said = " ".join(row["sf__Message"] for row in failed_rows(staging))
    assert all(f"'{each}' is not a number" in said for each in ("Infinity", "-Infinity", "NaN"))


def test_nan_is_blank_where_it_is_declared(tmp_path, parquet, texts):
    parquet(NAN)
    shape = FileShape(FileFormat.PARQUET, nulls=("NaN", "-Infinity"))
    found, staging = texts(FileSource(tmp_path / "a.parquet", shape))
    assert found == [{"n": "1.5"}, {}, {}]
    assert staging.rejected_total == 0


def test_nan_in_sql_over_a_file_fails_its_row(parquet, texts):
    found, staging = texts(
        JoinedSource("SELECT n, CAST(n AS DOUBLE) * 2 AS m FROM p", {"p": parquet(NAN)}),
        MappedColumn("n", None),
        MappedColumn("m", None),
    )
    assert found == [{"n": "1.5", "m": "3"}]
    assert staging.rejected_total == 2


def test_a_database_gives_nan_as_text_only_where_it_is_nested():
    assert text_of(float("nan")) == "NaN"
    assert text_of([1.0, float("inf")]) == '[1.0, "Infinity"]'
