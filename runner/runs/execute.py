"""One run, from what is asked to its outcome: builds what the engine needs, keeps the ledger true.

Knows the order of building. Knows nothing of how a task is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from runner import events
from runner.engine.connect import ConnectedOrg, connect
from runner.engine.context import Context
from runner.engine.preflight import check_against_org
from runner.engine.run import finish, run_tasks
from runner.errors import RunnerError, UsageError
from runner.events import Sink
from runner.job.model import Environment, Job, ParamValue
from runner.job.params import resolve
from runner.outcome import RunOutcome
from runner.runs.retention import lost_ledger, sweep_dead_runs
from runner.runs.selection import (
    Beginning,
    anew,
    gone_on_with,
    run_to_resume,
    run_to_retry,
    unfinished_run,
    with_failed_rows,
)
from runner.runs.wiring import loaded_job, signed_in, state_folder
from runner.salesforce.describe import Describes
from runner.salesforce.session import Session
from runner.state.ledger import Ledger
from runner.state.locks import run_lock
from runner.state.paths import StateFolder
from runner.state.run_records import RunRequest, new_run_id
from runner.tables.disk import Disk

LOCAL_FIRST_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run is to be carried out, whichever it is."""

    sink: Sink
    state_dir: Path | None = None
    wait_lock_seconds: float = 0.0
    timeout_seconds: float | None = None
    max_disk_bytes: int | None = None
    """None: what the job says."""


def carry_out(
    job_file: Path, asked: RunRequest, manner: Manner, *, afresh: bool = False
) -> RunOutcome:
    """Run a job to its end; an unfinished run of it is brought to its end instead.

    Args:
        job_file: The job.
        asked: Which tasks, with which params.
        manner: How.
        afresh: Give unfinished runs of the job up and begin a new one.

    Raises:
        RunnerError: it could not begin; nothing was sent.
    """
    job = loaded_job(job_file)
    _check_names(job, asked.only)
    resolve(job.params, _given(asked.params))

    def begin(ledger: Ledger) -> Beginning:
        left = unfinished_run(ledger, job.file)
        if left is None:
            return anew(job, asked)
        if afresh:
            for run in ledger.unfinished(job.file):
                ledger.close_run(run.run_id)
            return anew(job, asked)
        message = (
            f"run {left.run_id} is unfinished, so this finishes it as it was begun; run again for "
            "a new run (or give it up with --anew)"
        )
        manner.sink(events.Warned(message))
        return gone_on_with(left, job, ledger)

    return _under_lock(job, begin, manner)


def resume(wanted: str | None, manner: Manner) -> RunOutcome:
    """Bring an unfinished run to its end.

    Args:
        wanted: Its id or the beginning of it; None: the last that is unfinished.
        manner: How.

    Raises:
        RunnerError: There is none, or it cannot be gone on with; nothing was sent.
    """
    with Ledger(state_folder(manner.state_dir).ledger) as ledger:
        run = run_to_resume(ledger, wanted)
    job = loaded_job(run.job_file)
    return _under_lock(
        job, lambda ledger: gone_on_with(run_to_resume(ledger, run.run_id), job, ledger), manner
    )


def retry(wanted: str, manner: Manner) -> RunOutcome:
    """Send the failed rows of a run again, as a run of its own.

    Raises:
        RunnerError: There is none, or it has no failed rows; nothing was sent.
    """
    with Ledger(state_folder(manner.state_dir).ledger) as ledger:
        run = run_to_retry(ledger, wanted)
    job = with_failed_rows(loaded_job(run.job_file), run)
    asked = replace(run.request, verb="retry", only=())
    return _under_lock(job, lambda _ledger: anew(job, asked, after=run), manner)


