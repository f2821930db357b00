"""Writes a query's rows to a Delta table, in one commit of its log.

Only files that have rows to update or remove are replaced; if the columns of the table change, all
of them. Knows commits. Knows nothing of how the log is read (`delta`) or of how rows
are joined (`merging`).
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from msgspec import Struct
from msgspec.structs import replace

from runner.errors import StateError
from runner.files import delete_strays, sync, sync_folder, temporary_path, unwritable
from runner.job.endpoints import FileFormat, FileShape, FolderTarget, TableMode
from runner.tables.database import Database, copy_parquet
from runner.tables.delta import (
    FILE_COLUMN,
    LOG,
    DeltaFile,
    DeltaTable,
    delta_errors,
    is_delta,
    open_table,
    unwritable_rule,
)
from runner.tables.extras import extra
from runner.tables.field_types import FieldKind
from runner.tables.sql import literal, name
from runner.tables.staging.canonical_values import open_database
from runner.tables.targets.column_types import (
    TypedColumn,
    as_described,
    column_names,
    typed_cell,
    with_query_rows,
)
from runner.tables.targets.evolution import JoinedColumn, KeptColumn, join_columns
from runner.tables.targets.file import Columns, target_errors
from runner.tables.targets.folder import check_partitions, copy_options
from runner.tables.targets.kept_parquet import parts_of
from runner.tables.targets.merging import (
    FRESH,
    GONE,
    KEPT,
    check_kept_key,
    check_keys,
    join,
    key_column,
    load,
    load_gone,
)
from runner.tables.targets.parquet_types import kept_column

_KEYS = "delta_keys"
_FILE_BYTES = 128_000_000
"""Of a file, after which the next is started: a merge replaces whole files."""
_NOT_IN_NAMES = " ,;{}()\n\t="
"""Source: Delta's protocol, "Column Mapping": without it, Parquet's rules for names hold."""
_TYPES = {
    FieldKind.BOOLEAN: "boolean",
    FieldKind.INTEGER: "long",
    FieldKind.DATE: "date",
    FieldKind.DATETIME: "timestamp",
}


class _Commit(Struct, frozen=True):
    """What one commit changes."""

    columns: tuple[JoinedColumn, ...]
    query: str
    """All rows of the new files."""
    replaced: tuple[DeltaFile, ...]
    is_overwrite: bool
    """Whether every file of before is replaced, and the columns may change."""


def write_delta(
    rows: Path, target: FolderTarget, known: Columns, metadata: Mapping[str, str]
) -> tuple[str, ...]:
    """Write rows to a table, which is created if it does not exist.

    Args:
        rows: Of the query.
        target: The folder of the table.
        known: The described columns.
        metadata: What the commit tells besides.

    Returns:
        What became of the rows that the table had, for people to read.

    Raises:
        StateError: The table cannot be read or has rules that cannot be kept, a key is blank or
            doubled, a type does not fit, or another program has changed the table meanwhile;
            `deltalake` is not installed or too old.
    """
    library = extra("deltalake", "delta", "A Delta table", StateError)
    if not hasattr(getattr(library, "transaction", None), "RemoveAction"):
        raise StateError(
            "The library deltalake is too old to write Delta tables.",
            hint="Update it: pip install --upgrade 'sfrunner[delta]'",
        )
    check_partitions(rows, target)
    table = open_table(target.path, StateError) if is_delta(target.path) else None
    target = _checked(target, table)
    notes: list[str] = []
    database = open_database(rows.parent)

    def write(fresh: tuple[TypedColumn, ...]) -> None:
        commit, notes[:] = _commit(database, rows, target, table, fresh)
        _write(database, target, table, commit, metadata)

    try:
        with target_errors(target.path):
            as_described(database, rows, known, write)
    finally:
        database.close()
    return tuple(notes)


def _checked(target: FolderTarget, table: DeltaTable | None) -> FolderTarget:
    """The target as it is partitioned; refuses a folder or a table that is not one to write to."""
    folder = target.path
    if table is None:
        if folder.is_dir() and any(folder.iterdir()):
            raise StateError(
                f"{folder} was not written: it has files and is not a Delta table.",
                hint="Name another folder in `to`, or move the files away.",
            )
        return target
    rule = unwritable_rule(table)
    if rule is not None:
        raise StateError(
            f"{folder} was not written: the table has {rule}, which a run does not check.",
            hint="Write to a table without it, and merge that with the program that made the rule.",
        )
    wanted, own = (
        [each.lower() for each in names] for names in (target.partition_by, table.partition_by)
    )
    if wanted and wanted != own:
        by = f"partitioned by {', '.join(table.partition_by)}" if own else "not partitioned"
        raise StateError(
            f"{folder} is {by}, not as `partition_by` says; nothing was written.",
            hint="Write `partition_by` as the table has it, or name another folder.",
        )
    return replace(target, partition_by=table.partition_by)


def _commit(
    database: Database,
    rows: Path,
    target: FolderTarget,
    table: DeltaTable | None,
    fresh: Sequence[TypedColumn],
) -> tuple[_Commit, tuple[str, ...]]:
    place, header = str(target.path), column_names(rows)
    old = None if target.mode is TableMode.REPLACE else table
    kept = [_kept(each.name, each.duckdb_type, each.type) for each in old.columns] if old else []
    wanted = [_as_stored(each, target) for each in fresh]
    columns = join_columns(place, kept, wanted, target.keeping.schema)
    _check_names(place, columns)
    is_overwrite = table is not None and (
        old is None or any(each.kept is None or each.is_wider for each in columns)
    )
    cells = [
        f"{typed_cell(replace(each.written, name=each.fresh))} AS {name(each.fresh)}"
        for each in columns
        if each.fresh is not None
    ]
    with_query_rows(rows, lambda read: load(database, FRESH, cells, read))
    touched = _touched(database, target, old, columns, header) if old else ()
    if old is None:
        load(database, KEPT, (), None)
    else:
        is_overwrite |= not all(each.is_removable for each in touched)
        touched = old.files if is_overwrite else touched
        own = [name(each.kept) for each in columns if each.kept is not None]
        load(database, KEPT, own, old.rows(database, touched, with_file=False))
    select, notes = join(database, target, columns, header)
    return _Commit(columns, select, tuple(touched), is_overwrite), notes


def _touched(
    database: Database,
    target: FolderTarget,
    table: DeltaTable,
    columns: Sequence[JoinedColumn],
    header: Sequence[str],
) -> tuple[DeltaFile, ...]:
    """The files that have a row of the query, or one that the table is to lose."""
    place = str(target.path)
    key = key_column(place, target.keeping, header)
    if key is None:
        return ()
    check_keys(database, FRESH, key, "The query")
    check_kept_key(place, columns, key)
    own = next(each.kept for each in columns if each.fresh == key) or key
    cells = [name(own), name(FILE_COLUMN)]
    load(database, _KEYS, cells, table.rows(database, table.files, with_file=True))
    check_keys(database, _KEYS, own, place, blank=True)
    changed = f"SELECT {name(key)} AS key FROM {FRESH}"
    if target.keeping.gone is not None:
        load_gone(database, target.keeping.gone)
        changed += f" UNION ALL SELECT key FROM {GONE}"
    known = database.connection.execute(
        f"SELECT DISTINCT {name(FILE_COLUMN)} FROM {_KEYS} WHERE {name(own)} IN ({changed})"
    ).fetchall()
    files = {each[0] for each in known}
    return tuple(each for each in table.files if str(each.path) in files)


def _kept(own: str, duckdb_type: str | None, called: str) -> KeptColumn:
    return replace(kept_column(own, duckdb_type or ""), type=called)


def _as_stored(column: TypedColumn, target: FolderTarget) -> TypedColumn:
    """A column as Delta stores it, which has no times; folders are named after texts."""
    is_folder = column.name.lower() in {each.lower() for each in target.partition_by}
    if column.kind is FieldKind.TIME or (is_folder and column.kind not in _IN_NAMES):
        return TypedColumn(column.name, FieldKind.TEXT)
    return column


_IN_NAMES = (FieldKind.BOOLEAN, FieldKind.INTEGER, FieldKind.DATE)
"""Kinds whose texts Delta and DuckDB write alike."""


def _check_names(place: str, columns: Sequence[JoinedColumn]) -> None:
    for each in columns:
        if each.kept is None and set(each.written.name) & set(_NOT_IN_NAMES):
            raise StateError(
                f"{place}: a Delta table has no column {each.written.name!r}: its name has a blank"
                f" or one of {_NOT_IN_NAMES.strip()}.",
                hint="Name it otherwise, with `parent` or an alias in the SELECT.",
            )


def _write(
    database: Database,
    target: FolderTarget,
    table: DeltaTable | None,
    commit: _Commit,
    metadata: Mapping[str, str],
) -> None:
    folder = target.path
    log = folder / LOG
    with _beside(folder) as beside:
        split = target.split_bytes or (None if target.partition_by else _FILE_BYTES)
        parquet = replace(target, shape=FileShape(FileFormat.PARQUET), split_bytes=split)
        options = ", ".join(copy_options(parquet, "parquet"))
        copy_parquet(database.connection, commit.query, beside, f", {options}")
        folder.mkdir(parents=True, exist_ok=True)
        added = list(_added(database, beside, folder))
        sync_folder(folder)
        try:
            with delta_errors(folder, StateError, "written"):
                _send(target, table, commit, added, metadata)
        except BaseException:
            if not (log / _commit_file(table)).exists():
                for each in added:
                    (folder / each.path).unlink(missing_ok=True)
            raise
        sync(log / _commit_file(table))
        sync_folder(log)


def _commit_file(table: DeltaTable | None) -> str:
    return f"{0 if table is None else table.version + 1:020d}.json"


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A folder for the files of a commit, until they are in the table's."""
    beside = temporary_path(folder)
    delete_strays(folder)
    try:
        beside.mkdir(parents=True)
        yield beside
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _added(database: Database, beside: Path, folder: Path) -> Iterator[Any]:
    """Move the files into the table's folder; their values of partitions are in the log alone."""
    from deltalake.transaction import AddAction

    for part in parts_of(beside):
        for file in part.files:
            query = f"SELECT num_rows FROM parquet_file_metadata({literal(str(file))})"
            ((count,),) = database.connection.execute(query).fetchall()
            if not count:
                continue
            to = folder / f"part-{uuid4()}.parquet"
            sync(file)
            file.rename(to)
            stats = json.dumps({"numRecords": count})
            size, now = to.stat().st_size, int(time.time() * 1000)
            yield AddAction(to.name, size, dict(part.values), now, data_change=True, stats=stats)


