"""The values of one column of a source, each once.

Knows sources of every format. Knows nothing of what the values are for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from runner.csv_rows import csv_reader
from runner.errors import SourceError
from runner.job.endpoints import FileSource
from runner.suggest import did_you_mean
from runner.tables.database import Database
from runner.tables.disk import UNBOUNDED, Disk
from runner.tables.field_types import FieldKind
from runner.tables.sources.csv import Records, RowsSource
from runner.tables.sources.open import open_source
from runner.tables.sources.sql_join import JoinedSource, read_joined
from runner.tables.sql import name
from runner.tables.staging.canonical_values import SourceFormat, source_format


def column_values(
    source: FileSource | RowsSource,
    column: str,
    folder: Path,
    *,
    kind: FieldKind = FieldKind.TEXT,
    disk: Disk = UNBOUNDED,
) -> list[str]:
    """Read a column's values as SQL writes them, in the order of their texts, without blanks.

    Args:
        source: Where the rows are.
        column: Its name, in any letter case.
        kind: What its values are; a source may write numbers and dates in its own way.
        folder: For files that reading takes.
        disk: Counts what is written.

    Raises:
        SourceError: The source cannot be read, has no such column, or a value is not written as
            the source says.
    """
    formats: list[SourceFormat | None] = []

    def open_checked(
        rows: FileSource | RowsSource, own: Path, counted: Disk
    ) -> tuple[Records, ...]:
        opened = open_source(rows, own, counted)
        columns = opened[0].columns
        found = next((each for each in columns if each.lower() == column.lower()), None)
        if found is None:
            otherwise = f"It has: {', '.join(columns)}."
            raise SourceError(
                f"{opened[0].place or opened[0].path} has no column {column!r}.",
                hint=did_you_mean(column, columns, otherwise),
            )
        formats.extend(source_format(shape, kind) for shape in opened[0].shapes_of(found))
        return opened

    cell = name(column)
    sql = f"SELECT {cell} FROM rows WHERE trim({cell}) <> '' GROUP BY {cell} ORDER BY {cell}"
    read_joined(JoinedSource(sql, {"rows": source}, {}), folder, open_checked, disk)
    with (folder / "rows.csv").open(encoding="utf-8", newline="") as rows:
        texts = [record[0] for record in csv_reader(rows)]
    written = formats[0] if formats else None
    return list(_as_sql_writes(texts, written, column, folder)) if written else texts


def _as_sql_writes(
    texts: Sequence[str], written: SourceFormat, column: str, folder: Path
) -> Iterator[str]:
    database = Database(folder)
    try:
        query = f"SELECT t, {written.sql('t')} FROM (SELECT unnest(?) AS t)"
        for text, plain in database.connection.execute(query, [list(texts)]).fetchall():
            if plain is None:
                raise SourceError(
                    f"Column {column!r}: '{text}' is not {written.example}.",
                    hint="Correct the value, or how `from` says that values are written.",
                )
            yield plain
    finally:
        database.close()
