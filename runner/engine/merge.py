"""Finds out which rows of a merge can be merged, before any is sent.

A merge cannot be undone, so a list that contradicts itself is refused as a whole. Knows what is
asked of the org. Knows nothing of SQL over staged rows, nor of how merges are sent.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.engine.context import Context
from runner.errors import JobError
from runner.job.model import WriteTask
from runner.parallel import parallel_map
from runner.salesforce.rest.retrieve import find_merged
from runner.tables.staging.found_records import add_records
from runner.tables.staging.merges import NamedRecords
from runner.tables.staging.rows import StagedRows

NO_WAY_BACK = "A merge cannot be undone."
_MOST_SHOWN = 10
"""Rows that an error lists."""


def settle_merges(task: WriteTask, context: Context, staging: StagedRows) -> None:
    """Leave out rows that are merged already, and fail those whose records are not there.

    Raises:
        JobError: Rows name no records, or contradict each other; it names the first of them.
        OrgError: The org refused a query.
        StateError: The rows cannot be stored.
    """
    if not staging.rows_total:
        return
    records = NamedRecords(staging, task.sobject)
    origin, path = context.job.origin, ("tasks", task.index, "losers")
    problems = tuple(
        origin.diagnose(
            path,
            "job/merge-contradiction",
            f"row {row:,} of `{task.name}`: {why}",
            help="correct the source; nothing was merged",
        )
        for row, why in records.refused(_MOST_SHOWN)
    )
    if problems:
        raise JobError(problems)
    deadline = context.deadline(task)

    def found(ids: list[str]) -> list[list[str | None]]:
        return list(find_merged(context.session, task.sobject, ids))

    def pieces() -> Iterator[list[str]]:
        for ids in records.pages_of_ids():
            deadline.check()
            yield ids

    for some in parallel_map(found, pieces()):
        add_records(records, some)
    records.apply()
