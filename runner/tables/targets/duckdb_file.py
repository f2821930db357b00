"""Writes a query's rows to a table of a DuckDB file, in one transaction.

The rows are first loaded into a temporary table, typed. Knows DuckDB's files. Knows nothing of
other databases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec.structs import replace

from runner.errors import StateError
from runner.job.endpoints import STAGED, STATE_TABLE, DatabaseTarget, TableMode
from runner.tables.database import Database, duckdb_error, first_line
from runner.tables.field_types import FieldKind
from runner.tables.sources.value_texts import FLOATS
from runner.tables.sql import literal, name
from runner.tables.targets.column_types import (
    TypedColumn,
    TypedRows,
    typed_cell,
    with_query_rows,
)
from runner.tables.targets.evolution import JoinedColumn, KeptColumn, is_text, join_columns
from runner.tables.targets.merging import check_kept_key, check_keys, key_column, remove, said
from runner.tables.targets.parquet_types import duckdb_type, kept_column
from runner.tables.targets.table_steps import merge_statements
from runner.tables.targets.target_state import TargetState, check_state_table

_FILE = "sfrunner_file"
_WHOLE_NUMBERS = frozenset(
    f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")
) | {"INTEGER", "UINTEGER"}


def write_duckdb(
    file: Path, target: DatabaseTarget, rows: TypedRows, state: TargetState | None = None
) -> tuple[str, ...]:
    """Write rows to a table of a file; both are created if they do not exist.

    `state` is written in the same transaction.

    Returns:
        What became of the rows that the table had, for people to read.

    Raises:
        StateError: The file cannot be opened, a key is blank or doubled, or a type does not fit.
    """
    schema, full = target.table.rpartition(".")[0], _full(target.table)
    run = rows.database.connection.execute
    with _opened(rows.database, file):
        if schema:
            run(f"CREATE SCHEMA IF NOT EXISTS {_FILE}.{name(schema)}")
        kept = None if target.mode is TableMode.REPLACE else _kept(rows.database, target.table)
        if state is not None:
            _check_state(rows.database, target.table)
        place = f"Table {target.table}"
        fitting = _left_to_database(kept or [], rows.columns)
        columns = join_columns(place, fitting, rows.columns, target.keeping.schema)
        own = [each for each in columns if each.fresh is not None]
        _stage(rows, own)
        notes: list[str] = []
        run("BEGIN")
        try:
            if target.mode is TableMode.REPLACE:
                run(f"DROP TABLE IF EXISTS {full}")
            notes += _changed(rows.database, full, kept, columns)
            names = [each.written.name for each in own]
            key = key_column(place, target.keeping, [each.fresh or "" for each in own])
            if key is None:
                cells = ", ".join(map(name, names))
                run(f"INSERT INTO {full} ({cells}) SELECT {cells} FROM {STAGED}")
            else:
                own_key = next(each.written.name for each in own if each.fresh == key)
                check_keys(rows.database, STAGED, own_key, "The query")
                if kept is not None:
                    check_kept_key(place, columns, key)
                    check_keys(rows.database, full, own_key, place, blank=True)
                statements = merge_statements(full, names, own_key, target.keeping, "duckdb")
                changed = {what: _count(run(each).fetchall()) for what, each in statements}
                if target.keeping.gone is not None:
                    remove(rows.database, full, own_key, target.keeping.gone)
                removed = changed.get("removed", 0)
                notes.insert(0, said(changed["new"], changed["updated"], removed))
            for each in state.statements_in(_state_table(target.table)) if state else ():
                run(each)
            run("COMMIT")
        except BaseException:
            with suppress(duckdb_error()):  # a COMMIT that failed has ended the transaction
                run("ROLLBACK")
            raise
    return tuple(notes)


def has_rows(file: Path, table: str) -> bool:
    """Whether a file has a table with rows.

    Raises:
        StateError: The file cannot be opened.
    """
    if not file.exists():
        return False
    database = Database(file.parent)
    try:
        with _opened(database, file):
            if _kept(database, table) is None:
                return False
            any_row = f"SELECT 1 FROM {_full(table)} LIMIT 1"
            return database.connection.execute(any_row).fetchone() is not None
    finally:
        database.close()


def read_table(
    database: Database, file: Path, table: str, use: Callable[[list[str], str], None]
) -> None:
    """Call `use` with the columns of a file's table and its relation; not if there is none.

    Raises:
        StateError: The file cannot be opened.
    """
    if not file.exists():
        return
    with _opened(database, file):
        kept = _kept(database, table)
        if kept is not None:
            use([each.name for each in kept], _full(table))


def read_duckdb_state(file: Path, table: str, wanted: Mapping[str, str]) -> TargetState | None:
    """The state that a file has beside a table, where its columns have these values.

    Raises:
        StateError: The file cannot be opened.
    """
    found: list[tuple[str, ...]] = []
    database = Database(file.parent)

    def read(columns: list[str], relation: str) -> None:
        check_state_table(table, columns)
        is_own = " AND ".join(f"{name(each)} = {literal(text)}" for each, text in wanted.items())
        cells = ", ".join(map(name, TargetState.__struct_fields__))
        query = f"SELECT {cells} FROM {relation} WHERE {is_own}"
        found.extend(database.connection.execute(query).fetchall())

    try:
        read_table(database, file, _state_place(table), read)
    finally:
        database.close()
    return TargetState(*found[0]) if found else None


def _check_state(database: Database, table: str) -> None:
    """Refuse a state's table that is somebody else's; there may be none."""
    found = _kept(database, _state_place(table))
    if found is not None:
        check_state_table(table, [each.name for each in found])


def _state_table(table: str) -> str:
    return _full(_state_place(table))


def _state_place(table: str) -> str:
    """The name of the state's table, in the schema of another table."""
    return ".".join(each for each in (table.rpartition(".")[0], STATE_TABLE) if each)


