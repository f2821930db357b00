"""What a SQL database runs before and after the rows, in one transaction.

A merge first writes the rows into a temporary table of the same types. Knows SQL that SQLite,
PostgreSQL and DuckDB have in common. Knows nothing of how rows are sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from runner.csv_rows import csv_reader
from runner.errors import StateError
from runner.job.endpoints import STAGED, DatabaseTarget, Deletes, Keeping, TableMode
from runner.tables.sql import literal, name
from runner.tables.targets.column_types import TypedColumn
from runner.tables.targets.evolution import JoinedColumn, join_columns
from runner.tables.targets.merging import IS_DELETED, check_kept_key, key_column, said
from runner.tables.targets.sql_tables import (
    as_stored,
    is_unique,
    kept_columns,
    table_of,
    type_of,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect, Table
    from sqlalchemy.schema import ExecutableDDLElement

_TRUE = "true"
_KEYS_PER_STATEMENT = 1_000


class Steps(Struct, frozen=True):
    """One transaction."""

    before: tuple[str, ...]
    into: Table
    """Where the rows are inserted."""
    columns: tuple[TypedColumn, ...]
    """Of the rows, as the query calls them, with the types that they are sent as."""
    after: tuple[str, ...] = ()
    table: str = ""
    """The quoted name of the target."""
    key: str = ""
    """Of the target; empty: rows are not merged."""
    counted: tuple[str, ...] = ()
    """What the rows that each statement of `after` changes are called; empty: not counted."""
    notes: tuple[str, ...] = ()

    def removals(self, gone: Path) -> Iterator[str]:
        """What deletes the rows whose keys are in a CSV file without a header."""
        for keys in key_batches(gone):
            some = ", ".join(map(literal, keys))
            yield f"DELETE FROM {self.table} WHERE {name(self.key)} IN ({some})"

    def told(self, changed: Sequence[int]) -> tuple[str, ...]:
        """What became of the rows, given how many each statement of `after` has changed."""
        if not self.counted:
            return self.notes
        rows = dict(zip(self.counted, changed, strict=True))
        counts = said(rows["new"], rows["updated"], rows.get("removed", 0))
        return (counts, *self.notes)


def key_batches(gone: Path) -> Iterator[list[str]]:
    """The keys in a CSV file without a header, as many at a time as a statement takes."""
    with gone.open(encoding="utf-8", newline="") as stream:
        keys = (row[0] for row in csv_reader(stream))
        while some := list(islice(keys, _KEYS_PER_STATEMENT)):
            yield some


def steps_for(link: Connection, target: DatabaseTarget, columns: Sequence[TypedColumn]) -> Steps:
    """Decide what to run.

    Args:
        link: To SQLite or PostgreSQL; asked what the table is like, which is locked for a merge.
        target: The table.
        columns: Of the query's rows.

    Raises:
        StateError: The columns of the table do not fit, or a key is doubled in it.
    """
    from sqlalchemy.schema import CreateTable, DropTable

    dialect = link.dialect
    table = table_of(target, columns, dialect.name)
    if target.mode is TableMode.REPLACE:
        made = (DropTable(table, if_exists=True), CreateTable(table))
        return Steps(tuple(_text_of(each, dialect) for each in made), table, (*columns,))
    place = f"Table {target.table}"
    key = key_column(place, target.keeping, [each.name for each in columns])
    stored = [as_stored(each, dialect.name) for each in columns]
    kept = kept_columns(link, table, columns)
    joined = join_columns(place, kept or [], stored, target.keeping.schema)
    own = [each for each in joined if each.fresh is not None]
    sent = tuple(_sent(each, columns, dialect.name) for each in own)
    into = table_of(
        target, [each.written for each in own], dialect.name, key if kept is None else None
    )
    full = name_of(into)
    before = [*_evolved(link, full, joined)] if kept is not None else []
    if kept is None:
        before.append(_text_of(CreateTable(into), dialect))
    notes = _notes(joined) if kept else ()
    if key is None:
        return Steps(tuple(before), into, sent, notes=notes)
    own_key = next(each.written.name for each in own if each.fresh == key)
    if kept is not None:
        check_kept_key(place, joined, key)
        if dialect.name == "postgresql":
            lock = f"LOCK TABLE {full} IN SHARE ROW EXCLUSIVE MODE"
            link.exec_driver_sql(lock, execution_options={"no_parameters": True})
        if not is_unique(link, table, own_key):
            check_doubled(link, _doubled(full, own_key), own_key, place)
    written = [each.written.name for each in own]
    cells = ", ".join(map(name, written))
    before.append(f"CREATE TEMPORARY TABLE {STAGED} AS SELECT {cells} FROM {full} WHERE 1 = 0")
    if dialect.name == "sqlite":
        before.append(f"CREATE UNIQUE INDEX temp.sfrunner_key ON {STAGED} ({name(own_key)})")
    after = dict(merge_statements(full, written, own_key, target.keeping, dialect.name))
    staged = table_of(replace(target, table=STAGED), [each.written for each in own], dialect.name)
    ran = tuple(after.values())
    return Steps(tuple(before), staged, sent, ran, full, own_key, tuple(after), notes)


def _text_of(statement: ExecutableDDLElement, dialect: Dialect) -> str:
    """A statement to run without values; SQLAlchemy doubles each % for a driver that has some."""
    text = str(statement.compile(dialect=dialect))
    return text.replace("%%", "%") if "format" in dialect.paramstyle else text


def merge_statements(
    table: str, columns: Sequence[str], key: str, keeping: Keeping, dialect: str
) -> Iterator[tuple[str, str]]:
    """Each statement of a merge, and what the rows that it changes are called."""
    own, cells = name(key), ", ".join(map(name, columns))
    flag = next((each for each in columns if each.lower() == IS_DELETED.lower()), IS_DELETED)
    is_gone = f"{name(flag)} = {'1' if dialect == 'sqlite' else _TRUE}"
    if keeping.deletes is Deletes.REMOVE:
        gone = f"SELECT {own} FROM {STAGED} WHERE {is_gone}"
        yield "removed", f"DELETE FROM {table} WHERE {own} IN ({gone})"
        yield "gone", f"DELETE FROM {STAGED} WHERE {is_gone}"
    settings = ", ".join(
        f"{name(each)} = {_taken(each, flag, is_gone, keeping)}" for each in columns if each != key
    )
    match = f"t.{own} = s.{own}"
    settings = settings or f"{own} = s.{own}"
    update = f"UPDATE {table} AS t SET {settings} FROM {STAGED} AS s WHERE {match}"
    if dialect == "postgresql":
        yield "analyzed", f"ANALYZE {STAGED}"  # nobody else does it for a temporary table
        # In one statement, the table is read once.
        known = f"WITH known AS ({update} RETURNING s.{own})"
        yield "updated", f"{known} DELETE FROM {STAGED} WHERE {own} IN (SELECT {own} FROM known)"
    else:
        yield "updated", update
        yield "known", f"DELETE FROM {STAGED} WHERE {own} IN (SELECT {own} FROM {table})"
    yield "new", f"INSERT INTO {table} ({cells}) SELECT {cells} FROM {STAGED}"
    yield "staged", f"DROP TABLE {STAGED}"


def _taken(column: str, flag: str, is_gone: str, keeping: Keeping) -> str:
    cell = name(column)
    if keeping.deletes is not Deletes.FLAG or column == flag:
        return f"s.{cell}"
    # Of a record that left the recycle bin, the org tells little more than the Id.
    return f"CASE WHEN s.{is_gone} THEN coalesce(s.{cell}, t.{cell}) ELSE s.{cell} END"


def name_of(table: Table) -> str:
    """The quoted name of a table, with its schema."""
    return ".".join(name(each) for each in (table.schema, table.name) if each)


def _sent(column: JoinedColumn, columns: Sequence[TypedColumn], dialect: str) -> TypedColumn:
    """A column as it is sent: with the type of the table, but for SQLite, which has few types."""
    described = next(each for each in columns if each.name == column.fresh)
    return described if dialect == "sqlite" else replace(column.written, name=described.name)


def _evolved(link: Connection, table: str, columns: Sequence[JoinedColumn]) -> Iterator[str]:
    for each in columns:
        kind = type_of(each.written, link.dialect.name).compile(dialect=link.dialect)
        column = name(each.written.name)
        if each.kept is None:
            yield f"ALTER TABLE {table} ADD COLUMN {column} {kind}"
        elif each.is_wider and link.dialect.name == "sqlite":
            raise StateError(
                f"Table {table}: the column {each.kept} is too narrow, and SQLite cannot change the"
                " type of a column; nothing was written.",
                hint="Write the table once with `mode: replace`.",
            )
        elif each.is_wider:
            yield f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind}"


def _notes(columns: Sequence[JoinedColumn]) -> tuple[str, ...]:
    new = [f"new column {each.fresh}" for each in columns if each.kept is None]
    return (*new, *(f"wider column {each.kept}" for each in columns if each.is_wider))


def _doubled(table: str, key: str) -> str:
    cell = name(key)
    return (
        f"SELECT {cell}, count(*) FROM {table} WHERE {cell} IS NOT NULL"
        f" GROUP BY {cell} HAVING count(*) > 1 LIMIT 1"
    )


def check_doubled(link: Connection, query: str, key: str, place: str) -> None:
    """Refuse a table in which two rows have the same key.

    Args:
        link: To the database.
        query: Finds such a key, and how many rows have it.
        key: What the key is called.
        place: What the table is called in messages.

    Raises:
        StateError: Names the key.
    """
    found = link.exec_driver_sql(query, execution_options={"no_parameters": True}).first()
    if found is not None:
        raise StateError(
            f"{place}: {found[1]:,} rows have the {key} {found[0]}, which is the `key`; nothing was"
            " written.",
            hint="Delete all but one, or choose a key that no two rows share.",
        )
