"""A folder of Parquet files that keeps its rows, whatever folders they are partitioned into."""

import duckdb
import pytest

from runner import folders
from runner.errors import StateError
from runner.job.endpoints import (
    Deletes,
    FileFormat,
    FileShape,
    FolderTarget,
    Keeping,
    TableMode,
)
from runner.tables.field_types import FieldKind
from runner.tables.targets import folder
from runner.tables.targets.deliver import deliver
from runner.tables.targets.rest_rows import QueryColumn

COLUMNS = (
    QueryColumn("Id", FieldKind.ID),
    QueryColumn("Status", FieldKind.TEXT),
    QueryColumn("Amount", FieldKind.NUMBER, 4, 2),
    QueryColumn("IsDeleted", FieldKind.BOOLEAN),
)
ODD = "a=b/c %41 é'"


@pytest.fixture
def put(tmp_path):
    outer = tmp_path / "Outer=1"  # a folder above is no column

    def write(*rows, by=("Status",), mode=TableMode.MERGE, **keeping):
        names = [each.name for each in COLUMNS]
        file = tmp_path / "records.csv"
        lines = [",".join(f'"{each}"' for each in row) for row in (names, *rows)]
        file.write_text("\n".join([*lines, ""]), encoding="utf-8")
        key = "Id" if mode is TableMode.MERGE else None
        shape = FileShape(FileFormat.PARQUET)
        target = FolderTarget(outer / "out", shape, by, None, mode, Keeping(key, **keeping))
        return deliver(file, target, COLUMNS, keep_rows=True)

    def rows():
        read = f"read_parquet('{write.path}/**/*.parquet', hive_partitioning = true)"
        found = duckdb.sql(f"SELECT Id, Status, CAST(Amount AS VARCHAR) FROM {read} ORDER BY Id")
        return found.fetchall()

    write.path, write.rows = outer / "out", rows
    return write


@pytest.mark.parametrize("by", [("Status",), ()])
def test_rows_are_merged_and_move_between_partitions(put, by):
    put(("a", "New", "1.5", "false"), ("b", ODD, "", "false"), ("c", "", "3", "false"), by=by)
    assert put.rows() == [("a", "New", "1.50"), ("b", ODD, None), ("c", None, "3.00")]
    notes = put(("a", "Closed", "1234.567", "false"), ("c", "", "", "true"),
                ("d", "", "", "false"), by=by, deletes=Deletes.REMOVE)  # fmt: skip
    assert notes == ("1 new, 1 updated, 1 removed", "wider column Amount")
    wanted = [("a", "Closed", "1234.567"), ("b", ODD, None), ("d", None, None)]
    assert put.rows() == wanted
    put(("e", "New", "", "false"), by=by, mode=TableMode.APPEND)
    assert put.rows() == [*wanted, ("e", "New", None)]
    put(("e", "New", "2", "false"), by=() if by else ("Status",))
    assert put.rows() == [*wanted, ("e", "New", "2.000")]
    assert [each.name for each in put.path.parent.iterdir()] == ["out"]


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("swaps", [True, False])
def test_a_crash_leaves_the_old_folder_or_the_new_one(put, monkeypatch, swaps):
    put(("a", "New", "1", "false"))
    old = put.rows()

    def killed(*_args, **_options):
        raise _Killed

    if not swaps:
        monkeypatch.setattr(folders, "exchange", lambda _one, _other: False)
    for module, step in ((folder, "join_parquet"), (folders, "sync"), (folder, "_version")):
        with monkeypatch.context() as patched:
            patched.setattr(module, step, killed)
            with pytest.raises(_Killed):
                put(("a", "New", "2", "false"))
        assert put.rows() == old
    with pytest.raises(StateError, match="rows 1 and 2 both have the Id a"):
        put(("a", "New", "2", "false"), ("a", "Old", "2", "false"))
    assert put.rows() == old
    put(("a", "New", "2", "false"))
    assert put.rows() == [("a", "New", "2.00")]
