"""A Delta table: rows are replaced, added or merged in one commit, which has the watermark too."""

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import deltalake
import duckdb
import pytest

from runner.errors import StateError
from runner.job.endpoints import (
    Deletes,
    FileFormat,
    FileShape,
    FolderTarget,
    Keeping,
    SchemaChanges,
    TableMode,
)
from runner.tables.field_types import FieldKind
from runner.tables.targets import delta_table
from runner.tables.targets.deliver import deliver
from runner.tables.targets.rest_rows import QueryColumn
from runner.tables.targets.target_state import TargetState, read_state, write_delivered

KINDS = {
    "Id": QueryColumn("Id", FieldKind.ID),
    "Status": QueryColumn("Status", FieldKind.TEXT),
    "Amount": QueryColumn("Amount", FieldKind.NUMBER, 4, 2),
    "N": QueryColumn("N", FieldKind.INTEGER),
    "Day": QueryColumn("Day", FieldKind.DATE),
    "At": QueryColumn("At", FieldKind.DATETIME),
    "Clock": QueryColumn("Clock", FieldKind.TIME),
    "IsDeleted": QueryColumn("IsDeleted", FieldKind.BOOLEAN),
}
DAYS = KINDS | {"N": QueryColumn("N", FieldKind.DATE)}
ODD = "a=b/c %41 é'"
STATE = TargetState(
    "j", "t", "00D", "out", "sha", "At", "2026-01-02", "2026-01-01", "2026-01-01", "r"
)


class Table:
    """Writes to a table, and reads it as its own library does."""

    def __init__(self, folder):
        self.path, self._rows = folder / "Outer=1" / "out", folder / "records.csv"

    def target(self, mode=TableMode.MERGE, by=(), **keeping):
        key = keeping.pop("key", "Id") if mode is TableMode.MERGE else None
        shape = FileShape(FileFormat.DELTA)
        return FolderTarget(self.path, shape, by, None, mode, Keeping(key, **keeping))

    def put(self, header, *rows, state=None, kinds=KINDS, **target):
        names = header.split()
        lines = [",".join(f'"{each}"' for each in row) for row in (names, *rows)]
        self._rows.write_text("\n".join([*lines, ""]), encoding="utf-8")
        columns = [kinds[each] for each in names]
        to = self.target(**target)
        return deliver(self._rows, to, columns, keep_rows=True, state=state)

    @property
    def opened(self):
        return deltalake.DeltaTable(str(self.path))

    def rows(self, cells="*"):
        read = deltalake.QueryBuilder().register("t", self.opened)
        return sorted(map(tuple, self._fetched(read.execute(f"SELECT {cells} FROM t"))), key=repr)

    @staticmethod
    def _fetched(reader):  # noqa: ARG004 - DuckDB finds it by its name
        return duckdb.sql("SELECT * FROM reader").fetchall()

    def types(self):
        return {each.name: each.type.type for each in self.opened.schema().fields}


@pytest.fixture
def table(tmp_path):
    return Table(tmp_path)


def test_values_keep_their_types_and_digits(table):
    header = "Id Status Amount N Day At Clock IsDeleted"
    table.put(header, ("a", ODD, "12345678901234567890.125", "9007199254740993", "2026-02-28",
              "2026-02-28T23:30:00.123Z", "10:00:00.000Z", "true"),
              ("b", *[""] * 7), mode=TableMode.REPLACE)  # fmt: skip
    assert table.types() == {
        "Id": "string", "Status": "string", "Amount": "decimal(23,3)", "N": "long", "Day": "date",
        "At": "timestamp", "Clock": "string", "IsDeleted": "boolean",
    }  # fmt: skip
    assert table.rows() == [
        ("a", ODD, Decimal("12345678901234567890.125"), 9007199254740993,
         datetime(2026, 2, 28).date(),  # noqa: DTZ001
         datetime(2026, 2, 28, 23, 30, 0, 123000, tzinfo=UTC), "10:00:00.000Z", True),
        ("b", *[None] * 7),
    ]  # fmt: skip


