"""What Snowflake and BigQuery run to replace, append or merge.

There, a statement that creates or changes a table is no part of a transaction. So all rows are
first written to a table of their own, and one statement takes them over: it is done as a whole or
not at all. A column that was added stays, should the rest fail. Knows both dialects. Knows nothing
of how rows are sent.

Sources: Snowflake, "Transactions" (DDL) and "CREATE OR REPLACE"; BigQuery, "Multi-statement
transactions" (limitations) and "Data manipulation language".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from runner.errors import StateError
from runner.job.endpoints import DatabaseTarget, Deletes, Keeping, TableMode
from runner.tables.targets.column_types import TypedColumn
from runner.tables.targets.evolution import JoinedColumn, KeptColumn, join_columns
from runner.tables.targets.merging import IS_DELETED, check_kept_key, key_column
from runner.tables.targets.sql_tables import as_stored, table_of, type_of

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Table

WAREHOUSES = ("snowflake", "bigquery")
_UNFIT_IN_BIGQUERY = frozenset('!"$()*,./;?@[\\]^`{}~')
"""Source: BigQuery, "Specifying a schema", column names."""


class Takeover(Struct, frozen=True):
    """How rows come into a table."""

    before: tuple[str, ...]
    """Creates the table of their own, and changes the target's columns."""
    into: Table
    """Where the rows are inserted."""
    columns: tuple[TypedColumn, ...]
    """Of the rows, as the query calls them."""
    doubled: str | None
    """Finds a key that two rows of the table have."""
    count: str | None
    """Counts new, updated and removed rows of a merge."""
    take: str
    """Takes all rows over."""
    table: Table
    """The target."""
    key: str | None
    """The key of its column by which rows are merged."""
    after: str
    """Removes the table of the rows."""
    notes: tuple[str, ...] = ()


def takeover(
    dialect: Dialect,
    target: DatabaseTarget,
    columns: Sequence[TypedColumn],
    kept: Sequence[KeptColumn] | None,
    staged: str,
) -> Takeover:
    """Decide what to run.

    Args:
        dialect: Of the database.
        target: The table.
        columns: Of the query's rows.
        kept: Columns that the table has; None if it does not exist.
        staged: Name for the table of the rows, without a schema.

    Raises:
        StateError: The columns of the table do not fit.
    """
    quote, place = dialect.identifier_preparer.quote, f"Table {target.table}"
    _check_names(dialect, place, columns)
    key = key_column(place, target.keeping, [each.name for each in columns])
    columns = [as_stored(each, dialect.name) for each in columns]
    old = None if target.mode is TableMode.REPLACE else kept
    joined = join_columns(place, old or [], columns, target.keeping.schema)
    own = [each for each in joined if each.fresh is not None]
    written = [each.written for each in own]
    table = table_of(target, written, dialect.name)
    full = _named(dialect, table)
    schema = target.table.rpartition(".")[0]
    home = f"{schema}.{staged}" if schema else staged
    rows = table_of(replace(target, table=home), written, dialect.name)
    before = [_made(dialect, rows, written)]
    notes: list[str] = []
    if old is None:
        made = _columns(dialect, written)
        if target.mode is not TableMode.REPLACE:
            before.append(f"CREATE TABLE IF NOT EXISTS {full} ({made})")
    else:
        before += _evolved(dialect, full, joined, place)
        notes += [f"new column {each.fresh}" for each in joined if each.kept is None]
        notes += [f"wider column {each.kept}" for each in joined if each.is_wider]
    cells = ", ".join(quote(each.name) for each in written)
    source = _named(dialect, rows)
    doubled = count = None
    if target.mode is TableMode.REPLACE:
        # Otherwise nobody who could read the old table could read the new one.
        grants = " COPY GRANTS" if dialect.name == "snowflake" else ""
        types = _columns(dialect, written)
        take = f"CREATE OR REPLACE TABLE {full} ({types}){grants} AS SELECT {cells} FROM {source}"
    elif key is None:
        take = f"INSERT INTO {full} ({cells}) SELECT {cells} FROM {source}"
    else:
        if old is not None:
            check_kept_key(place, joined, key)
            kept_key = next(each.kept for each in joined if each.fresh == key) or key
            doubled = _doubled(quote(kept_key), full)
        own_key = next(each.written.name for each in own if each.fresh == key)
        take = _merge(
            dialect, full, source, [each.name for each in written], own_key, target.keeping
        )
        count = _count(
            dialect, full, source, [each.name for each in written], own_key, target.keeping
        )
    sent = tuple(replace(each.written, name=each.fresh or "") for each in own)
    after = f"DROP TABLE {source}"
    place_of_key = next((f"c{at}" for at, each in enumerate(own) if each.fresh == key), None)
    return Takeover(
        tuple(before), rows, sent, doubled, count, take, table, place_of_key, after, tuple(notes)
    )


def _named(dialect: Dialect, table: Table) -> str:
    return str(dialect.identifier_preparer.format_table(table))


