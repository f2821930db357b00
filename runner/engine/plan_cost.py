"""What a task of a plan costs: API calls and Bulk jobs.

Knows how many rows there are. Knows nothing of what is in them.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from runner.engine.api_choice import api_for_write
from runner.engine.columns import ColumnPlan
from runner.engine.forecast import Forecast, forecast_of_write
from runner.engine.lookup_cost import Reading, calls
from runner.job.model import Api, Verb, WriteTask
from runner.plan import Change, TaskPlan

ROWS_PER_PAGE = 2_000
"""Of a query over REST."""


def cost_of_query(rows: int, api: Api) -> tuple[int, int]:
    """API calls and Bulk jobs of a query that finds so many rows."""
    if api is Api.REST:
        return max(1, -(-rows // ROWS_PER_PAGE)), 0
    return 1 + calls(Reading.BULK, 0, rows), 1


def with_cost(
    plan: TaskPlan, task: WriteTask, version: str, columns: ColumnPlan, levels: Sequence[int]
) -> TaskPlan:
    """The plan with what it costs to send so many rows, one level after the other."""
    rows = sum(levels)
    if not rows:
        return plan
    by_id = columns.key == "Id" and plan.count(Change.CREATE) > 0
    findable = bool(columns.unique) or not (task.verb is Verb.CREATE or by_id)
    api = api_for_write(task, rows, version, findable=findable, blobs=columns.has_blobs)
    each = replace(task, api=api)
    cost = sum((forecast_of_write(each, level, version) for level in levels), Forecast())
    return replace(plan, api=api.value, api_calls=cost.api_calls, bulk_jobs=cost.bulk_jobs)
