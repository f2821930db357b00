"""Works on Bulk jobs, each in its own thread, and moves them through their states.

A job stays in each state for at least `settings.bulk_pace_seconds`; with 0 it runs as fast as it
can, still asynchronously. Jobs that were in progress when a server stopped resume with the next.

Knows states and threads. Knows no HTTP.
"""

from __future__ import annotations

import logging
from time import monotonic

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.bulk.failure import JobFailure
from runner.local_org.bulk.ingest import run_ingest
from runner.local_org.bulk.jobs import UNDER_WAY, Job, JobKind, Jobs, JobState
from runner.local_org.bulk.queries import run_query
from runner.local_org.bulk.threads import JobThreads
from runner.local_org.fault_injection.active import ActiveRule, FaultRules
from runner.local_org.fault_injection.rule import FaultKind
from runner.local_org.org import Org


class AbortedError(Exception):
    """An injected fault ends the job as Aborted."""


_RUNS = {JobKind.INGEST: run_ingest, JobKind.QUERY: run_query}
_log = logging.getLogger(__name__)


class BulkWorker:
    """Works on an org's jobs of Bulk API 2.0."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._jobs = org.part(Jobs)
        self._threads = org.part(JobThreads)

    def resume(self) -> None:
        """Continue the jobs that an earlier server did not finish."""
        for job in self._jobs.unfinished():
            self.start(job)

    def start(self, job: Job) -> None:
        """Work on a job that is UploadComplete or InProgress."""
        self._threads.spawn(job.id, lambda: self._work(job))

    def _work(self, job: Job) -> None:
        try:
            self._run_through_states(job)
        except Exception:  # noqa: BLE001 - a defect ends the job, not the server
            _log.exception("job %s", job.id)
            self._end(job, JobState.FAILED, "UnknownException : an unexpected error occurred")

    def _run_through_states(self, job: Job) -> None:
        pace = self._org.settings.bulk_pace_seconds
        if self._threads.wait(pace):
            return
        started = self._jobs.move(job.id, JobState.IN_PROGRESS, out_of=UNDER_WAY)
        if started is None:
            return
        started_at = monotonic()
        fault = self._org.part(FaultRules).for_job(job.object, job.operation)
        try:
            done = self._run(started, fault)
        except AbortedError:
            self._end(job, JobState.ABORTED)
            return
        except JobFailure as failure:
            self._wait_out(started_at, pace)
            self._end(job, JobState.FAILED, str(failure))
            return
        except ApiRefusal as fault:
            self._end(job, JobState.FAILED, f"{fault.errors[0].code} : {fault.errors[0].message}")
            return
        if done is not None and not self._wait_out(started_at, pace):
            self._end(job, JobState.JOB_COMPLETE)

    def _run(self, job: Job, fault: ActiveRule | None) -> Job | None:
        """Work on a job until it is done or stopped; a stalled one continues once released."""
        run = _RUNS[job.kind]
        with self._threads.slot:
            done = run(
                self._org, job, lambda now: not _stalls(fault, now) and self._should_continue(now)
            )
        if done is not None or fault is None or not self._should_continue(job):
            return done
        self._org.part(FaultRules).wait_for_release(
            fault.id, lambda: not self._should_continue(job)
        )
        current = self._jobs.find(job.id)
        if current is None or not self._should_continue(current):
            return None
        with self._threads.slot:
            return run(self._org, current, self._should_continue)

    def _should_continue(self, job: Job) -> bool:
        """Whether it was neither aborted nor deleted and the server is not stopping."""
        current = self._jobs.find(job.id)
        return (
            not self._threads.stopping
            and current is not None
            and current.state is JobState.IN_PROGRESS
        )

    def _wait_out(self, started_at: float, pace: float) -> bool:
        """Wait until a state has lasted its time; True if the server is stopping."""
        return self._threads.wait(max(0.0, pace - (monotonic() - started_at)))

    def _end(self, job: Job, state: JobState, failure: str | None = None) -> None:
        with self._org.store.writing():
            current = self._jobs.find(job.id)
            if current is not None and current.state in UNDER_WAY:
                self._jobs.change(current, state=state, failure=failure)


def _stalls(fault: ActiveRule | None, job: Job) -> bool:
    """Whether a job stalls now.

    Raises:
        JobFailure: it fails.
        AbortedError: it is aborted.
    """
    if fault is None or job.rows_done < fault.rule.rows:
        return False
    if fault.rule.kind is FaultKind.JOB_FAILS:
        raise JobFailure(fault.rule.message or "InternalServerError : the job failed on demand")
    if fault.rule.kind is FaultKind.JOB_ABORTS:
        raise AbortedError
    return True
