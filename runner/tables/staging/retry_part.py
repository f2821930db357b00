"""What an ingest job left undone of its part, written as a part of its own.

Rows that the org left unprocessed, and rows whose refusal may pass, lose their outcome and are
written anew, those with the same parents together: a Bulk job takes 200 rows at a time, and rows
that wait for one parent do not wait for each other there. Knows staged rows and outcomes. Knows
nothing of jobs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner.files import unwritable
from runner.outcome import RowStatus
from runner.tables.database import state_errors
from runner.tables.field_types import FieldKind
from runner.tables.sql import copy_csv, literal
from runner.tables.staging.chunk import sent_between
from runner.tables.staging.parts import Part, header_line
from runner.tables.staging.rows import StagedRows


@dataclass(frozen=True, slots=True)
class TemporaryRefusal:
    """A kind of refusal that may pass."""

    codes: tuple[str, ...]
    texts: tuple[str, ...] = ()
    """Any of these in the message, letter case aside; empty: whatever it says."""


def clear_retryable(staging: StagedRows, part: Part, passing: Sequence[TemporaryRefusal]) -> int:
    """Take the outcome from rows that are to be sent once more; says how many those are.

    Rows in doubt and rows refused for good keep theirs.
    """
    refusals = " OR ".join(map(_condition, passing)) or "false"
    among = f"row BETWEEN {part.first_row} AND {part.last_row}"
    query = (
        f"DELETE FROM outcome WHERE {among} AND (status = {literal(RowStatus.UNPROCESSED)}"
        f" OR (status = {literal(RowStatus.FAILED)} AND ({refusals})))"
    )
    with state_errors("Row results cannot be kept"):
        return int(staging.database.connection.execute(query).fetchall()[0][0])


def write_retry_part(staging: StagedRows, part: Part) -> Part:
    """Write the part's rows without an outcome as its next attempt.

    Raises:
        StateError: The file cannot be written.
    """
    attempt = part.attempt + 1
    file = part.file.with_name(f"part-{part.index:04}.{attempt}.csv")
    cells = ", ".join(_spelled(staging))
    order = ", ".join([*_parents(staging), "row"])
    sent = sent_between(staging.slabs, part.first_row, part.last_row)
    left = f"(FROM {sent} ANTI JOIN outcome USING (row))"
    query = f"SELECT {cells} FROM {left} ORDER BY {order}"
    with state_errors("Parts cannot be written"):
        copied = staging.database.connection.execute(copy_csv(query, file, header=False))
        rows = int(copied.fetchall()[0][0])
    content = _with_header(file, header_line(part.columns))
    digest = hashlib.sha256(content).hexdigest()
    return replace(part, attempt=attempt, file=file, rows=rows, bytes=len(content), sha256=digest)


def _spelled(staging: StagedRows) -> list[str]:
    cells = [plan.cell for plan in staging.plans]
    # A record of one blank cell must not be an empty line.
    return [f"coalesce({cells[0]}, '')"] if len(cells) == 1 else cells


def _with_header(file: Path, header: bytes) -> bytes:
    try:
        content = header + file.read_bytes()
        file.write_bytes(content)
    except OSError as error:
        raise unwritable(file, error) from error
    return content


def _condition(passing: TemporaryRefusal) -> str:
    codes = ", ".join(map(literal, passing.codes))
    texts = " OR ".join(f"contains(lower(message), {literal(t.lower())})" for t in passing.texts)
    return f"(code IN ({codes}) AND ({texts or 'true'}))"


def _parents(staging: StagedRows) -> list[str]:
    """Cells that name a parent: references, and relationships by external Id."""
    return [
        plan.cell
        for plan in staging.plans
        if "." in plan.column.field
        or (plan.column.kind is FieldKind.ID and plan.column.field.lower() != "id")
    ]
