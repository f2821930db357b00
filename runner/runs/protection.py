"""What may keep a run from writing: a protected connection, and the limits of its job.

Knows what was confirmed and allowed. Knows nothing of how limits are judged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from runner.diagnostics import Diagnostic
from runner.engine.api_reserve import ApiReserve
from runner.engine.rail_guard import RailGuard
from runner.errors import RailError
from runner.job.connections import connection_problem
from runner.job.model import Job, WriteTask
from runner.job.rails import Rail
from runner.runs.selection import SelectedRun
from runner.salesforce.session import Session


def unconfirmed(
    job: Job, confirmed: Collection[str], only: Collection[str] = ()
) -> Diagnostic | None:
    """Why a job may not run: it writes, and its protected connection was not confirmed.

    Args:
        job: The job.
        confirmed: Names of connections.
        only: Names of the tasks to run; empty means all.
    """
    connection = job.connection
    writes = (
        task
        for task in job.tasks
        if isinstance(task, WriteTask) and task.enabled and (not only or task.name in only)
    )
    if not connection.protect or connection.called in confirmed or next(writes, None) is None:
        return None
    message = f"the connection `{connection.called}` is protected, and the run would write to it"
    if confirmed:
        message += f"; confirmed was {' and '.join(f'`{each}`' for each in sorted(confirmed))}"
    return connection_problem(
        job,
        ["protect"],
        "rail/protect",
        message,
        hint=f"To write to it, add `--confirm {connection.called}` to the command.",
    )


def check_confirmed(found: Iterable[Diagnostic | None]) -> None:
    """Refuse to go on.

    Raises:
        RailError: A connection was not confirmed.
    """
    problems = tuple(each for each in found if each is not None)
    if problems:
        raise RailError(problems)


def guard_of(selected: SelectedRun, allowed: Collection[Rail]) -> RailGuard:
    """The limits of a run's job, except those that do not count this time."""
    tasks = selected.past.tasks if selected.past else ()
    has_written = any(each.plan is not None for each in tasks)
    return RailGuard(selected.job, allowed, selected.request.only, has_written)


def reserve_of(job: Job, session: Session, allowed: Collection[Rail]) -> ApiReserve | None:
    """The API calls that a run must leave to others; None if it need not."""
    amount = job.limits.get(Rail.RESERVE_API_CALLS)
    if amount is None or Rail.RESERVE_API_CALLS in allowed:
        return None
    return ApiReserve(amount, lambda: session.api_usage)
