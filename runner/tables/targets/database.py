"""Writes a query's rows to a table of a SQL database, with the types that the org describes.

All rows are written in one transaction, or none. PostgreSQL takes them by COPY, SQLite as Arrow
batches where the driver for these is installed; other databases take them row by row through
SQLAlchemy. Knows nothing of SOQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from runner.errors import StateError
from runner.job.endpoints import DatabaseTarget, TableMode
from runner.tables.database import Database, storage_errors
from runner.tables.field_types import FieldKind
from runner.tables.sources.csv_pieces import pieces
from runner.tables.sql import name
from runner.tables.sql_connection import (
    SQLITE_FILES,
    check_is_kept,
    connect,
    driver_errors,
    duckdb_file,
    import_sqlalchemy,
)
from runner.tables.staging.canonical_values import open_database
from runner.tables.targets import postgresql, sqlite
from runner.tables.targets.column_types import (
    TypedColumn,
    TypedRows,
    as_described,
    column_names,
    fetched,
    python_cell,
    typed_cell,
    with_query_rows,
)
from runner.tables.targets.duckdb_file import write_duckdb
from runner.tables.targets.landing import Landing
from runner.tables.targets.merging import FRESH, check_keys, key_column, said
from runner.tables.targets.rest_rows import QueryColumn
from runner.tables.targets.sql_tables import kept_columns, table_of
from runner.tables.targets.table_steps import Steps, check_doubled, key_batches, name_of, steps_for
from runner.tables.targets.target_state import TAKE_TURNS, TargetState
from runner.tables.targets.warehouse import WAREHOUSES, takeover

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Table

_DATETIME = FieldKind.DATETIME
_KEEPING = ("sqlite", "postgresql")
"""Dialects whose tables can be merged with and evolve, in one transaction."""
_BIGQUERY_VALUES = 10_000
"""Parameters of a query. Source: BigQuery, "Quotas and limits"."""


def write_table(
    rows: Path,
    target: DatabaseTarget,
    known: Sequence[QueryColumn] | None,
    state: TargetState | None = None,
    landing: Callable[[Landing], None] = lambda _landing: None,
) -> tuple[str, ...]:
    """Write rows to a table, which is created if it does not exist.

    In SQLite, PostgreSQL and DuckDB, `state` is written in the same transaction. `landing` is
    called before the rows are added.

    Returns:
        What became of the rows that the table had, for people to read.

    Raises:
        StateError: The database cannot be reached, or rejects the table or a row; or a key is blank
            or doubled, or a type does not fit.
        StorageError: A value does not have the type of its column.
    """
    import_sqlalchemy(StateError)
    file = duckdb_file(target.url, StateError)
    database = open_database(rows.parent)
    notes: list[str] = []

    def write(columns: tuple[TypedColumn, ...]) -> None:
        if file is not None:
            landing(Landing(is_told=state is not None))
            notes[:] = write_duckdb(file, target, TypedRows(database, rows, columns), state)
            return
        _check_rows(database, rows, target, columns)
        notes[:] = _write(TypedRows(database, rows, columns), target, state, landing)

    try:
        with storage_errors(f"Table {target.table} cannot be written"):
            as_described(database, rows, known, write)
    finally:
        database.close()
    return tuple(notes)


def _check_rows(
    database: Database, rows: Path, target: DatabaseTarget, columns: Sequence[TypedColumn]
) -> None:
    """Refuse rows without a key, or of the same one."""
    key = key_column(f"Table {target.table}", target.keeping, [each.name for each in columns])
    if key is None:
        return
    cell = f"{typed_cell(next(each for each in columns if each.name == key))} AS {name(key)}"

    def load(read: str) -> None:
        database.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {FRESH} AS SELECT {cell} FROM {read}"
        )

    with_query_rows(rows, load)
    check_keys(database, FRESH, key, "The query")


def _write(
    rows: TypedRows,
    target: DatabaseTarget,
    state: TargetState | None,
    landing: Callable[[Landing], None],
) -> tuple[str, ...]:
    with connect(target.url, StateError) as link:
        if link.dialect.name in WAREHOUSES:
            return _take_over(link, rows, target, landing)
        if link.dialect.name not in _KEEPING:
            _write_elsewhere(link, rows, target, landing)
            return ()
        check_is_kept(link)
        if state is not None:
            landing(Landing(is_told=True))
        if sqlite.takes_batches(link):
            with SQLITE_FILES.taken(link.engine) as is_free:
                if is_free:
                    steps = steps_for(link, target, rows.columns)
                    last = partial(_last, target=target, state=state)
                    return steps.told(sqlite.write(link, steps, rows, last))
        _begin(link)
        steps = steps_for(link, target, rows.columns)
        sent = replace(rows, columns=steps.columns)
        for each in steps.before:
            _run(link, each)
        if link.dialect.driver == "psycopg":
            _copy(link, steps.into, sent)
        else:
            _insert_all(link, steps.into, sent)
        changed = [_run(link, each) for each in steps.after]
        for each in _last(steps, target, state, is_shared=link.dialect.name == "postgresql"):
            _run(link, each)
        if state is None:
            landing(Landing())
        link.commit()
        return steps.told(changed)


def _copy(link: Connection, table: Table, rows: TypedRows) -> None:
    """Send the rows as they are: in the order of the query, which may not be that of the table."""
    driver: Any = link.connection.dbapi_connection
    known = {
        each.name: (each, to.name) for each, to in zip(rows.columns, table.columns, strict=True)
    }
    columns, names = zip(*(known[each] for each in column_names(rows.file)), strict=True)
    with driver_errors("COPY", link.dialect.loaded_dbapi):
        postgresql.copy(driver, name_of(table), names, replace(rows, columns=columns))


def _last(
    steps: Steps, target: DatabaseTarget, state: TargetState | None, *, is_shared: bool = False
) -> Iterator[str]:
    """What is run after the rows; `is_shared`: others may write to the database meanwhile."""
    if target.keeping.gone is not None:
        yield from steps.removals(target.keeping.gone)
    if state is not None:
        if is_shared:
            yield TAKE_TURNS
        yield from state.statements(target.table)


def _take_over(
    link: Connection,
    rows: TypedRows,
    target: DatabaseTarget,
    landing: Callable[[Landing], None],
) -> tuple[str, ...]:
    """Write to a database in which one statement changes the table, once the rows are there."""
    dialect, key = link.dialect, target.keeping.key or ""
    kept = kept_columns(link, table_of(target, rows.columns, dialect.name), rows.columns)
    steps = takeover(dialect, target, rows.columns, kept, f"sfrunner_rows_{token_hex(8)}")
    if steps.doubled is not None:
        check_doubled(link, steps.doubled, key, f"Table {target.table}")
    for each in steps.before:
        _run(link, each)
    notes = steps.notes
    try:
        _insert_all(link, steps.into, replace(rows, columns=steps.columns))
        if steps.count is not None:
            new, updated, removed = map(int, _execute(link, steps.count).one())
            notes = (said(new, updated, removed), *notes)
        landing(Landing())
        _run(link, steps.take)
        if target.keeping.gone is not None and steps.key is not None:
            column = steps.table.columns[steps.key]
            for keys in key_batches(target.keeping.gone):
                link.execute(steps.table.delete().where(column.in_(keys)))
        link.commit()
    except BaseException:
        with suppress(Exception):  # what went wrong is what matters
            _run(link, steps.after)
        raise
    _run(link, steps.after)
    link.commit()
    return notes


def _run(link: Connection, statement: str) -> int:
    """Run a statement; returns how many rows it has changed."""
    return _execute(link, statement).rowcount


def _execute(link: Connection, statement: str) -> CursorResult[Any]:
    return link.exec_driver_sql(statement, execution_options={"no_parameters": True})


def _write_elsewhere(
    link: Connection,
    rows: TypedRows,
    target: DatabaseTarget,
    landing: Callable[[Landing], None],
) -> None:
    """Write to any other database, with SQL that all databases understand."""
    if target.mode is TableMode.MERGE:
        raise StateError(
            "`mode: merge` works in SQLite, PostgreSQL, DuckDB, Snowflake and BigQuery, not in"
            f" {link.dialect.name}; nothing was written.",
            hint="Append to another table, and merge it with SQL of your own.",
        )
    table = table_of(target, rows.columns, link.dialect.name)
    if target.mode is TableMode.REPLACE:
        table.drop(link, checkfirst=True)
    table.create(link, checkfirst=True)
    _insert_all(link, table, rows)
    landing(Landing())
    link.commit()


def _insert_all(link: Connection, table: Table, rows: TypedRows) -> None:
    insert, cells = _insert(link, table, rows.columns)
    names = column_names(rows.file)
    with pieces(rows.file) as files:
        for piece in files:
            for batch in fetched(rows.database, piece, names, cells):
                insert(batch)


def _insert(
    link: Connection, table: Table, columns: Sequence[TypedColumn]
) -> tuple[Callable[[list[tuple[Any, ...]]], object], list[str]]:
    """How to insert a batch of rows, and the SQL of the cells that it takes."""
    if link.dialect.name == "sqlite":
        statement = str(table.insert().compile(dialect=link.dialect))
        return partial(link.exec_driver_sql, statement), [sqlite.cell(each) for each in columns]
    keys = [f"c{at}" for at in range(len(columns))]
    instants = {key for key, each in zip(keys, columns, strict=True) if each.kind is _DATETIME}

    def insert(batch: list[tuple[Any, ...]]) -> object:
        records = [_record(keys, row, instants) for row in batch]
        if link.dialect.name != "bigquery":
            return link.execute(table.insert(), records)
        # Its driver would send a query for each row.
        most = max(_BIGQUERY_VALUES // len(keys), 1)
        for start in range(0, len(records), most):
            link.execute(table.insert().values(records[start : start + most]))
        return None

    return insert, [python_cell(each) for each in columns]


def _record(keys: list[str], row: tuple[Any, ...], instants: set[str]) -> dict[str, object]:
    record = dict(zip(keys, row, strict=True))
    for key in instants:
        record[key] = record[key] and record[key].replace(tzinfo=UTC)
    return record


def _begin(link: Connection) -> None:
    """Start a transaction; by itself, SQLite's driver would create tables outside of it."""
    if link.dialect.name == "sqlite":
        raw: Any = link.connection.dbapi_connection
        raw.isolation_level = None
        link.exec_driver_sql(f"PRAGMA busy_timeout = {sqlite.BUSY_MS}")
        link.exec_driver_sql("BEGIN IMMEDIATE")
