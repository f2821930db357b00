"""Delta tables as rows of text: their newest version.

Knows how a table's rows are written as text, as those of Parquet files are. Knows nothing of logs.
"""

from __future__ import annotations

from pathlib import Path

from runner.errors import SourceError
from runner.tables import delta
from runner.tables.database import duckdb_error, first_line
from runner.tables.sources.csv import Records
from runner.tables.sources.header import check_header
from runner.tables.sources.parquet import typed_source_database, write_rows


def delta_columns(folder: Path) -> tuple[str, ...]:
    """Read the names of the columns.

    Raises:
        SourceError: It is no Delta table, or a column has more than one value per row.
    """
    return tuple(_types(_opened(folder)))


def read_delta(folder: Path, to: Path) -> Records:
    """Write the rows of a table as CSV, in the order in which its files were written.

    Raises:
        SourceError: As `delta_columns`, or a file of it is missing or damaged.
    """
    table = _opened(folder)
    types = _types(table)
    columns = check_header(folder, tuple(types))
    database = typed_source_database(to.parent)
    try:
        rows = table.rows(database, table.files, with_file=False)
        return write_rows(database, folder, columns, types, rows, to)
    except duckdb_error() as error:
        raise SourceError(
            f"{folder} cannot be read as a Delta table: {first_line(error)}.",
            hint="A file of it may be missing or damaged; restore an earlier version of the table.",
        ) from error
    finally:
        database.close()


def _opened(folder: Path) -> delta.DeltaTable:
    if not delta.is_delta(folder):
        raise SourceError(
            f"{folder} is not a Delta table: it has no folder {delta.LOG}.",
            hint="Name the folder of the table itself.",
        )
    return delta.open_table(folder, SourceError)


def _types(table: delta.DeltaTable) -> dict[str, str]:
    """The types of the columns, as DuckDB calls them."""
    for each in table.columns:
        if each.duckdb_type is None:
            raise SourceError(
                f"{table.folder}: column {each.name!r} has more than one value per row: it is"
                f" {each.type}.",
                hint="Export one plain column per value, or leave the column out.",
            )
    return {each.name: each.duckdb_type or "" for each in table.columns}
