"""The values of one column of a source, each once.

Knows sources of every format. Knows nothing of what the values are for.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from runner.errors import SourceError
from runner.job.endpoints import FileSource
from runner.suggest import did_you_mean
from runner.tables.disk import UNBOUNDED, Disk
from runner.tables.sources.csv import Records, RowsSource
from runner.tables.sources.open import open_source
from runner.tables.sources.sql_join import JoinedSource, read_joined
from runner.tables.sql import name


def column_values(
    source: FileSource | RowsSource, column: str, folder: Path, disk: Disk = UNBOUNDED
) -> list[str]:
    """Read a column's values, sorted, without blanks.

    Args:
        source: Where the rows are.
        column: Its name, in any letter case.
        folder: For files that reading takes.
        disk: Counts what is written.

    Raises:
        SourceError: The source cannot be read, or has no such column.
    """

    def open_checked(
        rows: FileSource | RowsSource, own: Path, counted: Disk
    ) -> tuple[Records, ...]:
        opened = open_source(rows, own, counted)
        columns = opened[0].columns
        if column.lower() not in {each.lower() for each in columns}:
            otherwise = f"It has: {', '.join(columns)}."
            raise SourceError(
                f"{opened[0].place or opened[0].path} has no column {column!r}.",
                hint=did_you_mean(column, columns, otherwise),
            )
        return opened

    cell = name(column)
    sql = f"SELECT {cell} FROM rows WHERE trim({cell}) <> '' GROUP BY {cell} ORDER BY {cell}"
    read_joined(JoinedSource(sql, {"rows": source}, {}), folder, open_checked, disk)
    csv.field_size_limit(sys.maxsize)
    with (folder / "rows.csv").open(encoding="utf-8", newline="") as rows:
        return [record[0] for record in csv.reader(rows)]