def _send(
    target: FolderTarget,
    table: DeltaTable | None,
    commit: _Commit,
    added: Sequence[Any],
    metadata: Mapping[str, str],
) -> None:
    import deltalake
    from deltalake.transaction import RemoveAction, create_table_with_add_actions

    by = _own_names(target, commit.columns)
    properties = deltalake.CommitProperties(custom_metadata=dict(metadata), max_commit_retries=0)
    if table is None:
        create_table_with_add_actions(
            str(target.path),
            _schema(None, commit.columns),
            [*added],
            partition_by=by,
            commit_properties=properties,
        )
        return
    now = int(time.time() * 1000)
    removed = [
        RemoveAction(each.in_log, True, now, each.size_bytes, dict(each.values))  # noqa: FBT003
        for each in ([] if commit.is_overwrite else commit.replaced)
    ]
    table.opened.create_write_transaction(
        [*added, *removed],
        "overwrite" if commit.is_overwrite else "append",
        _schema(table, commit.columns),
        by,
        commit_properties=properties,
    )


def _own_names(target: FolderTarget, columns: Sequence[JoinedColumn]) -> list[str]:
    own = {each.written.name.lower(): each.written.name for each in columns}
    return [own[each.lower()] for each in target.partition_by]


def _schema(table: DeltaTable | None, columns: Sequence[JoinedColumn]) -> Any:  # noqa: ANN401
    import deltalake

    own = {each.name: each for each in table.opened.schema().fields} if table else {}
    return deltalake.Schema(
        [
            own[each.kept]
            if each.kept is not None and not each.is_wider
            else deltalake.Field(
                each.written.name, deltalake.schema.PrimitiveType(_type(each.written))
            )
            for each in columns
        ]
    )


def _type(column: TypedColumn) -> str:
    if column.is_decimal:
        return f"decimal({column.precision},{column.scale})"
    return _TYPES.get(column.kind, "string")