def _full(table: str) -> str:
    schema, _, own = table.rpartition(".")
    return f"{_FILE}.{name(schema or 'main')}.{name(own)}"


@contextmanager
def _opened(database: Database, file: Path) -> Iterator[None]:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Without the type, a Parquet or CSV file is opened as views in memory, and what is written
        # beside them is gone.
        database.connection.execute(f"ATTACH {literal(str(file))} AS {_FILE} (TYPE duckdb)")
    except (OSError, duckdb_error()) as error:
        raise StateError(
            f"The DuckDB file cannot be opened: {first_line(error).rstrip('!')}.",
            hint="Check its path, and that no other program has it open.",
        ) from error
    try:
        yield
    finally:
        # What fails here is to move rows out of the log beside the file, where they are safe.
        with suppress(duckdb_error()):
            database.connection.execute(f"DETACH {_FILE}")


def _kept(database: Database, table: str) -> list[KeptColumn] | None:
    """The columns of a table; None if it does not exist."""
    schema, _, own = table.rpartition(".")
    found = database.connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = ?"
        " AND lower(schema_name) = ? AND lower(table_name) = ? ORDER BY column_index",
        [_FILE, (schema or "main").lower(), own.lower()],
    ).fetchall()
    return [kept_column(each[0], each[1]) for each in found] or None


def _left_to_database(
    kept: Sequence[KeptColumn], wanted: Sequence[TypedColumn]
) -> list[KeptColumn]:
    """Columns of a type that no field has as if they had that of the query.

    DuckDB would round a fraction to a whole number, and make a number of text that looks like one.
    """
    known = {each.name.lower(): each for each in wanted}
    found: list[KeptColumn] = []
    for each in kept:
        own = known.get(each.name.lower())
        if each.typed is None and each.type in _WHOLE_NUMBERS:
            own = TypedColumn(each.name, FieldKind.INTEGER)
        elif own is not None and each.type in FLOATS and is_text(own):
            own = None
        found.append(replace(each, typed=each.typed or own))
    return found


def _stage(rows: TypedRows, columns: Sequence[JoinedColumn]) -> None:
    cells = ", ".join(
        f"{typed_cell(replace(each.written, name=each.fresh))} AS {name(each.written.name)}"
        for each in columns
    )
    made = f"CREATE OR REPLACE TEMP TABLE {STAGED} AS SELECT {cells} FROM"
    run = rows.database.connection.execute
    with_query_rows(rows.file, lambda read: run(f"{made} {read}"))


def _changed(
    database: Database,
    table: str,
    kept: Sequence[KeptColumn] | None,
    columns: Sequence[JoinedColumn],
) -> Iterator[str]:
    """Create the table or change its columns; says what has changed."""
    run = database.connection.execute
    if kept is None:
        types = ", ".join(f"{name(c.written.name)} {duckdb_type(c.written)}" for c in columns)
        run(f"CREATE TABLE {table} ({types})")
        return
    for each in columns:
        column, kind = name(each.written.name), duckdb_type(each.written)
        if each.kept is None:
            run(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
            yield f"new column {each.fresh}"
        elif each.is_wider:
            run(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind}")
            yield f"wider column {each.kept}"


def _count(found: list[tuple[int]]) -> int:
    return found[0][0] if found else 0