@pytest.mark.parametrize("by", [("status",), ()])
def test_rows_are_merged_and_move_between_partitions(table, by):
    header, cells = "Id Status Amount IsDeleted", '"Id", "Status", CAST("Amount" AS VARCHAR)'
    table.put(header, ("a", "New", "1.5", "false"), ("b", ODD, "", "false"),
              ("c", "", "3", "false"), by=by)  # fmt: skip
    assert table.rows(cells) == [("a", "New", "1.50"), ("b", ODD, None), ("c", None, "3.00")]
    notes = table.put(header, ("a", "Closed", "1234.567", "false"), ("c", "", "", "true"),
                      ("d", "", "", "false"), by=by, deletes=Deletes.REMOVE)  # fmt: skip
    assert notes == ("1 new, 1 updated, 1 removed", "wider column Amount")
    wanted = [("a", "Closed", "1234.567"), ("b", ODD, None), ("d", None, None)]
    assert table.rows(cells) == wanted
    table.put(header, ("e", "New", "", "false"), by=by, mode=TableMode.APPEND)
    assert table.rows(cells) == [*wanted, ("e", "New", None)]
    assert table.opened.metadata().partition_columns == (["Status"] if by else [])
    table.put("Id Status Amount", ("e", ODD, "2"), ("b", "x", "1"))  # as the table is partitioned
    last = [
        ("a", "Closed", "1234.567"),
        ("b", "x", "1.000"),
        ("d", None, None),
        ("e", ODD, "2.000"),
    ]
    assert table.rows(cells) == last
    assert len(table.opened.history()) == 4
    assert [each.name for each in table.path.parent.iterdir()] == ["out"]


def test_a_merge_leaves_files_without_a_changed_row_alone(table):
    for each in "abc":
        table.put("Id N", (each, "1"), mode=TableMode.APPEND)
    before = set(table.opened.file_uris())
    assert table.put("Id N", ("b", "2"), ("d", "2")) == ("1 new, 1 updated",)
    assert len(before & set(table.opened.file_uris())) == 2
    assert table.rows() == [("a", 1), ("b", 2), ("c", 1), ("d", 2)]
    assert table.put("Id N", ("e", "3")) == ("1 new, 0 updated",)
    assert table.rows()[-1] == ("e", 3)


def test_columns_are_added_and_missing_ones_stay(table):
    table.put("Id N", ("a", "1"), ("b", "2"))
    assert table.put("Id Status", ("b", "x"), ("c", "y")) == (
        "1 new, 1 updated",
        "new column Status",
    )
    assert table.rows() == [("a", 1, None), ("b", 2, "x"), ("c", None, "y")]
    assert table.put("N Id Day", ("3", "a", "2026-01-01"), mode=TableMode.APPEND) == (
        "new column Day",
    )
    assert table.rows('"Id", "N", "Status", CAST("Day" AS VARCHAR)')[1] == (
        "a",
        3,
        None,
        "2026-01-01",
    )
    table.put("Id Amount", ("z", "1"), mode=TableMode.REPLACE)
    assert (table.types(), table.rows()) == (
        {"Id": "string", "Amount": "decimal(4,2)"},
        [("z", Decimal("1.00"))],
    )