def _under_lock(job: Job, begin: Callable[[Ledger], Beginning], manner: Manner) -> RunOutcome:
    state = state_folder(manner.state_dir)
    started = datetime.now(UTC)
    lock = run_lock(
        state.locks,
        job.file,
        job.connection.org_id,
        run_id=new_run_id(started),
        since=started,
        wait_seconds=manner.wait_lock_seconds,
    )
    with lock as held, Ledger(state.ledger) as ledger:
        sweep_dead_runs(ledger, state)
        lost = lost_ledger(ledger, state)
        if lost is not None:
            manner.sink(events.Warned(lost))
        beginning = begin(ledger)
        held(beginning.run_id)
        beginning.note(ledger, state)
        manner.sink(
            events.RunStarted(beginning.run_id, beginning.job.name, len(beginning.job.tasks))
        )
        return _Run(beginning, ledger, state, manner).carry_out()


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that the ledger knows of, and what it is built of."""

    beginning: Beginning
    ledger: Ledger
    state: StateFolder
    manner: Manner

    def carry_out(self) -> RunOutcome:
        try:
            with self._session() as session:
                return self._with_org(session)
        except RunnerError as error:
            ended = replace(self._unmet, finished=datetime.now(UTC), exit_code=error.exit_code)
            begun = self.ledger.run(ended.run_id).has_begun
            self.ledger.finish_run(ended, final=not begun)
            raise

    @property
    def _unmet(self) -> RunOutcome:
        begun = self.beginning
        return RunOutcome(
            begun.run_id, begun.job.name, begun.job.file, begun.started, begun.started
        )

    @contextmanager
    def _session(self) -> Iterator[Session]:
        job = self.beginning.job
        policy = job.tasks[0].retry
        with signed_in(job.connection, job.file, self.state, self.manner.sink, policy) as session:
            yield session

    def _with_org(self, session: Session) -> RunOutcome:
        begun, sink = self.beginning, self.manner.sink
        met = self._met(session)
        self.ledger.connect_run(
            begun.run_id,
            org_id=met.identity.org_id,
            instance_url=session.instance_url,
            username=met.identity.username,
            api_version=met.choice.version,
        )
        local = begun.job.connection.environment is Environment.LOCAL
        timeout = self.manner.timeout_seconds
        context = Context(
            job=begun.job,
            run_id=begun.run_id,
            folder=self.state.run(begun.run_id),
            session=session,
            describes=Describes(session),
            version=met.choice.version,
            ledger=self.ledger,
            sink=sink,
            clock=time.monotonic,
            params=self._params(),
            first_poll_seconds=LOCAL_FIRST_POLL_SECONDS if local else 1.0,
            user_id=met.identity.user_id,
            past=begun.past,
            ends_at=None if timeout is None else time.monotonic() + timeout,
            disk=Disk(
                self.state.run(begun.run_id), self.manner.max_disk_bytes or begun.job.max_disk_bytes
            ),
        )
        check_against_org(context, begun.asked.only)
        end = run_tasks(context, only=begun.asked.only)
        outcome = replace(
            self._unmet,
            folder=context.folder,
            org_id=met.identity.org_id,
            username=met.identity.username,
            api_version=met.choice.version,
            instance_url=session.instance_url,
            tasks=end.outcomes,
            finished=datetime.now(UTC),
        ).with_exit_code()
        return finish(context, outcome, final=end.final)

    def _met(self, session: Session) -> ConnectedOrg:
        """Meet the org; a run that is gone on with must meet the one that it began with."""
        past = self.beginning.past
        version = past.api_version if past else None
        met = connect(
            self.beginning.job.connection, session, self.manner.sink, resumed_version=version
        )
        if past is None or past.org_id in (None, met.identity.org_id):
            return met
        raise UsageError(
            f"Run {past.run_id} began on org {past.org_id}, and the token is of org "
            f"{met.identity.org_id}. Nothing was sent.",
            hint=f"Sign in to the org it began on; or give it up: `runner resume {past.run_id} "
            "--abandon`.",
        )

    def _params(self) -> dict[str, ParamValue]:
        return resolve(self.beginning.job.params, _given(self.beginning.asked.params))


def _check_names(job: Job, only: tuple[str, ...]) -> None:
    unknown = [name for name in only if job.task(name) is None]
    if unknown:
        raise UsageError(
            f"The job has no task {unknown[0]!r}.",
            hint=f"Its tasks: {', '.join(task.name for task in job.tasks)}.",
        )


def _given(params: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in params]
    wrong = next((name for name, equals, _ in pairs if not equals), None)
    if wrong is not None:
        raise UsageError(f"--param {wrong} has no value.", hint=f"Write --param {wrong}=VALUE.")
    return {name: value for name, _, value in pairs}
