"""Finds Bulk jobs that a resumed run may have made, but that are in no ledger.

They are there when the state folder was replaced by an older copy of itself: what was sent since is
not recorded, and sent again it would be created twice. Other programs of the same user make jobs
like them: the rows that a job was sent tell them apart. Knows jobs and how many rows they have.
Knows nothing of how rows are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Lock

from runner.engine.context import Context
from runner.engine.deadline import Deadline
from runner.engine.task_ledger import Collected, TaskLedger
from runner.errors import OrgError, TransientError
from runner.salesforce.bulk import ingest
from runner.salesforce.bulk.ingest import IngestSpec, ResultSet
from runner.salesforce.bulk.job import JobInfo, JobState
from runner.tables.staging.parts import Part

CLOCKS_DIFFER = timedelta(minutes=1)
"""By how much this machine's clock and the org's may differ when a lost job is looked for."""


class UnknownJobs:
    """The jobs of one write. Threads share them."""

    def __init__(
        self,
        context: Context,
        spec: IngestSpec,
        ledger: TaskLedger,
        deadline: Deadline,
        has_rows_of: Callable[[Part, Collected], bool],
    ) -> None:
        """Look for nothing yet.

        Args:
            context: Of the run.
            spec: What the jobs of the write are created with.
            ledger: Of the task.
            deadline: Until when to wait for the end of a job.
            has_rows_of: Whether the results of a job list any row of a part.
        """
        self._context = context
        self._spec = spec
        self._ledger = ledger
        self._deadline = deadline
        self._has_rows_of = has_rows_of
        self._until = datetime.now(UTC)
        self._found: list[JobInfo] | None = None
        self._lock = Lock()

    def like(self, part: Part) -> list[JobInfo]:
        """Jobs that have as many rows as this part; none where no rows are created.

        Raises:
            OrgError: The org does not say which jobs there are.
        """
        past = self._context.past
        if past is None or self._spec.is_repeatable:
            return []
        with self._lock:
            if self._found is None:
                ahead = self._context.session.clock_offset
                self._found = list(self._search(past.started + ahead, self._until + ahead))
        return [job for job in self._found if _can_hold(job, part)]

    def holding(self, part: Part, jobs: Iterable[JobInfo]) -> JobInfo | None:
        """The one of the jobs that was sent rows of this part, or may have been; None: none was.

        Raises:
            OrgError: That cannot be found out now.
        """
        return next((job for job in jobs if self._may_hold(job, part)), None)

    def _search(self, began: datetime, until: datetime) -> Iterator[JobInfo]:
        """Jobs that were made between two moments of the org's clock."""
        session, user = self._context.session, self._context.user_id
        since = began - CLOCKS_DIFFER
        for job_id in ingest.begun_jobs(session, self._spec, user, since, until):
            if not self._ledger.knows_job(job_id):
                yield ingest.state(session, job_id)

    def _may_hold(self, job: JobInfo, part: Part) -> bool:
        """Whether a job has processed rows of a part, as far as the org can tell."""
        try:
            ended = self._ended(job)
            return _can_hold(ended, part) and self._has_rows_of(part, self._results(ended, part))
        except TransientError:
            raise
        except OrgError:
            return True  # it keeps results for seven days

    def _ended(self, job: JobInfo) -> JobInfo:
        if job.ended:
            return job
        pace = self._deadline.poll_pace(self._context.first_poll_seconds)
        with self._deadline.named_in_errors():
            return ingest.poll(self._context.session, job.id, pace, lambda _job: None)

    def _results(self, job: JobInfo, part: Part) -> Collected:
        files = {
            kind: ingest.download_results(
                self._context.session,
                job.id,
                kind,
                part.file(f"{job.id}.{kind.name.lower()}.csv"),
                expected=ingest.rows_in(kind, job),
            )
            for kind in ResultSet
        }
        return Collected(job, files)


def _can_hold(job: JobInfo, part: Part) -> bool:
    """Whether the number of rows that a job has processed can be those of a part."""
    if not job.ended or job.state != JobState.JOB_COMPLETE:
        return job.processed <= part.rows and (not job.ended or job.processed > 0)
    return job.processed == part.rows
