"""Delta tables as sources: every value as its text, whichever program wrote it."""

import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import deltalake
import duckdb
import polars as pl
import pytest

from runner.errors import SourceError
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.tables.sources.open import open_source, read_columns

NAMES = ("Id", "amount", "n", "at", "local", "day", "ok", "ratio", "raw")
KINDS = ("VARCHAR", "DECIMAL(38, 10)", "BIGINT", "TIMESTAMPTZ", "TIMESTAMP", "DATE", "BOOLEAN",
         "DOUBLE", "BLOB")  # fmt: skip
ROW = (
    'a=b/c %41 é"',
    Decimal("1234567890123456789012345678.0123456789"),
    9007199254740993,
    datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC),
    datetime(2026, 3, 29, 2, 30),  # noqa: DTZ001
    date(2026, 3, 29),
    True,
    0.1,
    b"ab",
)
TEXTS = ['a=b/c %41 é"', "1234567890123456789012345678.0123456789", "9007199254740993",
         "2026-03-29T01:30:00.123456Z", "2026-03-29 02:30:00", "2026-03-29", "true", "0.1",
         "YWI="]  # fmt: skip


def write(folder, *rows, **more):
    with duckdb.connect() as link:
        link.execute("SET TimeZone = 'UTC'")
        columns = ", ".join(f'"{n}" {k}' for n, k in zip(NAMES, KINDS, strict=True))
        link.execute(f"CREATE TABLE t ({columns})")
        link.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(NAMES))})", rows)
        deltalake.write_deltalake(str(folder), link.sql("FROM t"), mode="append", **more)


def read(folder, tmp_path, **shape):
    source = FileSource(folder, FileShape(FileFormat.DELTA, **shape))
    [records] = open_source(source, tmp_path)
    text = b"".join(records.blocks).decode()
    assert read_columns(source) == records.columns
    return records.columns, list(csv.reader(text.splitlines()))


@pytest.mark.parametrize("by", [None, ["Id", "day", "ok", "n"]])
def test_every_type_is_read_exactly_also_from_partitions(tmp_path, by):
    folder = tmp_path / "Outer=1" / "table"
    write(folder, ROW, (*["b"], *[None] * 8), partition_by=by)
    columns, rows = read(folder, tmp_path)
    assert columns == NAMES
    assert sorted(rows) == [TEXTS, ["b", *[""] * 8]]


def test_what_was_deleted_or_added_later_is_as_the_newest_version_has_it(tmp_path):
    folder = tmp_path / "table"
    write(folder, ROW, ("b", *ROW[1:]))
    table = deltalake.DeltaTable(str(folder))
    table.alter.add_columns([deltalake.Field("late", deltalake.schema.PrimitiveType("date"))])
    deltalake.DeltaTable(str(folder)).delete("\"Id\" = 'b'")
    columns, rows = read(folder, tmp_path)
    assert columns == (*NAMES, "late")
    assert rows == [[*TEXTS, ""]]


def test_a_folder_that_is_no_table_and_a_lost_file_are_errors(tmp_path):
    with pytest.raises(SourceError, match="is not a Delta table"):
        read(tmp_path, tmp_path)
    folder = tmp_path / "table"
    write(folder, ROW)
    for each in deltalake.DeltaTable(str(folder)).file_uris():
        Path(each).unlink()
    with pytest.raises(SourceError, match="table cannot be read"):
        read(folder, tmp_path)


def test_nan_is_found_where_the_statistics_of_a_file_leave_it_out(tmp_path):
    folder = tmp_path / "table"
    deltalake.write_deltalake(str(folder), pl.DataFrame({"x": [0.1, float("nan")]}))
    assert read(folder, tmp_path) == (("x",), [["0.1"], ["NaN"]])
