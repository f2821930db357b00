"""Carries Bulk jobs out, each in a thread of its own, and moves them through their states.

A job stays in each state for `settings.bulk_pace_seconds` at the least; with 0 it is as fast as it
can be, and still asynchronous. Jobs that were under way when a server stopped go on with the next.

Knows states and threads. Knows no HTTP.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic

from runner.local_org.bulk.failure import JobFailure
from runner.local_org.bulk.ingest import run_ingest
from runner.local_org.bulk.jobs import UNDER_WAY, Job, JobKind, Jobs, JobState
from runner.local_org.bulk.queries import run_query
from runner.local_org.bulk1.jobs import Batch, BatchState, ClassicJobs
from runner.local_org.bulk1.worker import work_on
from runner.local_org.fault_injection.active import InForce, Troubles
from runner.local_org.fault_injection.rule import Kind
from runner.local_org.faults import ApiFault
from runner.local_org.org import Org


class AbortedError(Exception):
    """The job is to end as Aborted, by a fault on demand."""


_AT_ONCE = 4
_STOP_SECONDS = 10.0
_RUNS = {JobKind.INGEST: run_ingest, JobKind.QUERY: run_query}
_log = logging.getLogger(__name__)


class BulkWorker:
    """The threads that work on an org's jobs."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._jobs = org.part(Jobs)
        self._stopping = threading.Event()
        self._turns = threading.Semaphore(_AT_ONCE)
        self._threads: set[threading.Thread] = set()

    def resume(self) -> None:
        """Go on with what an earlier server left."""
        for batch in self._org.part(ClassicJobs).unfinished():
            self.begin_batch(batch)
        for job in self._jobs.unfinished():
            self.begin(job)

    def begin(self, job: Job) -> None:
        """Work on a job that is UploadComplete or InProgress."""
        self._spawn(job.id, lambda: self._work(job))

    def begin_batch(self, batch: Batch) -> None:
        """Work on a batch of Bulk API 1.0."""
        self._spawn(batch.id, lambda: self._work_on_batch(batch))

    def stop(self) -> None:
        """End all work after the chunks that are under way; jobs stay where they are."""
        self._stopping.set()
        for thread in list(self._threads):
            thread.join(_STOP_SECONDS)

    def _spawn(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._threaded, args=(work,), name=name, daemon=True)
        self._threads.add(thread)
        thread.start()

    def _threaded(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self._org.store.release()
            self._threads.discard(threading.current_thread())

    def _work_on_batch(self, batch: Batch) -> None:
        if self._stopping.wait(self._org.settings.bulk_pace_seconds):
            return
        try:
            with self._turns:
                work_on(self._org, batch)
        except Exception:  # noqa: BLE001 - a defect ends the batch, not the server
            _log.exception("batch %s", batch.id)
            self._org.part(ClassicJobs).change(
                batch, state=BatchState.FAILED, message="UnknownException"
            )

    def _work(self, job: Job) -> None:
        try:
            self._carry_out(job)
        except Exception:  # noqa: BLE001 - a defect ends the job, not the server
            _log.exception("job %s", job.id)
            self._end(job, JobState.FAILED, "UnknownException : an unexpected error occurred")

    def _carry_out(self, job: Job) -> None:
        pace = self._org.settings.bulk_pace_seconds
        if self._stopping.wait(pace):
            return
        started = self._jobs.move(job.id, JobState.IN_PROGRESS, out_of=UNDER_WAY)
        if started is None:
            return
        begun = monotonic()
        fate = self._org.part(Troubles).of_job(job.object, job.operation)
        try:
            done = self._run(started, fate)
        except AbortedError:
            self._end(job, JobState.ABORTED)
            return
        except JobFailure as failure:
            self._rest(begun, pace)
            self._end(job, JobState.FAILED, str(failure))
            return
        except ApiFault as fault:
            self._end(job, JobState.FAILED, f"{fault.errors[0].code} : {fault.errors[0].message}")
            return
        if done is not None and not self._rest(begun, pace):
            self._end(job, JobState.JOB_COMPLETE)

    def _run(self, job: Job, fate: InForce | None) -> Job | None:
        """Work on a job until it is done or told to stop; a stalled one goes on when it may."""
        run = _RUNS[job.kind]
        with self._turns:
            done = run(self._org, job, lambda now: not _strikes(fate, now) and self._goes(now))
        if done is not None or fate is None or not self._goes(job):
            return done
        self._org.part(Troubles).wait_for_release(fate.id, lambda: not self._goes(job))
        current = self._jobs.find(job.id)
        if current is None or not self._goes(current):
            return None
        with self._turns:
            return run(self._org, current, self._goes)

    def _goes(self, job: Job) -> bool:
        """Whether nobody has aborted or deleted it, and the server is not stopping."""
        current = self._jobs.find(job.id)
        return (
            not self._stopping.is_set()
            and current is not None
            and current.state is JobState.IN_PROGRESS
        )

    def _rest(self, begun: float, pace: float) -> bool:
        """Wait until a state has lasted its time; whether the server is stopping."""
        return self._stopping.wait(max(0.0, pace - (monotonic() - begun)))

    def _end(self, job: Job, state: JobState, failure: str | None = None) -> None:
        with self._org.store.writing():
            current = self._jobs.find(job.id)
            if current is not None and current.state in UNDER_WAY:
                self._jobs.change(current, state=state, failure=failure)


def _strikes(fate: InForce | None, job: Job) -> bool:
    """Whether a job is to stall now.

    Raises:
        JobFailure: it is to fail.
        AbortedError: it is to be aborted.
    """
    if fate is None or job.rows_done < fate.rule.rows:
        return False
    if fate.rule.kind is Kind.JOB_FAILS:
        raise JobFailure(fate.rule.message or "InternalServerError : the job failed on demand")
    if fate.rule.kind is Kind.JOB_ABORTS:
        raise AbortedError
    return True
