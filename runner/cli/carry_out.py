"""One job, from its file to its outcome: builds what the engine needs and keeps the ledger true.

Knows the order of building. Knows nothing of how a task is done.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from runner import events
from runner.cli.compose import loaded_job, signed_in, state_folder
from runner.engine.connect import connect
from runner.engine.context import Context
from runner.engine.preflight import check_against_org
from runner.engine.run import finish, run_tasks
from runner.errors import RunnerError, UsageError
from runner.events import Sink
from runner.job.model import Environment, Job, ParamValue
from runner.job.params import resolve
from runner.outcome import RunOutcome
from runner.salesforce.describe import Describes
from runner.salesforce.session import Session
from runner.state.ledger import Ledger
from runner.state.lock import run_lock
from runner.state.paths import StateFolder
from runner.state.run_ids import new_run_id

LOCAL_FIRST_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the command line asks for."""

    job_file: Path
    only: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    """`name=value` each."""
    state_dir: Path | None = None


def carry_out(request: RunRequest, sink: Sink) -> RunOutcome:
    """Run a job to its end.

    Raises:
        RunnerError: it could not begin; nothing was sent.
    """
    job = loaded_job(request.job_file)
    _check_names(job, request.only)
    params = resolve(job.params, _given(request.params))
    state = state_folder(request.state_dir)
    started = datetime.now(UTC)
    run_id = new_run_id(started)
    with ExitStack() as stack:
        stack.enter_context(
            run_lock(state.locks, job.file, job.connection.org_id, run_id=run_id, since=started)
        )
        ledger = stack.enter_context(Ledger(state.ledger))
        ledger.start_run(
            run_id,
            job=job.name,
            job_file=job.file,
            job_sha256=hashlib.sha256(job.file.read_bytes()).hexdigest(),
            started=started,
            folder=state.run(run_id),
        )
        sink(events.RunStarted(run_id, job.name, len(job.tasks)))
        unmet = RunOutcome(run_id, job.name, job.file, started, started)
        try:
            first_policy = job.tasks[0].retry
            session = stack.enter_context(
                signed_in(job.connection, job.file, state, sink, first_policy)
            )
            return _with_org(_Bench(job, session, ledger, state, sink, params), unmet, request.only)
        except RunnerError as error:
            ended = replace(unmet, finished=datetime.now(UTC), exit_code=error.exit_code)
            ledger.finish_run(ended)
            raise


@dataclass(frozen=True, slots=True)
class _Bench:
    """What a run is built of."""

    job: Job
    session: Session
    ledger: Ledger
    state: StateFolder
    sink: Sink
    params: dict[str, ParamValue]


def _with_org(bench: _Bench, unmet: RunOutcome, only: tuple[str, ...]) -> RunOutcome:
    job, session = bench.job, bench.session
    met = connect(job.connection, session, bench.sink)
    bench.ledger.connect_run(
        unmet.run_id,
        org_id=met.identity.org_id,
        instance_url=session.instance_url,
        username=met.identity.username,
        api_version=met.choice.version,
    )
    local = job.connection.environment is Environment.LOCAL
    context = Context(
        job=job,
        run_id=unmet.run_id,
        folder=bench.state.run(unmet.run_id),
        session=session,
        describes=Describes(session),
        version=met.choice.version,
        ledger=bench.ledger,
        sink=bench.sink,
        clock=time.monotonic,
        params=bench.params,
        first_poll_seconds=LOCAL_FIRST_POLL_SECONDS if local else 1.0,
    )
    check_against_org(context, only)
    outcome = replace(
        unmet,
        folder=context.folder,
        org_id=met.identity.org_id,
        username=met.identity.username,
        api_version=met.choice.version,
        instance_url=session.instance_url,
        tasks=run_tasks(context, only=only),
        finished=datetime.now(UTC),
    ).with_exit_code()
    return finish(context, outcome)


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
