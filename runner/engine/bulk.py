"""Sends a write's rows through Bulk API 2.0: a part a job, its results taken in when it has ended.

Knows parts, ingest jobs and what the ledger must know of them. Knows nothing of how a job is
talked to or how results find their rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from runner import events
from runner.engine.columns import ColumnPlan
from runner.engine.context import Context, Deadline
from runner.engine.lanes import Lanes
from runner.engine.pace import job_pace
from runner.errors import AbortedError, ExitCode, RunnerError
from runner.events import Sink
from runner.job.model import Concurrency, WriteTask
from runner.salesforce import ingest
from runner.salesforce.bulk_job import JobInfo, failure_of
from runner.salesforce.ingest import IngestSpec, ResultSet, operation_of
from runner.state.run_records import PartRecord
from runner.tables.parts import Part
from runner.tables.results import Results
from runner.tables.staging import Staging

LANES = 4


@dataclass(frozen=True, slots=True)
class PartEnd:
    """An ended job and the files it left."""

    info: JobInfo
    files: dict[ResultSet, Path | None]


class BulkWrite:
    """One write through Bulk API 2.0."""

    def __init__(
        self, task: WriteTask, context: Context, plan: ColumnPlan, deadline: Deadline
    ) -> None:
        self._task = task
        self._context = context
        self._deadline = deadline
        rule = task.options.assignment_rule
        self._spec = IngestSpec(
            sobject=task.sobject,
            operation=operation_of(task.verb, hard=task.hard),
            key=plan.key,
            assignment_rule_id=rule if isinstance(rule, str) else None,
        )
        self.job_ids: list[str] = []
        """Of every job made, in the order they were made."""
        self._closed: set[int] = set()
        """Parts whose job was handed over whole: it may begin at any time."""
        self._noted: dict[int, tuple[str, str]] = {}
        self._progress = _Progress(task.name, context.sink)
        self._stopped_by: RunnerError | None = None

    def send(self, staging: Staging, results: Results) -> None:
        """Send every row that is to be sent; each result is in `results` when this ends.

        Raises:
            RunnerError: what ended it early; rows without a result were not carried out.
        """
        parts = staging.parts(staging.folder / "parts", max_bytes=ingest.MOST_BYTES)
        self._progress.begin(staging.rows_total, staging.rejected_total)
        width = 1 if self._task.concurrency is Concurrency.SERIAL else LANES
        with Lanes(self._carry, width) as lanes:
            try:
                for part, end in lanes.run(self._until_stopped(parts)):
                    self._take(part, end, results)
            except AbortedError:
                for part, late in lanes.settled():
                    self._take(part, late, results)
                raise
        if self._stopped_by is not None:
            raise self._stopped_by

    def _until_stopped(self, parts: Iterator[Part]) -> Iterator[Part]:
        for part in parts:
            if self._deadline.passed:
                self._stopped_by = self._deadline.error()
            if self._stopped_by is not None:
                return
            yield part

    def _carry(self, part: Part) -> PartEnd:
        """One part, in a lane of its own: deliver, wait, fetch what the job left."""
        session = self._context.session
        made: list[JobInfo] = []

        def created(job: JobInfo) -> None:
            made.append(job)
            self.job_ids.append(job.id)
            self._note(part, job)

        closed = ingest.deliver(session, self._spec, part.file, created)
        self._closed.add(part.index)
        self._note(part, closed)
        ended = ingest.poll(
            session,
            closed.id,
            job_pace(self._context, self._deadline),
            lambda job: self._note(part, job),
        )
        files = {
            kind: ingest.download_results(
                session, ended.id, kind, part.file.with_suffix(f".{kind.name.lower()}.csv")
            )
            for kind in ResultSet
        }
        return PartEnd(ended, files)

    def _note(self, part: Part, job: JobInfo) -> None:
        """Tell how a part's job stands; write it down when its state is new."""
        self._progress.tell(part.index, job)
        if self._noted.get(part.index) == (job.id, job.state):
            return  # each line of the ledger waits for the disk
        self._noted[part.index] = (job.id, job.state)
        self._context.ledger.record_part(
            self._context.run_id,
            self._task.name,
            PartRecord(
                part=part.index,
                state=job.state,
                rows=part.rows,
                bytes=part.bytes,
                sha256=part.sha256,
                file=part.file,
                bulk_job_id=job.id,
            ),
        )

    def _take(self, part: Part, end: Future[PartEnd] | None, results: Results) -> None:
        """Take in what became of a part."""
        error = end.exception() if end else AbortedError(ExitCode.INTERRUPTED)
        if end is None or error is not None:
            if not isinstance(error, RunnerError):
                raise error or AssertionError
            self._stopped_by = self._stopped_by or error
            if part.index in self._closed:
                results.add_in_doubt(part)
            return
        ended = end.result()
        results.add_part(
            part,
            succeeded=ended.files[ResultSet.SUCCEEDED],
            failed=ended.files[ResultSet.FAILED],
            unprocessed=ended.files[ResultSet.UNPROCESSED],
        )
        self._stopped_by = self._stopped_by or failure_of(ended.info)


class _Progress:
    """How far all parts are together."""

    def __init__(self, task: str, sink: Sink) -> None:
        self._task = task
        self._sink = sink
        self._lock = Lock()
        self._done: dict[int, int] = {}
        self._ended: set[int] = set()
        self._total = self._rejected = 0

    def begin(self, total: int, rejected: int) -> None:
        self._total, self._rejected = total, rejected

    def tell(self, part: int, job: JobInfo) -> None:
        with self._lock:
            self._done[part] = job.processed
            if job.ended:
                self._ended.add(part)
            done = self._rejected + sum(self._done.values())
            ended = len(self._ended)
        self._sink(
            events.Progress(
                self._task, done, self._total, parts_done=ended, note=f"{job.state} {job.id}"
            )
        )
