"""Merges a query's rows with those of a target, in DuckDB's tables `kept` and `fresh`.

Knows keys and deleted records. Knows nothing of formats.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from runner.errors import StateError
from runner.job.endpoints import Deletes, FileTarget, FolderTarget, Keeping, TableMode
from runner.tables.database import Database
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.sql import literal, name
from runner.tables.targets.column_types import TypedColumn
from runner.tables.targets.evolution import JoinedColumn

IS_DELETED = "IsDeleted"
KEPT, FRESH, GONE = "kept", "fresh", "gone"


def load(database: Database, table: str, cells: Iterable[str], read: str | None) -> None:
    """Fill a table with cells of a relation; without a relation it has no rows."""
    select = f"SELECT {', '.join(cells)} FROM {read}" if read else "SELECT 0 AS nothing WHERE false"
    database.connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {select}")


def join(
    database: Database,
    target: FileTarget | FolderTarget,
    columns: Sequence[JoinedColumn],
    header: Sequence[str],
) -> tuple[str, tuple[str, ...]]:
    """The SELECT of all rows, and what there is to say of it.

    Args:
        database: Has both tables.
        target: Where the rows go.
        columns: Of the target as it is to be.
        header: Of the query.

    Raises:
        StateError: A key is missing, blank or doubled.
    """
    key = key_column(str(target.path), target.keeping, header)
    has_kept = any(each.kept for each in columns)
    notes = [f"new column {each.fresh}" for each in columns if has_kept and each.kept is None]
    notes += [f"wider column {each.kept}" for each in columns if each.is_wider]
    if key is not None:
        check_kept_key(str(target.path), columns, key)
        check_keys(database, FRESH, key, "The query")
        own = _own(columns, key)
        if own is not None:
            check_keys(database, KEPT, own, str(target.path), blank=True)
            if target.keeping.gone is not None:
                remove(database, KEPT, own, target.keeping.gone)
        notes.insert(0, counted(database, columns, key, target.keeping))
    return joined_rows(columns, key, target.keeping, target.mode), tuple(notes)


def remove(database: Database, table: str, key: str, gone: Path) -> None:
    """Delete the rows of a table whose keys are in a CSV file without a header."""
    load_gone(database, gone)
    database.connection.execute(
        f"DELETE FROM {table} WHERE {name(key)} IN (SELECT key FROM {GONE})"
    )


def load_gone(database: Database, gone: Path) -> None:
    """Fill the table `gone` with the keys in a CSV file without a header."""
    with_rows(gone, ("key",), lambda read: load(database, GONE, ("key",), read), header=False)


def key_column(place: str, keeping: Keeping, columns: Sequence[str]) -> str | None:
    """The key as the query calls it; None where rows are only added.

    Raises:
        StateError: The query does not have it, or the column that tells deleted records.
    """
    if keeping.key is None:
        return None
    wanted = [keeping.key, *([IS_DELETED] if keeping.deletes else [])]
    known = {each.lower(): each for each in columns}
    missing = next((each for each in wanted if each.lower() not in known), None)
    if missing is not None:
        raise StateError(
            f"{place}: the query has no column {missing}, which `mode: merge` needs.",
            hint=f"It has: {', '.join(columns)}.",
        )
    return known[keeping.key.lower()]


def check_kept_key(place: str, columns: Sequence[JoinedColumn], key: str) -> None:
    """Refuse a target that has columns but not the key.

    Raises:
        StateError: Names the key.
    """
    if any(each.kept for each in columns) and _own(columns, key) is None:
        kept = ", ".join(each.kept for each in columns if each.kept)
        raise StateError(
            f"{place} has no column {key}, which is the `key`; nothing was written.",
            hint=f"It has: {kept}. Write it once with `mode: replace`, or choose another key.",
        )


def check_keys(
    database: Database, relation: str, key: str, place: str, *, blank: bool = False
) -> None:
    """Refuse rows whose key is blank or that share one.

    Args:
        database: Has the rows.
        relation: A table of them, in their order.
        key: The column.
        place: What the rows are called in messages.
        blank: Whether rows may have none.

    Raises:
        StateError: Names the first such row, counted from 1.
    """
    cell = name(key)
    run = database.connection.execute
    found = run(f"SELECT min(rowid) FROM {relation} WHERE {cell} IS NULL").fetchall()[0][0]
    if found is not None and not blank:
        raise StateError(
            f"{place}: row {found + 1:,} has no {key}, which is the `key`; nothing was written.",
            hint="Choose a field that every record has, or leave such records out with WHERE.",
        )
    doubled = run(
        f"SELECT {cell}, min(rowid), max(rowid) FROM {relation} WHERE {cell} IS NOT NULL"
        f" GROUP BY {cell} HAVING count(*) > 1 ORDER BY 2 LIMIT 1"
    ).fetchall()
    if doubled:
        value, first, last = doubled[0]
        raise StateError(
            f"{place}: rows {first + 1:,} and {last + 1:,} both have the {key} {value!s},"
            " which is the `key`; nothing was written.",
            hint="Remove one, or choose a key that no two rows share.",
        )


def joined_rows(
    columns: Sequence[JoinedColumn], key: str | None, keeping: Keeping, mode: TableMode
) -> str:
    """Write the SELECT of the rows that the target is to have, in the order of the target."""
    if mode is TableMode.APPEND or key is None:
        kept = ", ".join(_or_null(each.kept, each.written) for each in columns)
        fresh = ", ".join(_or_null(each.fresh, each.written) for each in columns)
        return f"SELECT {kept} FROM {KEPT} UNION ALL SELECT {fresh} FROM {FRESH}"
    is_here = f"WHERE NOT {is_deleted('f')}" if keeping.deletes is Deletes.REMOVE else ""
    own = _own(columns, key)
    if own is None:
        cells = ", ".join(f"{name(each.fresh or '')}" for each in columns)
        return f"SELECT {cells} FROM {FRESH} f {is_here}"
    cells = ", ".join(f"{_cell(each, keeping)} AS {name(each.written.name)}" for each in columns)
    return (
        f"SELECT {cells} FROM (SELECT rowid AS place, * FROM {KEPT}) k FULL JOIN"
        f" (SELECT rowid AS place, * FROM {FRESH}) f ON k.{name(own)} = f.{name(key)} {is_here}"
        " ORDER BY k.place NULLS LAST, f.place"
    )


def is_deleted(alias: str) -> str:
    """Write the SQL of whether a row is of a deleted record."""
    return f"coalesce(CAST({alias}.{name(IS_DELETED)} AS VARCHAR) = 'true', false)"


def _cell(column: JoinedColumn, keeping: Keeping) -> str:
    fresh = f"f.{name(column.fresh or '')}"
    kept = f"k.{name(column.kept or '')}"
    if column.fresh is None or column.kept is None:
        return kept if column.fresh is None else fresh
    taken = fresh
    if keeping.deletes is Deletes.FLAG:
        # Of a record that left the recycle bin, the org tells little more than the Id.
        taken = f"CASE WHEN {is_deleted('f')} THEN coalesce({fresh}, {kept}) ELSE {fresh} END"
    return f"CASE WHEN f.place IS NULL THEN {kept} ELSE {taken} END"


def _or_null(column: str | None, written: TypedColumn) -> str:
    return f"{'NULL' if column is None else name(column)} AS {name(written.name)}"


def counted(database: Database, columns: Sequence[JoinedColumn], key: str, keeping: Keeping) -> str:
    """Say how many rows are new, updated and removed."""
    own = _own(columns, key)
    gone = is_deleted("f") if keeping.deletes is Deletes.REMOVE else "false"
    match = "false" if own is None else f"k.{name(own)} = f.{name(key)}"
    new, updated, removed = database.connection.execute(
        f"SELECT count(*) FILTER (NOT known AND NOT gone), count(*) FILTER (known AND NOT gone),"
        f" count(*) FILTER (known AND gone) FROM (SELECT {gone} AS gone, EXISTS"
        f" (SELECT 1 FROM {KEPT} k WHERE {match}) AS known FROM {FRESH} f)"
    ).fetchall()[0]
    return said(new, updated, removed)


def _own(columns: Sequence[JoinedColumn], key: str) -> str | None:
    """The key as the target calls it; None if the target has no columns yet."""
    return next(each.kept for each in columns if each.fresh == key)


def said(new: int, updated: int, removed: int) -> str:
    """Say what a merge did."""
    end = f", {removed:,} removed" if removed else ""
    return f"{new:,} new, {updated:,} updated{end}"


def null_of(text: str) -> str:
    """Write the SQL of a text in which a blank is two quotes, as Bulk writes it."""
    return f"coalesce({text}, {literal('')})"
