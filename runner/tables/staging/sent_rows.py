"""The rows to send of chunks, read back from their files in order.

A chunk of which every row is sent is plain CSV and nothing else, so it takes no engine to read it.
Knows chunks. Knows nothing of what is in the rows.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from runner.csv_rows import csv_reader
from runner.tables.database import Database, UnreadableRowsError, storage_errors
from runner.tables.staging.chunk import RowChunk, sent_between

SentRow = tuple[int, Sequence[str | None]]
"""The number of a row, and its cells; blank is None."""
_FETCHED_ROWS = 2_000
_FAILURE = "Staged rows cannot be read"


def sent_rows(database: Database, chunks: Iterable[RowChunk], after_row: int) -> Iterator[SentRow]:
    """Give the rows to send after a row.

    Raises:
        StateError: They cannot be read.
    """
    for chunk in chunks:
        if chunk.last_row <= after_row or not chunk.sendable:
            continue
        if chunk.rejected:
            sent = sent_between((chunk,), after_row + 1, chunk.last_row)
            yield from ((row, cells) for row, *cells in queried(database, f"FROM {sent}"))
        elif after_row < chunk.first_row:
            yield from _read(chunk)
        else:
            yield from (row for row in _read(chunk) if row[0] > after_row)


def queried(database: Database, query: str) -> Iterator[tuple[Any, ...]]:
    """Give the rows of a query, a few at a time.

    Raises:
        StateError: It fails.
    """
    with storage_errors(_FAILURE), database.cursor() as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(_FETCHED_ROWS):
            yield from rows


def _read(chunk: RowChunk) -> Iterator[SentRow]:
    row, width = chunk.first_row, chunk.width
    with storage_errors(_FAILURE):
        try:
            with chunk.sent_file.open(encoding="utf-8", newline="") as stream:
                for cells in csv_reader(stream, strict=True):
                    if len(cells) == width:
                        yield row, [cell or None for cell in cells] if "" in cells else cells
                        row += 1
                    elif cells:
                        raise UnreadableRowsError(f"{chunk.sent_file} has other cells")
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise UnreadableRowsError(f"{chunk.sent_file}: {error}") from error
        if row != chunk.last_row + 1:
            raise UnreadableRowsError(f"{chunk.sent_file} has other rows than were staged")
