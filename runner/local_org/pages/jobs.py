"""The Bulk jobs of both APIs as the pages show them.

Knows jobs and their result files. Knows no template and no request.
"""

from __future__ import annotations

import csv
import io
from itertools import islice
from pathlib import Path

from msgspec import Struct, field

from runner.local_org.bulk.ingest import FAILED, SUCCEEDED, result_header
from runner.local_org.bulk.jobs import DELIMITERS, Job, JobKind, Jobs
from runner.local_org.bulk1.jobs import Bulk1Job, Bulk1Jobs
from runner.local_org.ids import normalise
from runner.local_org.org import Org
from runner.local_org.pages.contents import Cell, linked

ROWS_SHOWN = 50
_BYTES_READ = 1024 * 1024
_BULK1 = "Bulk API 1.0"
_BULK2 = "Bulk API 2.0"


class JobLine(Struct, frozen=True):
    """One job, as a line of a table."""

    id: str
    api: str
    operation: str
    object: Cell
    state: str
    made: str
    rows_done: int
    rows_failed: int
    message: str


class Rows(Struct, frozen=True):
    """The first rows of a result file, or the batches of a job."""

    title: str
    header: list[str]
    rows: list[list[Cell]]
    more: bool = False
    """Whether there are rows that are not shown."""


class JobPage(Struct, frozen=True):
    """One job with what became of its rows."""

    line: JobLine
    query: str = ""
    tables: list[Rows] = field(default_factory=list)


def job_lines(org: Org, most: int) -> list[JobLine]:
    """Jobs of both APIs, newest first."""
    lines = [_line(org, job) for job in org.part(Jobs).recent(most)]
    lines += [_line_of_bulk1(org, job) for job in org.part(Bulk1Jobs).recent(most)]
    return sorted(lines, key=lambda line: line.made, reverse=True)[:most]


def job_page(org: Org, job_id: str) -> JobPage | None:
    """One job of either API; None if it does not exist (any more)."""
    number = normalise(job_id)
    if number is None:
        return None
    job = org.part(Jobs).find(number)
    if job is not None:
        return JobPage(_line(org, job), job.query, _results(org, job))
    classic = org.part(Bulk1Jobs).find(number)
    if classic is None:
        return None
    return JobPage(_line_of_bulk1(org, classic), tables=[_batches(org, classic)])


def _line(org: Org, job: Job) -> JobLine:
    return JobLine(
        job.id,
        _BULK2,
        job.operation,
        _object(org, job.object),
        job.state,
        job.made,
        job.rows_done,
        job.rows_failed,
        job.failure or "",
    )


def _line_of_bulk1(org: Org, job: Bulk1Job) -> JobLine:
    batches = org.part(Bulk1Jobs).batches(job.id)
    return JobLine(
        job.id,
        _BULK1,
        job.operation,
        _object(org, job.object),
        job.state,
        job.made,
        sum(batch.rows_done for batch in batches),
        sum(batch.rows_failed for batch in batches),
        next((batch.message for batch in batches if batch.message), ""),
    )


def _object(org: Org, name: str) -> Cell:
    sobject = org.catalog.sobject(name)
    return Cell(name, f"/objects/{sobject.name}" if sobject else "")


def _results(org: Org, job: Job) -> list[Rows]:
    if job.kind is not JobKind.INGEST or not job.rows_done:
        return []
    folder = org.part(Jobs).folder(job)
    failed = _rows(org, job, "Failed rows", folder / FAILED, job.failed_bytes)
    succeeded = _rows(org, job, "Succeeded rows", folder / SUCCEEDED, job.succeeded_bytes)
    return [each for each in (failed, succeeded) if each.rows]


def _rows(org: Org, job: Job, title: str, path: Path, size: int) -> Rows:
    """The first rows of a result file, of which `size` bytes are valid."""
    second = "sf__Created" if path.name == SUCCEEDED else "sf__Error"
    header = _csv(job, result_header(job, path.parent, "sf__Id", second))
    with path.open("rb") as file:
        head = file.read(min(size, _BYTES_READ))
    rows = _csv(job, head)
    if len(head) < size and len(rows) <= ROWS_SHOWN:
        rows = rows[:-1]  # it may be cut
    more = len(rows) > ROWS_SHOWN or len(head) < size
    shown = [[linked(org, text) for text in row] for row in rows[:ROWS_SHOWN]]
    return Rows(title, header[0], shown, more)


def _csv(job: Job, content: bytes) -> list[list[str]]:
    text = io.StringIO(content.decode("utf-8", errors="replace"), newline="")
    return list(islice(csv.reader(text, delimiter=DELIMITERS[job.delimiter]), ROWS_SHOWN + 1))


def _batches(org: Org, job: Bulk1Job) -> Rows:
    rows = [
        [
            Cell(batch.id),
            Cell(batch.state),
            Cell(f"{batch.rows_done:,}"),
            Cell(f"{batch.rows_failed:,}"),
            Cell(batch.message or ""),
        ]
        for batch in islice(org.part(Bulk1Jobs).batches(job.id), ROWS_SHOWN + 1)
    ]
    header = ["Batch", "State", "Rows", "Failed", "Message"]
    return Rows("Batches", header, rows[:ROWS_SHOWN], len(rows) > ROWS_SHOWN)
