"""Sends a write's rows through Bulk API 2.0: a part a job, its results taken in when it has ended.

Knows parts, what is left of them, and when to stop. Knows nothing of how a job is talked to or
how results find their rows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from threading import Lock

from runner import events
from runner.engine.before_images import BeforeImages
from runner.engine.columns import ColumnPlan
from runner.engine.context import PARTS, Context, Deadline
from runner.engine.part_lifecycle import PartContext, PartLifecycle
from runner.engine.task_ledger import TaskLedger
from runner.errors import (
    AbortedError,
    ExitCode,
    OrgError,
    RunnerError,
    TransientError,
    UnexpectedAnswerError,
)
from runner.events import Sink
from runner.job.model import Concurrency, RetryPolicy, WriteTask
from runner.parallel import WorkerPool
from runner.salesforce.bulk import ingest
from runner.salesforce.bulk.ingest import IngestSpec, ResultSet, operation_of
from runner.salesforce.bulk.job import JobInfo, JobState, failure_of
from runner.salesforce.http.retry_table import temporary_refusals
from runner.tables.results.bulk_results import PartResults, ResultFiles
from runner.tables.results.row_results import RowResults
from runner.tables.staging.parts import Part
from runner.tables.staging.retry_part import TemporaryRefusal, clear_retryable, write_retry_part
from runner.tables.staging.rows import StagedRows

LANES = 4
PART_BYTES = 32_000_000
"""So that the lanes have work at the size of load where it matters; some 300,000 rows."""
_HOPELESS = frozenset({"InvalidBatch", "ClientInputError", "InvalidEntity", "FeatureNotEnabled"})
"""What a job fails with that a further job with the same rows would fail with too."""


_IN_ORDER = (ResultSet.SUCCEEDED, ResultSet.FAILED, ResultSet.UNPROCESSED)


@dataclass(frozen=True, slots=True)
class Carried:
    """How a part ended."""

    info: JobInfo
    failure: OrgError | None
    match: PartResults | None
    """None where the job carried nothing out."""


class BulkWrite:
    """One write through Bulk API 2.0.

    Attributes:
        job_ids: Of every job made, in the order they were made.
        left_open: Whether the org may still know what became of rows that are in doubt here.
    """

    def __init__(
        self,
        task: WriteTask,
        context: Context,
        plan: ColumnPlan,
        ledger: TaskLedger,
        before_images: BeforeImages,
    ) -> None:
        self._before_images = before_images
        self._task = task
        self._context = context
        self._deadline: Deadline = context.deadline(task)
        rule = task.options.assignment_rule
        spec = IngestSpec(
            sobject=task.sobject,
            operation=operation_of(task.verb, hard=task.hard),
            key=plan.key,
            assignment_rule_id=rule if isinstance(rule, str) else None,
        )
        self._shared = PartContext(context, ledger, spec, self._deadline, self._told)
        self._passing = _passing(task.retry)
        self._again: deque[Part] = deque()
        self._lifecycles: dict[tuple[int, int], PartLifecycle] = {}
        self._progress = _Progress(task.name, context.sink)
        self._stopped_by: RunnerError | None = None
        self.job_ids = ledger.inherited_job_ids
        self.left_open = False

    def send(self, staging: StagedRows, results: RowResults) -> None:
        """Send every row that is to be sent; each result is in `results` when this ends.

        Raises:
            RunnerError: what ended it early; rows without a result were not carried out.
        """
        most = min(PART_BYTES, ingest.MOST_BYTES)
        parts = staging.parts(staging.folder.parent / PARTS, max_bytes=most)
        self._progress.begin(staging.rows_total, staging.rejected_total)
        width = 1 if self._task.concurrency is Concurrency.SERIAL else LANES
        with WorkerPool(partial(self._carry, results), width) as pool:
            try:
                for part, end in pool.run(_Queue(self, parts)):
                    self._take(part, end, staging, results)
            except AbortedError:
                for part, late in pool.drain():
                    self._take(part, late, staging, results)
                raise
        if self._stopped_by is not None:
            raise self._stopped_by

    def next_part(self, fresh: Iterator[Part]) -> Part | None:
        """What is left of an earlier part, else the next one; None where nothing is to be begun."""
        if self._deadline.passed:
            self._stop(self._deadline.error())
        if self._stopped_by is not None:
            return None
        return self._again.popleft() if self._again else next(fresh, None)

    def _carry(self, results: RowResults, part: Part) -> Carried:
        """Bring a part to its results and find their rows, in a lane of its own."""
        self._before_images.keep(part.first_row, part.last_row)
        lifecycle = PartLifecycle(part, self._shared)
        self._lifecycles[part.index, part.attempt] = lifecycle
        found = lifecycle.run()
        self._context.disk.look()
        failure = failure_of(found.info)
        if failure and found.is_empty:
            return Carried(found.info, failure, None)
        files = (found.files[kind] for kind in _IN_ORDER)
        return Carried(found.info, failure, results.match(part, ResultFiles(*files)))

    def _told(self, part: Part, job: JobInfo) -> None:
        if job.id not in self.job_ids:
            self.job_ids.append(job.id)
        self._progress.tell(part, job)

    def _take(
        self, part: Part, end: Future[Carried] | None, staging: StagedRows, results: RowResults
    ) -> None:
        """Take in what became of a part."""
        error = end.exception() if end else AbortedError(ExitCode.INTERRUPTED)
        if end is None or error is not None:
            self._take_nothing(part, error, results)
            return
        carried = end.result()
        if carried.match is not None:
            self._take_in(carried.match, results)
            part.file.unlink(missing_ok=True)  # a resume would write the same again
        if self._stopped_by is None:
            self._go_on(part, carried, staging)

    def _take_nothing(self, part: Part, error: BaseException | None, results: RowResults) -> None:
        if not isinstance(error, RunnerError):
            raise error or AssertionError
        self._stop(error)
        lifecycle = self._lifecycles.get((part.index, part.attempt))
        if lifecycle is not None and lifecycle.may_have_run:
            results.add_in_doubt(part)
            self.left_open |= not lifecycle.is_lost

    def _take_in(self, match: PartResults, results: RowResults) -> None:
        try:
            results.add_part(match)
        except UnexpectedAnswerError as error:
            self._stop(error)

    def _go_on(self, part: Part, carried: Carried, staging: StagedRows) -> None:
        """Send what is left of a part once more, where that may help."""
        failure = carried.failure
        if isinstance(failure, TransientError):
            self._stop(failure)
            return
        last = part.attempt + 1 >= self._task.retry.attempts
        if last or (failure is not None and failure.code in _HOPELESS):
            self._stop(failure)
            return
        if failure is None and not carried.info.failed:
            return
        if clear_retryable(staging, part, self._passing):
            self._again.append(write_retry_part(staging, part))

    def _stop(self, error: RunnerError | None) -> None:
        self._stopped_by = self._stopped_by or error


class _Queue:
    """Parts as lanes fall free; it may be empty for a while, until a part comes back."""

    def __init__(self, write: BulkWrite, fresh: Iterator[Part]) -> None:
        self._write = write
        self._fresh = fresh

    def __iter__(self) -> _Queue:
        return self

    def __next__(self) -> Part:
        part = self._write.next_part(self._fresh)
        if part is None:
            raise StopIteration
        return part


def _passing(policy: RetryPolicy) -> tuple[TemporaryRefusal, ...]:
    """Refusals of rows that may pass: those of the table, and what the job says of its own."""
    known = (
        TemporaryRefusal(
            tuple(code for code in rule.codes if code not in policy.ignore), rule.texts
        )
        for rule in temporary_refusals()
    )
    return tuple(each for each in (*known, TemporaryRefusal(policy.add)) if each.codes)


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

    def tell(self, part: Part, job: JobInfo) -> None:
        with self._lock:
            if part.attempt == 0:
                self._done[part.index] = job.processed
            if job.state == JobState.JOB_COMPLETE:
                self._ended.add(part.index)
            done = self._rejected + sum(self._done.values())
            ended = len(self._ended)
        self._sink(
            events.Progress(
                self._task, done, self._total, parts_done=ended, note=f"{job.state} {job.id}"
            )
        )
