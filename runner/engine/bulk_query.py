"""Fetches a query's rows by Bulk query jobs, one for each query that a long list is divided into.

Knows jobs: created, polled, recorded, downloaded. Knows nothing of REST, nor of where the rows go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runner import events
from runner.engine.context import Context
from runner.engine.deadline import Deadline
from runner.engine.lost_results import lost_results_named
from runner.job.model import QueryTask
from runner.salesforce.bulk import query_jobs
from runner.salesforce.bulk.csv_pages import unwatched
from runner.salesforce.bulk.job import JobInfo, failure_of
from runner.state.run_records import PartRecord
from runner.tables.targets.bulk_header import join_rows, name_columns
from runner.tables.targets.masking import MaskValue, masked_pages
from runner.tables.targets.rest_rows import QueryColumn

if TYPE_CHECKING:
    from runner.tables.targets.copy_ahead import CopyAhead


class BulkQuery:
    """The jobs of one task."""

    def __init__(
        self,
        task: QueryTask,
        context: Context,
        deadline: Deadline,
        columns: Sequence[QueryColumn],
        masks: Mapping[str, MaskValue],
    ) -> None:
        """Create no job yet.

        Args:
            task: The query.
            context: The run.
            deadline: When the task has to end.
            columns: What it selects.
            masks: Changes values of columns.
        """
        self._task = task
        self._context = context
        self._deadline = deadline
        self._columns = columns
        self._masks = masks
        self.job_ids: list[str] = []
        self.ahead: CopyAhead | None = None
        """Gets the rows of a single job as they arrive."""
        self._recorded = ""

    def fetch(self, soqls: Sequence[str], to: Path) -> int:
        """Fetch the rows of all queries into one file; returns how many there are."""
        if len(soqls) == 1:
            return self._fetch_one(soqls[0], to, self.ahead)
        rows = 0
        pieces: list[Path] = []
        for number, soql in enumerate(soqls, start=1):
            piece = to.with_name(f"records-{number}.csv")
            rows += self._fetch_one(soql, piece, None)
            pieces.append(piece)
        join_rows(pieces, to)
        return rows

    def _fetch_one(self, soql: str, to: Path, ahead: CopyAhead | None) -> int:
        session, task = self._context.session, self._task
        self._deadline.check()
        job = query_jobs.create_job(session, soql, deleted=task.deleted)
        self.job_ids.append(job.id)
        self._record(job)
        pace = self._deadline.poll_pace(self._context.first_poll_seconds)
        with self._deadline.named_in_errors(), lost_results_named(job):
            ended = query_jobs.poll(session, job.id, pace, self._record)
        failure = failure_of(ended)
        if failure is not None:
            raise failure
        if ahead is not None:
            ahead.expect(ended.processed)
        with lost_results_named(job):
            rows = query_jobs.download(
                session,
                job.id,
                to,
                expected=ended.processed,
                rewrite=partial(masked_pages, self._masks) if self._masks else None,
                report=lambda rows: self._report(rows, ended.processed),
                grown=unwatched if ahead is None else ahead.grown,
            )
        name_columns(to, self._columns)
        if rows:
            from runner.tables.targets.exponents import (  # noqa: PLC0415 - with rows only
                remove_exponents,
            )

            remove_exponents(to, self._columns)
        return rows

    def _report(self, rows: int, total: int) -> None:
        self._context.disk.measure()
        self._context.sink(progress(self._task, rows, total))

    def _record(self, job: JobInfo) -> None:
        if job.state != self._recorded:  # each line of the ledger waits for the disk
            self._recorded = job.state
            part = PartRecord(
                part=len(self.job_ids), state=job.state, rows=job.processed, bulk_job_id=job.id
            )
            self._context.ledger.record_part(self._context.run_id, self._task.name, part)
        note = f"{job.state} {job.id}"
        self._context.sink(events.Progress(self._task.name, job.processed, note=note))


def progress(task: QueryTask, rows: int, total: int) -> events.Progress:
    """So many rows have arrived; the org may not have said how many there are."""
    return events.Progress(task.name, rows, total if total >= rows else None)
