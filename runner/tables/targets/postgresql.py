"""Writes a query's rows to a table of PostgreSQL by COPY.

In Bulk's form, each value is what PostgreSQL reads for its type, so that the rows are sent as they
are. Knows psycopg. Knows nothing of how the table is made.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.parallel import parallel_map
from runner.tables.field_types import FieldKind
from runner.tables.sources.csv_pieces import pieces, with_rows
from runner.tables.sql_connection import driver_errors
from runner.tables.targets.column_types import TypedRows, column_names, typed_cell

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table


def copy(link: Connection, table: Table, rows: TypedRows) -> None:
    """Send all rows, in the transaction of the link.

    PostgreSQL rounds a number with more decimals than its column has, so that numbers are looked at
    here, on a thread: it reads what is sent more slowly.
    """
    columns = rows.columns
    quote = link.dialect.identifier_preparer
    listed = ", ".join(quote.quote_identifier(each.name) for each in table.columns)
    options = f"FORMAT csv, ENCODING 'UTF8', FORCE_NULL ({listed})"
    statement = f"COPY {quote.format_table(table)} ({listed}) FROM STDIN ({options})"
    numbers = [typed_cell(each) for each in columns if each.kind is FieldKind.NUMBER]
    looked_at = ", ".join(f"max({each})" for each in numbers)
    names = column_names(rows.file)

    def checked(piece: Path) -> Path:
        if numbers:
            with rows.database.cursor() as cursor:
                query = f"SELECT {looked_at} FROM"
                with_rows(
                    piece, names, lambda read: cursor.execute(f"{query} {read}"), header=False
                )
        return piece

    raw: Any = link.connection.dbapi_connection
    with (
        pieces(rows.file) as files,
        closing(parallel_map(checked, files, threads=1)) as right,  # type: ignore[type-var]
        driver_errors(statement, link.dialect.loaded_dbapi),
        raw.cursor().copy(statement) as stream,
    ):
        for piece in right:
            stream.write(piece.read_bytes())
