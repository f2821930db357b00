"""Reads Id, stamp and `IsDeleted` of the rows that a target has, into DuckDB's table `held`.

Knows how each kind of target is read again. Knows nothing of the org.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from runner.errors import StateError
from runner.job.endpoints import DatabaseTarget, FileFormat, FileTarget, Target
from runner.tables.database import Database
from runner.tables.delta import DeltaTable, is_delta, open_table
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.sql import literal, name, read_parquet
from runner.tables.sql_connection import connect, duckdb_file, import_sqlalchemy
from runner.tables.targets.duckdb_file import read_table
from runner.tables.targets.kept_file import read_kept
from runner.tables.targets.kept_parquet import Part, parts_of
from runner.tables.targets.merging import IS_DELETED
from runner.tables.targets.parquet_types import kept_parquet

HELD = "held"
_BATCH_ROWS = 10_000


def load_held(database: Database, target: Target, stamp: str, folder: Path) -> None:
    """Make the table `held` of texts: `id`, `stamp`, `flag`; empty if there is no target.

    Args:
        database: Gets the table.
        target: One that keeps its rows.
        stamp: The column that moves with every change.
        folder: For files that reading takes.

    Raises:
        StateError: The target cannot be read, or has no Id or stamp.
    """
    run = database.connection.execute
    run(f"CREATE OR REPLACE TABLE {HELD} (id VARCHAR, stamp VARCHAR, flag VARCHAR)")
    plain = folder / "held.csv"
    try:
        if isinstance(target, DatabaseTarget):
            _load_table(database, target, stamp, plain)
        elif target.shape.format is FileFormat.DELTA:
            if is_delta(target.path):
                _load_delta(database, open_table(target.path, StateError), stamp)
        elif target.shape.format is FileFormat.PARQUET:
            for part in parts_of(target.path):
                _load_part(database, part, stamp, str(target.path))
        elif isinstance(target, FileTarget):
            names = read_kept(target, plain, ["Id", stamp, IS_DELETED])
            if names:
                cells = _cells(names, stamp, str(target.path))
                with_rows(plain, names, lambda read: _insert(database, cells, read))
    finally:
        plain.unlink(missing_ok=True)


def _insert(database: Database, cells: Sequence[str], read: str) -> None:
    texts = ", ".join(f"CAST({each} AS VARCHAR)" for each in cells)
    database.connection.execute(f"INSERT INTO {HELD} SELECT {texts} FROM {read}")


def _cells(columns: Sequence[str], stamp: str, place: str) -> list[str]:
    """The SQL of a target's own columns: Id, stamp and the flag of deleted records."""
    found = _own(columns, stamp, place)
    return ["NULL" if each is None else name(each) for each in found]


def _own(columns: Sequence[str], stamp: str, place: str) -> list[str | None]:
    own = {each.lower(): each for each in columns}
    for each in ("Id", stamp):
        if each.lower() not in own:
            raise StateError(
                f"{place} has no column {each}, so it cannot be compared with the org; nothing was"
                " written.",
                hint=f"It has: {', '.join(columns)}. Write it once with `mode: replace`.",
            )
    return [own["id"], own[stamp.lower()], own.get(IS_DELETED.lower())]


def _load_part(database: Database, part: Part, stamp: str, place: str) -> None:
    named = dict(part.values)
    columns = [each.name for each in kept_parquet(database, [*part.files], place)]
    cells = _cells([*columns, *named], stamp, place)
    texts = {name(each): "NULL" if value is None else literal(value) for each, value in part.values}
    _insert(database, [texts.get(each, each) for each in cells], read_parquet(part.files))


def _load_delta(database: Database, table: DeltaTable, stamp: str) -> None:
    cells = _cells([each.name for each in table.columns], stamp, str(table.folder))
    _insert(database, cells, table.rows(database, table.files, with_file=False))


def _load_table(database: Database, target: DatabaseTarget, stamp: str, plain: Path) -> None:
    place = f"Table {target.table}"
    file = duckdb_file(target.url, StateError)
    if file is not None:
        read_table(
            database,
            file,
            target.table,
            lambda columns, read: _insert(database, _cells(columns, stamp, place), read),
        )
        return
    sqlalchemy = import_sqlalchemy(StateError)
    schema, _, table = target.table.rpartition(".")
    with connect(target.url, StateError) as link:
        inspector = sqlalchemy.inspect(link)
        if not inspector.has_table(table, schema=schema or None):
            return
        found = inspector.get_columns(table, schema=schema or None)
        own = _own([str(each["name"]) for each in found], stamp, place)
        # Each database has quotes of its own.
        cells = [sqlalchemy.null() if each is None else sqlalchemy.column(each) for each in own]
        query = sqlalchemy.select(*cells).select_from(
            sqlalchemy.table(table, schema=schema or None)
        )
        rows = link.execution_options(yield_per=_BATCH_ROWS).execute(query)
        with plain.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, quoting=csv.QUOTE_ALL).writerows(_texts(rows))
    columns = ("id", "stamp", "flag")
    with_rows(plain, columns, lambda read: _insert(database, columns, read), header=False)


def _texts(rows: Iterator[Sequence[object]]) -> Iterator[list[str]]:
    for row in rows:
        yield ["" if each is None else str(each) for each in row]
