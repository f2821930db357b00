"""Sends a write's rows through Bulk API 2.0: each part is an ingest job.

Knows parts, how a job's end is recorded, and which rows are worth another job. Knows nothing of
how the org is talked to or how results find their rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from runner.engine.context import PARTS
from runner.engine.part_lifecycle import (
    PartContext,
    PartLifecycle,
    collected_in,
    has_open_job,
    part_of,
)
from runner.engine.sending import PreparedWrite, Progress, SendingLoop
from runner.engine.task_ledger import Collected
from runner.engine.unknown_jobs import UnknownJobs
from runner.errors import (
    AbortedError,
    OrgError,
    RunnerError,
    StateError,
    TransientError,
    UnexpectedAnswerError,
    UsageError,
)
from runner.job.model import RetryPolicy
from runner.lanes import idle
from runner.salesforce.bulk import ingest
from runner.salesforce.bulk.ingest import IngestSpec, ResultSet, operation_of
from runner.salesforce.bulk.job import JobInfo, failure_of
from runner.salesforce.http.retry_table import temporary_refusals
from runner.tables.results.bulk_results import PartResults, ResultFiles
from runner.tables.staging.parts import Part
from runner.tables.staging.retry_part import TemporaryRefusal, write_retry_part

MOST_JOBS = 4
"""Ingest jobs in flight at once."""
PART_BYTES = 32_000_000
"""Some 300,000 rows: small enough that a large load keeps several jobs busy."""
_HOPELESS = frozenset({"InvalidBatch", "ClientInputError", "InvalidEntity", "FeatureNotEnabled"})
"""Failures of a job that another job with the same rows would meet too."""
_RESULT_SETS = (ResultSet.SUCCEEDED, ResultSet.FAILED, ResultSet.UNPROCESSED)


class FinishedPart(Struct, frozen=True):
    """A part whose ingest job has ended."""

    job: JobInfo
    failure: OrgError | None
    results: PartResults | None
    """None when the job processed no rows."""

    @property
    def fits(self) -> bool:
        """Whether its result sets contain exactly the rows that were sent."""
        return self.results is None or self.results.fits

    def discard(self) -> None:
        """Forget its results."""
        if self.results is not None:
            self.results.discard()


class BulkWrite:
    """One write through Bulk API 2.0.

    Attributes:
        job_ids: Every ingest job made, in order.
        has_open_rows: Whether the org may still know what became of rows that are in doubt here.
    """

    def __init__(self, write: PreparedWrite) -> None:
        self._write = write
        task = write.task
        rule = task.options.assignment_rule
        spec = IngestSpec(
            sobject=task.sobject,
            operation=operation_of(task.verb, hard=task.hard),
            key=write.plan.key,
            assignment_rule_id=rule if isinstance(rule, str) else None,
        )
        self._loop: SendingLoop[Part, FinishedPart] = SendingLoop(self, write, MOST_JOBS)
        self._shared = PartContext(
            write.context,
            write.ledger,
            spec,
            self._loop.deadline,
            self._report,
            UnknownJobs(write.context, spec, write.ledger, self._loop.deadline, self._has_rows_of),
        )
        self._lifecycles: dict[tuple[int, int], PartLifecycle] = {}
        self._progress = Progress(write)
        self.job_ids = write.ledger.inherited_job_ids
        self.has_open_rows = False
        self.unknown = 0

    @property
    def is_complete(self) -> bool:
        """As for `LevelSender`."""
        return self._loop.is_complete

    def run(self) -> RunnerError | None:
        """Send every row; returns what ended it early.

        Rows that have no result afterwards were not processed.
        """
        write = self._write
        if not write.allows(write.failed_unsent) and not write.ledger.inherited_parts:
            return None  # as over REST: what is sent would not save the task
        stopped_by = self._loop.run(self._parts())
        if stopped_by is not None:
            self.leave(stopped_by)
        return stopped_by

    def _parts(self) -> Iterator[Part]:
        """Every part; those whose job an earlier process left under way come first.

        Whatever stops the others, those jobs are asked for their results.
        """
        staging, waiting = self._write.staging, []
        folder = staging.folder.parent / PARTS
        last = {line.part: line for line in self._write.ledger.inherited_parts}
        under_way = {at for at, line in last.items() if has_open_job(line)}
        after = self._write.first_part
        parts = staging.parts(folder, min(PART_BYTES, ingest.MOST_BYTES), after=after)
        for part in islice(parts, max(under_way, default=after) - after):
            if part.index in under_way:
                yield part
                continue
            waiting.append(part)
        yield from waiting
        yield from parts

    def leave(self, stopped_by: RunnerError) -> None:
        """Account for parts that an earlier process sent and this one did not come to."""
        write, folder = self._write, self._write.staging.folder.parent / PARTS
        columns = tuple(mapping.column.field for mapping in write.staging.mappings)
        has_other_rows = isinstance(stopped_by, UsageError)
        for line in write.ledger.inherited_parts:
            if (line.part, line.attempt) in self._lifecycles:
                continue
            part = part_of(line, columns, folder)
            if line.attempt:
                write.results.clear_retryable(part, _temporary_refusals(write.task.retry))
            found = None if has_other_rows else collected_in(line, folder)
            if found is not None and (results := self._matched(part, found)) is not None:
                try:
                    write.results.add_part(results)
                except UnexpectedAnswerError:  # in doubt until a resume downloads them again
                    self.has_open_rows = True
            elif found is None and line.bulk_job_id is not None:
                self._put_in_doubt(part, stopped_by)
                self.has_open_rows = True

    def _put_in_doubt(self, part: Part, error: RunnerError) -> None:
        results = self._write.results
        if isinstance(error, AbortedError):
            results.add_under_way(part)
        else:
            results.add_in_doubt(part)

    def send(self, part: Part) -> FinishedPart:
        """Run a part's ingest job to its end and match its results to rows."""
        with idle():
            self._write.save_before_images(part.first_row, part.last_row)
        lifecycle = PartLifecycle(part, self._shared)
        self._lifecycles[part.index, part.attempt] = lifecycle
        found = lifecycle.run()
        self._write.context.disk.measure()
        finished: FinishedPart | None = None
        with suppress(StateError):
            finished = self._finished(part, found)
        if finished is not None and finished.fits:
            return finished
        # They may have been changed on their way, or on this disk: the org still has them.
        again = lifecycle.collect_again()
        if again is None:
            return finished or self._finished(part, found)
        if finished is not None:
            finished.discard()
        return self._finished(part, again)

    def _finished(self, part: Part, found: Collected) -> FinishedPart:
        return FinishedPart(found.info, failure_of(found.info), self._matched(part, found))

    def _matched(self, part: Part, found: Collected) -> PartResults | None:
        """Match a part's results to its rows; None if its job failed before it processed any."""
        if failure_of(found.info) and found.is_empty:
            return None
        files = ResultFiles(*(found.files[kind] for kind in _RESULT_SETS))
        return self._write.results.match(part, files, found.info.id)

    def _has_rows_of(self, part: Part, found: Collected) -> bool:
        """Whether the results of a job list any row of a part; the files are deleted."""
        try:
            matched = self._matched(part, found)
            if matched is None:
                return False
            matched.discard()
            return matched.missing < part.rows
        finally:
            for file in filter(None, found.files.values()):
                file.unlink(missing_ok=True)

    def receive(self, part: Part, answer: FinishedPart) -> None:
        """Record a part's results, and send what is left of it again where that may help."""
        if answer.results is not None:
            try:
                self._write.results.add_part(answer.results)
            except UnexpectedAnswerError as error:
                self._loop.stop(error)
        if self._loop.stopped_by is None:
            self._continue(part, answer)

    def unanswered(self, part: Part, error: RunnerError) -> None:
        """Mark the rows of a part as in doubt if its job may have processed them."""
        lifecycle = self._lifecycles.get((part.index, part.attempt))
        if lifecycle is not None and lifecycle.may_have_run:
            self._put_in_doubt(part, error)
            self.has_open_rows |= not lifecycle.is_lost

    def _continue(self, part: Part, answer: FinishedPart) -> None:
        failure, retry = answer.failure, self._write.task.retry
        is_last = part.attempt + 1 >= retry.attempts
        if failure is not None and (
            is_last or isinstance(failure, TransientError) or failure.code in _HOPELESS
        ):
            self._loop.stop(failure)
        elif (failure is None and not answer.job.failed) or is_last:
            return
        elif answer.results is None:  # of a job that lists no row, all are left
            self._loop.send_again(replace(part, attempt=part.attempt + 1))
        elif self._write.results.clear_retryable(part, _temporary_refusals(retry)):
            self._loop.send_again(write_retry_part(self._write.staging, part))

    def _report(self, part: Part, job: JobInfo) -> None:
        if job.id not in self.job_ids:
            self.job_ids.append(job.id)
        self._progress.add_job(part, job)


def _temporary_refusals(policy: RetryPolicy) -> tuple[TemporaryRefusal, ...]:
    """Row refusals worth another try: those of the retry table and those the job adds."""
    known = (
        TemporaryRefusal(
            tuple(code for code in rule.codes if code not in policy.ignore), rule.texts
        )
        for rule in temporary_refusals()
    )
    return tuple(each for each in (*known, TemporaryRefusal(policy.add)) if each.codes)
