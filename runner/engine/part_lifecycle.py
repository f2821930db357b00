"""The life of one part of a Bulk write, from whatever state it is in to its results.

Asks `next_step` what to do, does it, and records it before anything relies on it. Knows the calls
of an ingest job's life. Knows nothing of other parts, or of how results find their rows.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from threading import Lock

from msgspec import Struct, field
from msgspec.structs import replace

from runner.engine.context import Context
from runner.engine.deadline import Deadline
from runner.engine.next_step import COLLECTED, GONE, INTENDED, PartStatus, Step, next_step
from runner.engine.task_ledger import Collected, TaskLedger
from runner.engine.unknown_jobs import CLOCKS_DIFFER, UnknownJobs
from runner.errors import OrgError, StateError, TransientError, TransportError, UsageError
from runner.lanes import idle
from runner.salesforce.bulk import ingest
from runner.salesforce.bulk.ingest import IngestSpec, ResultSet
from runner.salesforce.bulk.job import JobInfo, JobState
from runner.salesforce.http.retry_table import Action, Decision, Wait
from runner.state.run_records import PartRecord
from runner.tables.staging.parts import Part

_NEW_JOB = Decision(
    Action.RETRY, Wait.BACKOFF, "the upload broke off; sending the part in a new job"
)
_CLOSED = frozenset({JobState.UPLOAD_COMPLETE, JobState.IN_PROGRESS, COLLECTED})
"""In the ledger: the job has got all of its part's rows."""
_MORE = Decision(Action.RETRY, Wait.BACKOFF, "sending again the rows that an ingest job left")


def has_open_job(line: PartRecord) -> bool:
    """Whether a part has a job whose results were not collected, as far as is recorded."""
    return line.bulk_job_id is not None and line.state != COLLECTED


def collected_in(line: PartRecord | None, folder: Path) -> Collected | None:
    """A part's results, if they are recorded as collected and their files are there."""
    if line is None or line.state != COLLECTED:
        return None
    return Collected.read(line.results or "{}", folder)


def part_of(line: PartRecord, columns: tuple[str, ...], folder: Path) -> Part:
    """A part as it was recorded, without its rows."""
    return Part(
        index=line.part,
        folder=folder,
        rows=line.rows or 0,
        sha256=line.sha256 or "",
        columns=columns,
        first_row=line.first_row or 0,
        last_row=line.last_row or 0,
        attempt=line.attempt,
    )


class LostJobError(OrgError):
    """The org no longer knows the job, which may have processed its rows."""


class PartContext(Struct, frozen=True):
    """What all parts of a write share."""

    context: Context
    ledger: TaskLedger
    spec: IngestSpec
    deadline: Deadline
    report: Callable[[Part, JobInfo], None]
    """Called with a part's job whenever the org returns its state."""
    unknown_jobs: UnknownJobs
    making: Lock = field(default_factory=Lock)
    """Held until a new job is in the ledger, so that no sweep aborts it as a stray."""


