"""Which limits of a job a planned run would exceed.

Knows plans and the rules of `rails`. Knows nothing of how a plan is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from runner.diagnostics import Diagnostic
from runner.engine.api_reserve import ApiReserve, reserve_problem
from runner.engine.context import Context
from runner.engine.rail_guard import records_in_scope
from runner.engine.rails import Effect, exceeded
from runner.job.model import WriteTask
from runner.job.rails import Rail
from runner.plan import Change, TaskPlan, Trip
from runner.salesforce.limits import Limit


def trips_of(
    context: Context, plans: Sequence[TaskPlan], api_calls: int, left: Limit | None
) -> tuple[Trip, ...]:
    """The limits that would stop a run of a plan.

    Args:
        context: Of the plan.
        plans: Its tasks.
        api_calls: What the run needs.
        left: API calls that the org has left; None if it does not say.

    Raises:
        OrgError: The org does not say how many records there are.
    """
    job = context.job
    effects = {each.name: _effect(each) for each in plans if each.read or not each.unknown}

    @cache
    def count(name: str) -> int:
        task = job.task(name)
        return records_in_scope(task, context) if isinstance(task, WriteTask) else 0

    found: list[Diagnostic] = list(exceeded(job, effects, lambda task: count(task.name)))
    amount = job.limits.get(Rail.RESERVE_API_CALLS)
    if amount is not None:
        reserve = ApiReserve(amount, lambda: None)
        short = reserve_problem(job, reserve, api_calls, left)
        found += [] if short is None else [short]
    return tuple(Trip(str(each.path[-1]), each.message, each.file, each.position) for each in found)


def _effect(plan: TaskPlan) -> Effect:
    return Effect(
        plan.read,
        plan.count(Change.CREATE),
        plan.count(Change.UPDATE),
        plan.count(Change.DELETE) + plan.losers,
        sum(each.emptied for each in plan.fields),
    )
