"""Retries of a part: the rows that an ingest job left undone, as a new attempt of the same part.

Rows that the org left unprocessed, and rows whose refusal may be temporary, lose their outcome and
are written again, sorted by their parents: a Bulk job processes 200 rows at a time, and rows that
lock the same parent do not block each other within one such batch. Knows staged rows and outcomes.
Knows nothing of jobs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from runner.files import unwritable
from runner.outcome import RowStatus
from runner.tables.database import storage_errors
from runner.tables.field_types import FieldKind
from runner.tables.sql import copy_csv, literal
from runner.tables.staging.chunk import sent_between
from runner.tables.staging.parts import FileSlice, Part, PartContent, header_line
from runner.tables.staging.rows import StagedRows


class TemporaryRefusal(Struct, frozen=True):
    """A kind of refusal that may not occur again."""

    codes: tuple[str, ...]
    texts: tuple[str, ...] = ()
    """The message contains one of these, in any letter case; empty: any message."""


def clear_retryable(staging: StagedRows, part: Part, refusals: Sequence[TemporaryRefusal]) -> int:
    """Set the outcome of rows aside that are to be sent again; return how many.

    It counts again where sending them again gives no other. Rows in doubt and rows that were
    finally refused keep theirs.
    """
    temporary = " OR ".join(map(_condition, refusals)) or "false"
    rows = (
        f"row BETWEEN {part.first_row} AND {part.last_row}"
        f" AND (status = {literal(RowStatus.UNPROCESSED)}"
        f" OR (status = {literal(RowStatus.FAILED)} AND ({temporary})))"
    )
    if staging.is_view:  # the numbers of other rows are between them
        sent = sent_between(staging.chunks, part.first_row, part.last_row)
        rows += f" AND row IN (SELECT row FROM {sent})"
    connection = staging.database.connection
    with storage_errors("Row results cannot be saved"):
        again = f"(SELECT row FROM outcome WHERE {rows})"
        connection.execute(f"DELETE FROM set_aside WHERE row IN {again}")
        connection.execute(f"INSERT INTO set_aside FROM outcome WHERE {rows}")
        return int(connection.execute(f"DELETE FROM outcome WHERE {rows}").fetchall()[0][0])


def write_retry_part(staging: StagedRows, part: Part) -> Part:
    """Write those of the part's rows that have no outcome, as its next attempt.

    Raises:
        StateError: The file cannot be written.
    """
    again = replace(part, attempt=part.attempt + 1)
    file = again.file("csv")
    cells = ", ".join(_cells(staging))
    order = ", ".join([*_parents(staging), "row"])
    sent = sent_between(staging.chunks, part.first_row, part.last_row)
    left = f"(FROM {sent} ANTI JOIN outcome USING (row))"
    query = f"SELECT {cells} FROM {left} ORDER BY {order}"
    with storage_errors("Parts cannot be written"):
        copied = staging.database.connection.execute(copy_csv(query, file, header=False))
        rows = int(copied.fetchall()[0][0])
    content = PartContent(header_line(part.columns), (_whole(file),))
    return replace(again, rows=rows, sha256=content.sha256(), content=content)


def _whole(file: Path) -> FileSlice:
    try:
        return FileSlice(file, 0, file.stat().st_size)
    except OSError as error:
        raise unwritable(file, error) from error


def _cells(staging: StagedRows) -> list[str]:
    cells = [mapping.cell for mapping in staging.mappings]
    # A record of one blank cell must not be an empty line.
    return [f"coalesce({cells[0]}, '')"] if len(cells) == 1 else cells


def _condition(refusal: TemporaryRefusal) -> str:
    codes = ", ".join(map(literal, refusal.codes))
    texts = " OR ".join(f"contains(lower(message), {literal(t.lower())})" for t in refusal.texts)
    return f"(code IN ({codes}) AND ({texts or 'true'}))"


def _parents(staging: StagedRows) -> list[str]:
    """Cells that name a parent: references, and relationships by external Id."""
    return [
        mapping.cell
        for mapping in staging.mappings
        if "." in mapping.column.field
        or (mapping.column.kind is FieldKind.ID and mapping.column.field.lower() != "id")
    ]
