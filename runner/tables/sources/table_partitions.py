"""A query of one PostgreSQL table as partitions: ranges of the table's pages, as of one moment.

PostgreSQL's planner says whether a query reads one table row by row, in the order in which the rows
are stored: then a range of pages gives the rows that the whole query gives there. Each partition is
the same query with a range of the table under the table's name. Knows PostgreSQL. Knows nothing of
what the rows hold.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from runner.errors import SourceError
from runner.job.endpoints import DatabaseSource
from runner.tables.sources.csv import PLAIN_CSV, Records
from runner.tables.sources.database import FROM, spooled_query
from runner.tables.sources.header import check_header
from runner.tables.sources.partitions import TablePartition
from runner.tables.sources.value_texts import with_nan_as_written
from runner.tables.sql import literal, name
from runner.tables.sql_connection import connect, url_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult

_AS_TEXT = {"no_parameters": True}
"""A % in the SQL is no placeholder."""


def describe_table(source: DatabaseSource, most_rows: int, until: ExitStack) -> tuple[Records, ...]:
    """Describe the partitions of a query, if it is one that has some.

    Args:
        source: The query.
        most_rows: In a partition, about.
        until: The connection that keeps the moment is open until this is closed.

    Returns:
        Nothing if the query has to be read as a whole, or cannot be.

    Raises:
        SourceError: The database cannot be reached.
    """
    if source.params or not url_of(source.url, SourceError).startswith("postgresql"):
        return ()
    connection = until.enter_context(connect(source.url))
    from sqlalchemy.exc import SQLAlchemyError

    try:
        columns, partitions = _partitions(connection, source, most_rows)
    except (SQLAlchemyError, LookupError):  # it is said when the query is read as a whole
        return ()
    if not partitions:
        return ()
    shape = replace(PLAIN_CSV, nulls=with_nan_as_written(source.nulls))
    columns = check_header(FROM, columns)
    return (Records(FROM, columns, shape, iter(()), partitions=partitions),)


def read_table_partition(partition: TablePartition, to: Path) -> Records:
    """Write the rows of a partition as CSV, as `read_database` writes those of the query.

    Raises:
        SourceError: The database cannot be reached, or does not know the moment any more.
    """
    with connect(partition.url) as connection:
        _ask(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        _ask(connection, f"SET TRANSACTION SNAPSHOT {literal(partition.snapshot)}")
        return spooled_query(connection, partition.sql, None, to)


def _partitions(
    connection: Connection, source: DatabaseSource, most_rows: int
) -> tuple[tuple[str, ...], tuple[TablePartition, ...]]:
    """The columns of a query, and its partitions."""
    _ask(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    plan = _plan(connection, source.sql)
    if plan["Node Type"] != "Seq Scan" or plan.get("Plans"):
        return (), ()
    table, rows = plan["Relation Name"], int(plan["Plan Rows"])
    relation = f"{name(plan['Schema'])}.{name(table)}"
    probe = _plan(connection, _within(source.sql, table, relation, 0, 1))
    if probe["Node Type"] != "Tid Range Scan":  # the query does not call the table by this name
        return (), ()
    size = f"pg_relation_size({literal(relation)}) / current_setting('block_size')::bigint"
    pages = int(_ask(connection, f"SELECT {size}").scalar_one())
    parts = min(pages, -(-rows // most_rows))
    columns = tuple(_ask(connection, f"SELECT * FROM ({source.sql}\n) AS q LIMIT 0").keys())
    snapshot = str(_ask(connection, "SELECT pg_export_snapshot()").scalar_one())
    starts = [pages * at // parts for at in range(parts)]
    ranges = zip(starts, [*starts[1:], None], strict=True)
    queries = [_within(source.sql, table, relation, *each) for each in ranges]
    return columns, tuple(
        TablePartition(source.url, each, snapshot, rows // parts) for each in queries
    )


def _within(sql: str, table: str, relation: str, start: int, end: int | None) -> str:
    """The query, of rows in some pages of its table only."""
    until = "" if end is None else f" AND ctid < '({end},0)'::tid"
    some = f"SELECT * FROM {relation} WHERE ctid >= '({start},0)'::tid{until}"
    return f"WITH {name(table)} AS ({some}) {sql}"


def _plan(connection: Connection, sql: str) -> dict[str, Any]:
    """The plan of a query as it is read, through a cursor."""
    asked = f"EXPLAIN (FORMAT JSON, VERBOSE) DECLARE q NO SCROLL CURSOR FOR {sql}"
    found = _ask(connection, asked).scalar_one()
    plans: list[dict[str, Any]] = json.loads(found) if isinstance(found, str) else found
    plan: dict[str, Any] = plans[0]["Plan"]
    return plan


def _ask(connection: Connection, sql: str) -> CursorResult[Any]:
    return connection.exec_driver_sql(sql, execution_options=_AS_TEXT)