def _made(dialect: Dialect, rows: Table, columns: Sequence[TypedColumn]) -> str:
    """Create the table of the rows, which is gone later whatever happens."""
    named, types = _named(dialect, rows), _columns(dialect, columns)
    if dialect.name != "bigquery":
        return f"CREATE TEMPORARY TABLE {named} ({types})"
    # There, a temporary table would need a session; this one expires.
    tomorrow = "TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)"
    return f"CREATE TABLE {named} ({types}) OPTIONS (expiration_timestamp = {tomorrow})"


def _columns(dialect: Dialect, columns: Sequence[TypedColumn]) -> str:
    quote = dialect.identifier_preparer.quote
    return ", ".join(f"{quote(each.name)} {_type(dialect, each)}" for each in columns)


def _type(dialect: Dialect, column: TypedColumn) -> str:
    written = str(type_of(column, dialect.name).compile(dialect=dialect))
    if dialect.name == "bigquery" and column.is_decimal:
        return f"{written}({column.precision}, {column.scale})"
    return written


def _evolved(
    dialect: Dialect, table: str, columns: Sequence[JoinedColumn], place: str
) -> Iterator[str]:
    for each in columns:
        column = dialect.identifier_preparer.quote(each.written.name)
        kind = _type(dialect, each.written)
        if each.kept is None:
            yield f"ALTER TABLE {table} ADD COLUMN {column} {kind}"
        elif each.is_wider and dialect.name == "snowflake":
            raise StateError(
                f"{place}: the column {each.kept} is too narrow, and Snowflake does not change how"
                " many decimals a column has; nothing was written.",
                hint="Write the table once with `mode: replace`.",
            )
        elif each.is_wider:
            yield f"ALTER TABLE {table} ALTER COLUMN {column} SET DATA TYPE {kind}"


def _merge(  # noqa: PLR0913, PLR0917 - the parts of one statement
    dialect: Dialect,
    table: str,
    source: str,
    columns: Sequence[str],
    key: str,
    keeping: Keeping,
) -> str:
    quote = dialect.identifier_preparer.quote
    gone = _gone(dialect, columns)
    cells, taken = [quote(each) for each in columns], [f"s.{quote(each)}" for each in columns]
    if keeping.deletes is Deletes.FLAG:
        # Of a record that left the recycle bin, the org tells little more than the Id.
        taken = [
            f"CASE WHEN {gone} THEN coalesce({new}, t.{cell}) ELSE {new} END"
            for cell, new in zip(cells, taken, strict=True)
        ]
    settings = ", ".join(
        f"{cell} = {new}" for cell, new in zip(cells, taken, strict=True) if cell != quote(key)
    )
    is_removed = keeping.deletes is Deletes.REMOVE
    values = ", ".join(f"s.{cell}" for cell in cells)
    absent = f"WHEN NOT MATCHED{f' AND NOT {gone}' if is_removed else ''}"
    parts = [
        f"MERGE INTO {table} AS t USING {source} AS s ON t.{quote(key)} = s.{quote(key)}",
        f"WHEN MATCHED AND {gone} THEN DELETE" if is_removed else "",
        f"WHEN MATCHED THEN UPDATE SET {settings}" if settings else "",
        f"{absent} THEN INSERT ({', '.join(cells)}) VALUES ({values})",
    ]
    return " ".join(filter(None, parts))


def _count(  # noqa: PLR0913, PLR0917 - the parts of one statement
    dialect: Dialect,
    table: str,
    source: str,
    columns: Sequence[str],
    key: str,
    keeping: Keeping,
) -> str:
    cell = dialect.identifier_preparer.quote(key)
    gone = _gone(dialect, columns) if keeping.deletes is Deletes.REMOVE else "false"
    counted = (
        f"t.{cell} IS NULL AND NOT {gone}",
        f"t.{cell} IS NOT NULL AND NOT {gone}",
        f"t.{cell} IS NOT NULL AND {gone}",
    )
    sums = ", ".join(f"count(CASE WHEN {each} THEN 1 END)" for each in counted)
    return f"SELECT {sums} FROM {source} AS s LEFT JOIN {table} AS t ON t.{cell} = s.{cell}"


def _gone(dialect: Dialect, columns: Sequence[str]) -> str:
    flag = next((each for each in columns if each.lower() == IS_DELETED.lower()), IS_DELETED)
    return f"coalesce(s.{dialect.identifier_preparer.quote(flag)}, false)"


def _doubled(key: str, table: str) -> str:
    return (
        f"SELECT {key}, count(*) FROM {table} WHERE {key} IS NOT NULL"
        f" GROUP BY {key} HAVING count(*) > 1 LIMIT 1"
    )


def _check_names(dialect: Dialect, place: str, columns: Sequence[TypedColumn]) -> None:
    if dialect.name != "bigquery":
        return
    for each in columns:
        unfit = set(each.name) & _UNFIT_IN_BIGQUERY
        if unfit:
            raise StateError(
                f"{place}: BigQuery has no column {each.name!r}: its name has a {min(unfit)!r};"
                " nothing was written.",
                hint="Leave fields of parents out of the SELECT, or write to another database.",
            )
