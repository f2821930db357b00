"""An undo, from the run it is asked for to its outcome: under the job's lock, on the run's org.

Knows which runs can be undone and the order of building. Knows nothing of how records are judged,
nor of how anybody is asked.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from runner import events
from runner.engine.connect import ConnectedOrg, connect
from runner.engine.context import Context
from runner.engine.run import finish, run_tasks
from runner.engine.undo import UndoPlan, leftovers, plan_undo
from runner.errors import ExitCode, RunnerError, UsageError
from runner.events import Event, Sink
from runner.job.model import Environment, Job
from runner.outcome import RunOutcome, exit_code_of
from runner.runs.execute import LOCAL_FIRST_POLL_SECONDS, Manner
from runner.runs.wiring import loaded_job, signed_in, state_folder
from runner.salesforce.describe import Describes
from runner.salesforce.session import Session
from runner.state.ledger import LAST, Ledger
from runner.state.locks import run_lock
from runner.state.paths import StateFolder
from runner.state.run_records import UNDO, RunRecord, RunRequest, RunState, new_run_id

_PLAN = "plan"


class Relay:
    """Passes events on to whoever listens at the moment."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    def __call__(self, event: Event) -> None:
        """Pass one on."""
        self.sink(event)


@dataclass(frozen=True, slots=True)
class Undo:
    """An undo that is ready to be carried out."""

    plan: UndoPlan
    run: RunRecord
    """To be undone."""
    run_id: str
    """Of the undo, once it is begun."""
    started: datetime
    job: Job
    session: Session
    met: ConnectedOrg
    ledger: Ledger
    state: StateFolder
    relay: Relay
    ends_at: float | None

    def carry_out(self, sink: Sink) -> RunOutcome:
        """Do it, as a run of its own that is never resumed: another undo does what is left."""
        self.relay.sink = sink
        folder = self.state.run(self.run_id)
        self.ledger.start_run(
            self.run_id,
            job=self.run.job,
            job_file=self.run.job_file,
            job_sha256=self.run.job_sha256,
            started=self.started,
            folder=folder,
            request=RunRequest(verb=UNDO),
            after=self.run.run_id,
        )
        self.ledger.close_run(self.run_id)
        outcome = self._outcome(folder)
        self.ledger.connect_run(
            self.run_id,
            org_id=outcome.org_id,
            instance_url=self.session.instance_url,
            username=outcome.username,
            api_version=self.met.choice.version,
        )
        sink(events.RunStarted(self.run_id, f"undo of {self.run.run_id}", len(self.plan.steps)))
        try:
            end = run_tasks(self._context(folder, sink))
        except RunnerError as error:
            ended = replace(outcome, finished=datetime.now(UTC), exit_code=error.exit_code)
            self.ledger.finish_run(ended)
            raise
        codes = [task.exit_code for task in end.outcomes]
        if self.plan.unaccounted:
            codes.append(ExitCode.PARTIAL)
        ended = replace(
            outcome,
            tasks=end.outcomes,
            finished=datetime.now(UTC),
            exit_code=exit_code_of(codes),
        )
        return finish(self._context(folder, sink), ended, final=True)

    def _outcome(self, folder: Path) -> RunOutcome:
        return RunOutcome(
            self.run_id,
            self.run.job,
            self.run.job_file,
            self.started,
            self.started,
            org_id=self.met.identity.org_id,
            instance_url=self.session.instance_url,
            username=self.met.identity.username,
            api_version=self.met.choice.version,
            folder=folder,
        )

    def _context(self, folder: Path, sink: Sink) -> Context:
        local = self.job.connection.environment is Environment.LOCAL
        return Context(
            job=replace(self.job, tasks=tuple(step.task for step in self.plan.steps)),
            run_id=self.run_id,
            folder=folder,
            session=self.session,
            describes=Describes(self.session),
            version=self.met.choice.version,
            ledger=self.ledger,
            sink=sink,
            clock=time.monotonic,
            first_poll_seconds=LOCAL_FIRST_POLL_SECONDS if local else 1.0,
            user_id=self.met.identity.user_id,
            ends_at=self.ends_at,
        )


@contextmanager
def prepared(wanted: str, manner: Manner) -> Iterator[Undo]:
    """Find out what an undo would do; the job's lock is held until the block ends.

    Raises:
        RunnerError: The run cannot be undone, or not now; nothing was sent.
    """
    state = state_folder(manner.state_dir)
    with Ledger(state.ledger) as ledger:
        found = run_to_undo(ledger, wanted)
    job = loaded_job(found.job_file)
    started = datetime.now(UTC)
    run_id = new_run_id(started)
    lock = run_lock(
        state.locks,
        job.file,
        job.connection.org_id,
        run_id=run_id,
        since=started,
        wait_seconds=manner.wait_lock_seconds,
    )
    ends_at = None
    if manner.timeout_seconds is not None:
        ends_at = time.monotonic() + manner.timeout_seconds
    relay = Relay(manner.sink)
    with lock, Ledger(state.ledger) as ledger:
        run = run_to_undo(ledger, found.run_id)
        _sweep(ledger, state, run)
        with signed_in(job.connection, job.file, state, relay, job.tasks[0].retry) as session:
            met = _met(job, run, session, relay)
            work = state.run(run_id) / _PLAN
            try:
                plan = plan_undo(run, job, session, work)
            finally:
                shutil.rmtree(state.run(run_id), ignore_errors=True)
            yield Undo(plan, run, run_id, started, job, session, met, ledger, state, relay, ends_at)


def run_to_undo(ledger: Ledger, wanted: str) -> RunRecord:
    """The run that is to be undone.

    Raises:
        UsageError: It is under way, unfinished, or an undo itself.
    """
    run = ledger.run(wanted or LAST)
    if run.request.verb == UNDO:
        raise UsageError(
            f"Run {run.run_id} is itself the undo of {run.after}: an undo is not undone.",
            hint=f"`runner undo {run.after}` puts back what it left; `runner run {run.job_file}` "
            "carries the job out anew.",
        )
    if run.state is RunState.RUNNING or not run.final:
        raise UsageError(
            f"Run {run.run_id} has not come to its end, so nobody knows yet all that it did.",
            hint=f"`runner resume {run.run_id}` brings it there; `runner resume {run.run_id} "
            "--abandon` gives it up. Undo it then.",
        )
    return run


def _met(job: Job, run: RunRecord, session: Session, sink: Sink) -> ConnectedOrg:
    met = connect(job.connection, session, sink)
    if run.org_id in (None, met.identity.org_id):
        return met
    raise UsageError(
        f"Run {run.run_id} wrote to org {run.org_id}, and the token is of org "
        f"{met.identity.org_id}. Nothing was sent.",
        hint="Sign in to the org that it wrote to.",
    )


def _sweep(ledger: Ledger, state: StateFolder, run: RunRecord) -> None:
    """Delete working files that undos of the run left which died."""
    for each in ledger.undone_by(run.run_id):
        for folder in leftovers(state.run(each)):
            shutil.rmtree(folder, ignore_errors=True)