class PartLifecycle:
    """The lifecycle of one part; `run` in a worker thread."""

    def __init__(self, part: Part, shared: PartContext) -> None:
        self._part = part
        self._shared = shared
        self._session = shared.context.session
        self._tries = 1
        self._info = JobInfo("", JobState.OPEN)
        known = shared.ledger.inherited(part.index, part.attempt)
        self._may_be_closed = known is not None and known.state in _CLOSED
        self._line = self._checked(known) if known else self._first_line()
        self._status = self._as_recorded(inherited=known is not None)

    @property
    def may_have_run(self) -> bool:
        """Whether the org may have begun with the rows, as far as is known."""
        status = self._status
        is_open = status.org_state == JobState.OPEN and not self._may_be_closed
        return status.has_job and not status.made_here and not is_open

    @property
    def is_lost(self) -> bool:
        """Whether the org no longer knows the job, so that asking again is no use."""
        return self._status.org_state == GONE

    def run(self) -> Collected:
        """Do what is left to do, and return the results.

        Raises:
            OrgError: The org refused, or could not be reached often enough.
            LostJobError: What became of its rows can no longer be found out.
            UsageError: The part no longer holds the rows recorded in the ledger.
        """
        if not self._status.inherited:
            self._record(self._line)
        while True:
            step = next_step(self._status)
            if step is Step.ACCOUNT:
                found = collected_in(self._line, self._part.folder)
                if found is not None:
                    return found
                self._status = replace(self._status, recorded=str(JobState.JOB_COMPLETE))
            elif step is Step.COLLECT:
                found = self._download()
                if not self._was_never_sent(found):
                    return self._collected(found)
                self._forget()
            else:
                _STEPS[step](self)

    def _checked(self, known: PartRecord) -> PartRecord:
        """Check that the part still holds the rows recorded in the ledger."""
        part = self._part
        if known.sha256 != part.sha256:
            raise UsageError(
                f"Part {part.index} no longer holds the rows recorded in the ledger.",
                hint="The source or the job's expressions give different values than before. "
                f"Abandon the run: `runner resume {self._shared.ledger.run_id} --abandon`.",
            )
        return known

    def _first_line(self) -> PartRecord:
        """The part's line in the ledger before anything is sent."""
        part = self._part
        return PartRecord(
            part=part.index,
            attempt=part.attempt,
            state=INTENDED,
            first_row=part.first_row,
            last_row=part.last_row,
            rows=part.rows,
            bytes=part.content.length,
            sha256=part.sha256,
            began=datetime.now(UTC),
        )

    def _as_recorded(self, *, inherited: bool) -> PartStatus:
        return PartStatus(
            recorded=self._line.state,
            has_job=self._line.bulk_job_id is not None,
            inherited=inherited,
            repeatable=self._shared.spec.is_repeatable,
        )

    def _record(self, line: PartRecord) -> None:
        self._shared.ledger.record(line)
        self._line = line

    def _learn(self, info: JobInfo) -> None:
        """Record the job's state where it is new."""
        self._info = info
        self._shared.report(self._part, info)
        if (info.id, info.state) != (self._line.bulk_job_id, self._line.state):
            self._record(replace(self._line, state=str(info.state), bulk_job_id=info.id))
        self._status = replace(
            self._status, recorded=self._line.state, org_state=info.state, inherited=False
        )

    def _sweep(self) -> None:
        """Look for the job that an earlier process may have made for this part."""
        with self._shared.making:
            self._abort_strays(self._line.began or datetime.now(UTC))
        self._status = replace(self._status, inherited=False)

    def _abort_strays(self, began: datetime) -> None:
        shared = self._shared
        patience = timedelta(seconds=self._session.retrier.policy.total_seconds)
        there = began + self._session.clock_offset
        since, until = there - CLOCKS_DIFFER, there + patience + CLOCKS_DIFFER
        user = shared.context.user_id
        for job_id in ingest.open_jobs(self._session, shared.spec, user, since, until):
            if not shared.ledger.knows_job(job_id):
                with suppress(OrgError):  # an open job processes nothing
                    ingest.abort(self._session, job_id)

    def _create(self) -> None:
        unknown = self._unknown_job()
        if unknown is not None:
            self._status = replace(self._status, has_job=True, org_state=GONE)
            raise LostJobError(
                f"Bulk job {unknown.id} in the org may have been sent the rows of part "
                f"{self._part.index}, but the ledger does not know it: was the state folder "
                "replaced by an older copy?",
                hint="Compare the job's results in the org with in_doubt.csv before sending its "
                "rows again.",
            )
        if self._part.attempt and self._tries == 1:
            self._session.retrier.pause(self._part.attempt, _MORE)
        with self._shared.making:
            asked = datetime.now(UTC)
            created = ingest.create_job(self._session, self._shared.spec)
            self._status = replace(self._status, has_job=True, made_here=True)
            self._learn(created.info)
            if created.may_have_twin:
                self._abort_strays(asked)

    def _unknown_job(self) -> JobInfo | None:
        """A job in the org that has rows of this part, though the ledger does not know it."""
        jobs = self._shared.unknown_jobs.like(self._part)
        if not jobs:
            return None
        before, self._status = self._status, replace(self._status, has_job=True)  # if that fails
        found = self._shared.unknown_jobs.holding(self._part, jobs)
        self._status = before
        return found

    def _upload(self) -> None:
        try:
            with idle():  # a job that is not closed processes nothing
                ingest.upload(self._session, self._info.id, self._part.content)
        except TransportError:
            if self._tries >= self._session.retrier.policy.attempts:
                raise
            with idle():
                self._session.retrier.pause(self._tries, _NEW_JOB)
            self._forget()
            return
        except StateError:  # the rows cannot be read, and an open job processes nothing
            with suppress(OrgError):
                ingest.abort(self._session, self._info.id)
                self._forget()
            raise
        self._status = replace(self._status, made_here=False)
        self._may_be_closed = True
        try:
            self._learn(ingest.close(self._session, self._info.id))
        except OrgError:
            with suppress(OrgError):
                self._ask()
                if self._status.org_state == JobState.OPEN:  # nor will it process anything now
                    ingest.abort(self._session, self._info.id)
                    self._forget()
            raise

    def _ask(self) -> None:
        job_id = self._line.bulk_job_id or ""
        try:
            with idle():
                info = ingest.state(self._session, job_id)
            self._learn(info)
        except TransientError:
            raise
        except OrgError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            self._info = replace(self._info, id=job_id)
            self._status = replace(self._status, org_state=GONE, inherited=False)

    def _abort(self) -> None:
        try:
            ingest.abort(self._session, self._info.id)
        except OrgError:
            self._ask()
            if self._status.org_state == JobState.OPEN:
                raise
            return
        self._forget()

    def _forget(self) -> None:
        """Start over without a job: the one there was has processed nothing."""
        self._tries += 1
        self._may_be_closed = False
        self._record(replace(self._line, state=INTENDED, bulk_job_id=None))
        self._status = self._as_recorded(inherited=False)

    def _wait(self) -> None:
        deadline = self._shared.deadline
        pace = deadline.poll_pace(self._shared.context.first_poll_seconds)
        with deadline.named_in_errors():
            ingest.poll(self._session, self._info.id, pace, self._learn)

    def collect_again(self) -> Collected | None:
        """Download the result sets once more; None if the org no longer has them.

        Raises:
            OrgError: The org could not be reached often enough, or sends damaged results.
        """
        self._ask()
        if self.is_lost or not self._info.ended:
            return None
        try:
            return self._collected(self._download())
        except TransientError:
            raise
        except OrgError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None

    def _download(self) -> Collected:
        with idle():
            files = {
                kind: ingest.download_results(
                    self._session,
                    self._info.id,
                    kind,
                    self._part.file(f"{kind.name.lower()}.csv"),
                    expected=ingest.rows_in(kind, self._info),
                )
                for kind in ResultSet
            }
        return Collected(self._info, files)

    def _was_never_sent(self, found: Collected) -> bool:
        """Whether an open job of an earlier process was aborted, and that is not recorded."""
        return found.info.state == JobState.ABORTED and found.is_empty and not self._may_be_closed

    def _collected(self, found: Collected) -> Collected:
        self._record(replace(self._line, state=COLLECTED, results=found.text()))
        self._status = replace(self._status, recorded=COLLECTED)
        return found

    def _doubt(self) -> None:
        raise LostJobError(
            f"The org no longer knows Bulk job {self._info.id}: it keeps jobs for seven days.",
            hint="The rows of in_doubt.csv may safely be sent again."
            if self._status.repeatable
            else "Look for the rows of in_doubt.csv in the org before sending them again.",
        )


_STEPS: dict[Step, Callable[[PartLifecycle], None]] = {
    Step.SWEEP: PartLifecycle._sweep,  # noqa: SLF001 - the class's own steps, by name
    Step.CREATE: PartLifecycle._create,  # noqa: SLF001
    Step.UPLOAD: PartLifecycle._upload,  # noqa: SLF001
    Step.ASK: PartLifecycle._ask,  # noqa: SLF001
    Step.ABORT: PartLifecycle._abort,  # noqa: SLF001
    Step.WAIT: PartLifecycle._wait,  # noqa: SLF001
    Step.RESTART: PartLifecycle._forget,  # noqa: SLF001
    Step.DOUBT: PartLifecycle._doubt,  # noqa: SLF001
}