@pytest.mark.parametrize(
    ("header", "row", "more", "said"),
    [
        ("Id Status", ("a", "x"), {"schema": SchemaChanges.FREEZE}, "no column Status"),
        ("Id N", ("a", "1"), {"kinds": DAYS}, "column N is of type long"),
        ("Id N", ("", "1"), {}, "row 1 has no Id"),
        ("N Status", ("1", "x"), {"key": "Status"}, "has no column Status, which is the `key`"),
        ("Id N Status", ("a", "1", "x"), {"by": ("Status",)}, "not partitioned"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_nothing_is_written(table, header, row, more, said):
    table.put("Id N", ("a", "1"), ("b", "2"))
    with pytest.raises(StateError, match=said):
        table.put(header, row, **more)
    assert (table.opened.version(), table.rows()) == (0, [("a", 1), ("b", 2)])
    assert len(list(table.path.glob("*.parquet"))) == 1


@pytest.mark.parametrize("by", [("Status",), ()])
def test_a_table_without_rows_is_merged_into(table, by):
    table.put("Id Status N", by=by)
    assert table.rows() == []
    assert table.put("Id Status N", by=by) == ("0 new, 0 updated",)
    assert table.put("Id Status N", ("a", "New", "1"), by=by) == ("1 new, 0 updated",)
    gone = ("a", "New", "1", "true")
    notes = table.put("Id Status N IsDeleted", gone, deletes=Deletes.REMOVE)
    assert notes == ("0 new, 0 updated, 1 removed", "new column IsDeleted")
    assert table.rows() == []
    assert table.put("Id Status N", ("b", "", "2")) == ("1 new, 0 updated",)
    assert table.rows('"Id", "N"') == [("b", 2)]


def test_doubled_keys_are_refused_wherever_they_are(table):
    table.put("Id N", ("a", "1"), mode=TableMode.APPEND)
    table.put("Id N", ("a", "2"), mode=TableMode.APPEND)
    with pytest.raises(StateError, match="both have the Id a"):
        table.put("Id N", ("b", "1"))
    with pytest.raises(StateError, match="The query: rows 1 and 2 both have the Id b"):
        table.put("Id N", ("b", "1"), ("b", "2"))
    assert table.opened.version() == 1


def test_a_folder_of_other_files_is_left_alone(table):
    table.path.mkdir(parents=True)
    (table.path / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(StateError, match="is not a Delta table"):
        table.put("Id N", ("a", "1"))
    assert [each.name for each in table.path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"delta.enableDeletionVectors": "true"}, "deletion vectors"),
        ({"delta.enableChangeDataFeed": "true"}, "a change data feed"),
        ({"delta.columnMapping.mode": "name"}, "column mapping"),
    ],
)
def test_tables_with_features_of_other_programs_are_refused(table, rule, said):
    table.put("Id N", ("a", "1"))
    log = table.path / "_delta_log" / f"{0:020d}.json"
    (key, value), *_ = rule.items()
    written = log.read_text(encoding="utf-8").replace(
        '"configuration":{}', f'"configuration":{{"{key}":"{value}"}}'
    )
    log.write_text(written, encoding="utf-8")
    with pytest.raises(StateError, match=said):
        table.put("Id N", ("b", "1"))


def test_a_constraint_of_the_table_is_not_passed_over(table):
    table.put("Id N", ("a", "1"))
    table.opened.alter.add_constraint({"small": "N < 5"})
    with pytest.raises(StateError, match="the constraint small"):
        table.put("Id N", ("b", "9"))


def test_another_writer_in_between_is_noticed(table, monkeypatch):
    table.put("Id N", ("a", "1"))
    send = delta_table._send  # noqa: SLF001

    def after_another(*arguments):
        deltalake.write_deltalake(
            str(table.path), duckdb.sql("SELECT 'z' AS Id, CAST(9 AS BIGINT) AS N"), mode="append"
        )
        send(*arguments)

    monkeypatch.setattr(delta_table, "_send", after_another)
    with pytest.raises(StateError, match="changed by another program"):
        table.put("Id N", ("a", "2"))
    monkeypatch.undo()
    assert table.rows() == [("a", 1), ("z", 9)]
    assert table.put("Id N", ("a", "2")) == ("0 new, 1 updated",)


def test_a_damaged_log_is_an_error(table):
    table.put("Id N", ("a", "1"))
    (table.path / "_delta_log" / f"{0:020d}.json").write_text("{garbage", encoding="utf-8")
    with pytest.raises(StateError, match="cannot be read as a Delta table"):
        table.put("Id N", ("a", "2"))


def test_the_watermark_is_in_the_commit_of_the_rows(table):
    def known():
        return read_state(table.target(), "j", "t")

    assert known() is None
    table.put(
        "Id At", ("a", "2026-01-01T00:00:00.000Z"), ("b", "2026-01-02T00:00:00.000Z"), state=STATE
    )
    assert known() == STATE
    assert read_state(table.target(), "j", "other") is None
    later = TargetState(
        "j", "t", "00D", "out", "sha", "At", "2026-02-02", "2026-01-01", "2026-01-01", "r2"
    )
    table.put("Id At", state=later)  # no rows
    assert known() == later
    table.put("Id At", ("c", "2026-03-01T00:00:00.000Z"), mode=TableMode.APPEND)
    assert known() == later
    to = table.path.parent / "delivered.csv"
    write_delivered(table.target(), "at", datetime(2026, 1, 2, tzinfo=UTC), to)
    assert to.read_text(encoding="utf-8").splitlines() == [
        "b,2026-01-02T00:00:00.000Z",
        "c,2026-03-01T00:00:00.000Z",
    ]
    table.opened.restore(0)
    assert known() == STATE


KILLED = """
import os, sys
from runner.tables.targets import delta_table
real = delta_table._send
def send(*arguments):
    if sys.argv[3] == "after":
        real(*arguments)
    os._exit(9)
delta_table._send = send
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.unit.tables.targets.test_delta_table import Table
Table(Path(sys.argv[2])).put("Id N", ("a", "2"), ("b", "2"))
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_leaves_the_old_version_or_the_new_one(table, tmp_path, when):
    table.put("Id N", ("a", "1"))
    root = str(Path(__file__).parents[4])
    ended = subprocess.run([sys.executable, "-c", KILLED, root, str(tmp_path), when], check=False)
    assert ended.returncode == 9
    assert table.rows() == ([("a", 1)] if when == "before" else [("a", 2), ("b", 2)])
    table.put("Id N", ("a", "3"))
    assert table.rows()[0] == ("a", 3)
    assert [each.name for each in table.path.parent.iterdir()] == ["out"]


def test_a_table_of_another_program_is_merged_into_as_it_is_partitioned(table):
    rows = duckdb.sql(
        "SELECT i::VARCHAR AS \"Id\", CASE WHEN i = 2 THEN NULL ELSE 'a=b/c %41 é'' ' || i END"
        ' AS "Status", i::BIGINT AS "N" FROM range(3) t(i)'
    )
    deltalake.write_deltalake(str(table.path), rows, partition_by=["Status"])
    assert table.put("Id N", ("0", "10"), ("2", "12"), ("3", "13")) == ("1 new, 2 updated",)
    assert table.rows('"Id", "Status", "N"') == [
        ("0", "a=b/c %41 é' 0", 10),
        ("1", "a=b/c %41 é' 1", 1),
        ("2", None, 12),
        ("3", None, 13),
    ]


def test_a_watermark_outlives_a_checkpoint(table):
    at = ("a", "2026-01-01T00:00:00.000Z")
    table.put("Id At", at, state=STATE)
    table.opened.create_checkpoint()
    for _ in range(2):
        table.put("Id At", at)
    assert read_state(table.target(), "j", "t") == STATE
    assert len(table.rows()) == 1


def test_a_library_of_before_is_an_error_that_says_how_to_update(table, monkeypatch):
    monkeypatch.delattr(deltalake.transaction, "RemoveAction")
    with pytest.raises(StateError, match="deltalake is too old") as refused:
        table.put("Id N", ("a", "1"))
    assert "pip install --upgrade 'sfrunner[delta]'" in refused.value.hint
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(StateError, match="needs the library deltalake, which is not installed"):
        table.put("Id N", ("a", "1"))
    assert not table.path.exists()
