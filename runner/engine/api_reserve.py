"""Leaves API calls of the org's daily limit to others: `reserve_api_calls`.

Before a run by a forecast, during it by the org's own count, which every answer brings. Knows
nothing of how rows are sent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import ceil
from typing import TYPE_CHECKING

from msgspec import Struct

from runner.diagnostics import Diagnostic
from runner.engine.forecast import forecast_of
from runner.errors import LimitError, RailError
from runner.job.limits import RAILS
from runner.job.model import Job
from runner.job.partial_job import files_written_by
from runner.job.rails import Amount, Rail
from runner.salesforce.limits import API_REQUESTS, Limit, limits_of
from runner.salesforce.session import ApiUsage

if TYPE_CHECKING:
    from runner.engine.context import Context


class ApiReserve(Struct, frozen=True):
    """How many API calls a run must leave."""

    amount: Amount
    """A number, or a share of the daily limit."""
    usage: Callable[[], ApiUsage | None]
    """What the org counted last; None if it has not said so."""

    def calls(self, maximum: int) -> int:
        """The reserve, of a daily limit of so many calls."""
        if self.amount.number is not None:
            return self.amount.number
        return ceil(maximum * (self.amount.percent or 0.0) / 100)

    def error(self) -> LimitError | None:
        """The error that ends a task once only the reserve is left; None until then."""
        usage = self.usage()
        if usage is None or usage.maximum - usage.used > self.calls(usage.maximum):
            return None
        return LimitError(
            f"The org has used {usage.used:,} of its {usage.maximum:,} API calls, and "
            f"`{Rail.RESERVE_API_CALLS}` leaves {self.calls(usage.maximum):,} of them to others.",
            hint="The limit covers the last 24 hours: `runner resume` continues once calls are "
            f"available. `--allow {Rail.RESERVE_API_CALLS}` overrides it once.",
        )


def check_reserve(context: Context, reserve: ApiReserve, only: Collection[str] = ()) -> None:
    """Judge by a forecast whether a run would leave the reserve.

    Args:
        context: The run.
        reserve: What it must leave.
        only: Names of the tasks that run; empty means all.

    Raises:
        RailError: It would not.
    """
    job = context.job
    tasks = [task for task in job.tasks if task.enabled and (not only or task.name in only)]
    forecast, _ = forecast_of(tasks, context.version, files_written_by(job))
    left = limits_of(context.session).get(API_REQUESTS)
    found = reserve_problem(job, reserve, forecast.api_calls, left)
    if found is not None:
        raise RailError((found,))


def reserve_problem(
    job: Job, reserve: ApiReserve, api_calls: int, left: Limit | None
) -> Diagnostic | None:
    """Why a run may not start: what it needs is not there without the reserve.

    Args:
        job: For the position.
        reserve: What must be left.
        api_calls: What it needs at least.
        left: What the org has left; None if it does not say.
    """
    if left is None or left.remaining - api_calls >= reserve.calls(left.max):
        return None
    rail = Rail.RESERVE_API_CALLS
    message = (
        f"the run needs at least {api_calls:,} of the {left.remaining:,} API calls that the "
        f"org has left, and `{rail}` leaves {reserve.calls(left.max):,} of {left.max:,} to others"
    )
    hint = f"Run it later: the limit covers the last 24 hours. `--allow {rail}` overrides it once."
    path = ("limits", rail.value)
    return job.origin.diagnose(path, RAILS[rail].code, message, help=hint, at_key=True)
