"""Writes a query's rows to a table of SQLite as Arrow batches, without an object for each value.

Knows ADBC's driver, which has an SQLite of its own, and what SQLite stores. Knows nothing of how
rows are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from runner.tables.field_types import FieldKind
from runner.tables.sources.csv_pieces import with_row_groups
from runner.tables.sql import name, utc_text
from runner.tables.sql_connection import driver_errors
from runner.tables.targets.column_types import TypedColumn, TypedRows, column_names, typed_cell
from runner.tables.targets.table_steps import Steps

if TYPE_CHECKING:
    from sqlalchemy import Connection

_DRIVER = "adbc_driver_sqlite"
BUSY_MS = 5_000
"""How long to wait for another writer, as Python's own driver does."""

_PAGE_BYTES = 16_384
"""Of a new file, which has more of its rows in a page; that of another file stays."""
_GROUP_BYTES = 16_000_000
"""Of rows sent by one statement. DuckDB puts 131,072 rows into a batch, however long they are, and
no more than 2 GB of one column."""


def takes_batches(link: Connection) -> bool:
    """Whether a database is a plain SQLite file, and the driver for batches is installed."""
    url = link.engine.url
    file = url.database or ""
    is_file = bool(file) and not url.query and not file.startswith((":", "file:"))
    return link.dialect.driver == "pysqlite" and is_file and find_spec(_DRIVER) is not None


def write(
    link: Connection,
    steps: Steps,
    rows: TypedRows,
    last: Callable[[Steps], Iterable[str]] = lambda _steps: (),
) -> list[int]:
    """Run the steps and write all rows, in one transaction.

    Args:
        link: Tells the file, which nobody else in this process has open; it is closed.
        steps: What is run before and after the rows.
        rows: All of them.
        last: Gives what is run last.

    Returns:
        How many rows each statement after the rows has changed.
    """
    import adbc_driver_manager

    from runner.tables.duckdb import load_relations

    load_relations()
    cells = [cell(each) for each in steps.columns]
    duckdb = rows.database.connection
    insert = str(steps.into.insert().compile(dialect=link.dialect))
    file = str(link.engine.url.database)
    link.close()

    def send(groups: Sequence[str]) -> list[int]:
        try:
            with _connected(file) as connection:
                busy = f"PRAGMA busy_timeout = {BUSY_MS}"
                pages = f"PRAGMA page_size = {_PAGE_BYTES}"
                for each in (busy, pages, "BEGIN IMMEDIATE", *steps.before):
                    _run(connection, each)
                for each in groups:
                    query = f"SELECT {', '.join(cells)} FROM {each}"
                    _run(connection, insert, duckdb.sql(query))
                changed = [_run(connection, each) for each in steps.after]
                for each in last(steps):
                    _run(connection, each)
                _run(connection, "COMMIT")
        except adbc_driver_manager.Error:
            # If a row is what is wrong, DuckDB says so itself.
            found = ", ".join(f"max({each})" for each in cells)
            for each in groups:
                duckdb.execute(f"SELECT {found} FROM {each}").fetchall()
            raise
        return changed

    with driver_errors(insert, adbc_driver_manager):
        return with_row_groups(rows.file, column_names(rows.file), send, _GROUP_BYTES)


@contextmanager
def _connected(file: str) -> Iterator[Any]:
    """A connection; what is not committed is rolled back when it is closed."""
    import adbc_driver_manager
    import adbc_driver_sqlite

    driver = adbc_driver_sqlite._driver_path()  # noqa: SLF001 - its own `connect` needs pyarrow
    with (
        adbc_driver_manager.AdbcDatabase(driver=driver, uri=file) as opened,
        adbc_driver_manager.AdbcConnection(opened) as connection,
    ):
        yield connection


def _run(connection: Any, sql: str, rows: Any = None) -> int:  # noqa: ANN401
    """Run a statement, once for each row if there are some; returns how many it has changed."""
    import adbc_driver_manager

    with adbc_driver_manager.AdbcStatement(connection) as statement:
        statement.set_sql_query(sql)
        if rows is not None:
            statement.bind_stream(rows.__arrow_c_stream__())
        return int(statement.execute_update())


def cell(column: TypedColumn) -> str:
    """Write the SQL of a cell as SQLite stores it: texts and whole numbers."""
    value = typed_cell(column)
    if column.kind is FieldKind.BOOLEAN:
        return f"CAST({value} AS TINYINT)"
    if column.kind is FieldKind.TIME:
        return f"strftime(DATE '2000-01-01' + {value}, '%H:%M:%S.%f')"
    if column.kind is FieldKind.DATETIME:
        text = name(column.name)
        # Of this length with a T, a datetime in UTC has one form only.
        is_canonical = f"strlen({text}) = 24 AND {text} LIKE '__________T%Z'"
        return (
            f"CASE WHEN {is_canonical} AND {value} IS NOT NULL THEN {text}"
            f" ELSE {utc_text(value)} END"
        )
    return value if column.kind is FieldKind.INTEGER else f"CAST({value} AS VARCHAR)"
